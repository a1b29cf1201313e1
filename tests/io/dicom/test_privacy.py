"""Descriptions are shown without names; hashes tell nothing and are always the same."""

import pytest
from pydicom import Dataset

from medidiff.io.dicom.privacy import described, hashed
from tests.dicoms import PATIENT, changed


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


def test_a_short_name_is_taken_out_as_a_word_alone():
    assert described(header("li flair li2 lipid", PatientName="Li^Bo")) == "… flair …2 lipid"


def test_a_header_without_a_patient_is_described_as_it_is():
    assert described(changed(Dataset(), SeriesDescription="t1 mprage")) == "t1 mprage"
    assert described(Dataset()) == ""


def test_hashes_are_short_and_depend_on_the_text_alone():
    assert hashed("1.2.3") == hashed("1.2.3") != hashed("1.2.4")
    assert len(hashed("")) == 8
