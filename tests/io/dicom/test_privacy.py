"""Descriptions are shown without names; hashes tell nothing and are always the same."""

import pytest
from pydicom import Dataset

from medidiff.io.dicom.privacy import described, hashed
from tests.dicoms import PATIENT, Plan, changed, slices, values, write
from tests.io.dicom.reading import scanned


def header(description, **elements):
    told = {**PATIENT, "StudyDate": "20240229", "SeriesDescription": description, **elements}
    return changed(Dataset(), **told)


@pytest.mark.parametrize(
    ("description", "shown"),
    [
        ("t2_tse_tra", "t2_tse_tra"),
        ("DOE t2 jane", "… t2 …"),
        ("t2_doe_tra", "t2_…_tra"),
        ("DoeJane flair", "… flair"),
        ("JANEDOE flair", "… flair"),
        ("HOSP-4711 dwi 19570429 20240229", "… dwi … …"),
        ("shoes and janes", "shoes and janes"),
        ("two\nlines\x1b[31m", "two lines [31m"),
        ("", ""),
    ],
)
def test_descriptions_lose_the_patients_name_and_numbers_and_nothing_else(description, shown):
    assert described(header(description)) == shown


@pytest.mark.parametrize(
    "written",
    [
        "29.04.1957",
        "29.4.57",
        "1957-04-29",
        "04/29/1957",
        "29041957",
        "1957_04_29",
        "4/29/57",
        "2024-02-29",
        "29.2.2024",
    ],
)
def test_dates_are_taken_out_however_they_are_written(written):
    assert described(header(f"t2 {written} 1957 3.5")) == "t2 … 1957 3.5"


@pytest.mark.parametrize(
    "keyword", ["OtherPatientNames", "PatientBirthName", "PatientMotherBirthName", "ReferringPhysicianName"]
)
def test_earlier_names_and_names_of_staff_are_taken_out(keyword):
    assert described(header("t2 Roe richard-roe RoeRichard", **{keyword: "Roe^Richard"})) == "t2 … …-… …"


def test_a_reason_and_a_modality_are_cleaned_as_descriptions_are(tmp_path):
    write(slices(Plan(values()), ImageType=["DERIVED", "PRIMARY", "DOE MAP"], Modality="JANE"), tmp_path)
    (series,), _ = scanned(tmp_path)
    assert (series.stacks[0].refusal, series.modality) == ("a derived map (… MAP)", "…")


def test_a_short_name_is_taken_out_as_a_word_alone():
    assert described(header("li flair li2 lipid", PatientName="Li^Bo")) == "… flair …2 lipid"


def test_a_header_without_a_patient_is_described_as_it_is():
    assert described(changed(Dataset(), SeriesDescription="t1 mprage")) == "t1 mprage"
    assert described(Dataset()) == ""


def test_hashes_are_short_and_depend_on_the_text_alone():
    assert hashed("1.2.3") == hashed("1.2.3") != hashed("1.2.4")
    assert len(hashed("")) == 8
