"""What a derived series says, and what it leaves out."""

import hashlib
import io
import shutil
import subprocess
from copy import deepcopy

import numpy as np
import pydicom
import pytest
from pydicom import config

from medidiff.errors import GeometryError, InputError, OutputError
from medidiff.io.dicom import derived as module
from medidiff.io.dicom.derived import write_derived_series
from medidiff.volume import Volume
from tests.io.derived.made_up import NAME, STACKS, blob, classic, enhanced, grid

FACTS = {"model": {"name": "sr-brain", "version": "0.2.0", "sha256": "ab" * 32}, "seed": 3, "options": {"steps": 8}}
STAY = [
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID", "StudyDate"),
    *("AccessionNumber", "ReferringPhysicianName", "FrameOfReferenceUID", "PatientPosition", "BodyPartExamined"),
    *("Manufacturer", "MagneticFieldStrength", "EchoTime", "RepetitionTime", "FlipAngle", "ContentDate", "ContentTime"),
    "InPlanePhaseEncodingDirection",
]
PRESENT = pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dicom3tools is not installed")


def thick_and_fine(stack="axial", scale=2.0):
    thick = grid(stack)
    x, y, z = thick.shape
    volume = blob(thick.reshaped((x, y, 2 * z)))
    return thick, Volume(volume.array * np.float32(scale), volume.geometry)


def written(folder, sources=None, *, facts=FACTS, scale=2.0, **options):
    thick, volume = thick_and_fine(scale=scale)
    return write_derived_series(volume, sources or classic(thick), folder / "out", facts=facts, **options)


def read(paths):
    return [pydicom.dcmread(path) for path in paths]


def hashes(paths):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def as_read_from_disk(header):
    """A header whose values are not looked at before they are asked for, whatever they are."""
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, header, implicit_vr=False, little_endian=True)
    stream.seek(0)
    return pydicom.dcmread(stream, force=True)


class TestTags:
    def test_it_says_that_it_is_derived_by_what_and_for_research_only(self, tmp_path):
        told = read(written(tmp_path))[0]
        assert told.SOPClassUID == pydicom.uid.MRImageStorage
        assert list(told.ImageType) == ["DERIVED", "SECONDARY", "OTHER"]
        assert told.SeriesDescription == "T2 tse tra enhanced medidiff sr-brain 0.2.0 RESEARCH USE"
        assert told.DerivationCodeSequence[0].CodeValue == "113085"
        assert all(part in told.DerivationDescription for part in ("sr-brain 0.2.0", "ab" * 32, "seed 3", "steps 8"))
        assert told.ContributingEquipmentSequence[0].Manufacturer == "medidiff"
        assert told.ContributingEquipmentSequence[0].PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
        assert "not for diagnosis" in told.ImageComments

    def test_patient_study_place_and_physics_stay(self, tmp_path):
        told, source = read(written(tmp_path))[0], classic(grid())[0]
        for keyword in STAY:
            assert told[keyword].value == source[keyword].value, keyword

    def test_the_patient_stays_where_slices_spell_the_name_in_two_ways(self, tmp_path):
        sources = classic(grid())
        sources[2].PatientName = NAME.upper()
        assert read(written(tmp_path, sources))[0].PatientName == NAME

    def test_series_and_objects_are_new_ones(self, tmp_path):
        told, sources = read(written(tmp_path)), classic(grid())
        assert len({t.SOPInstanceUID for t in told}) == len(told) == 12
        assert not {t.SOPInstanceUID for t in told} & {s.SOPInstanceUID for s in sources}
        assert {t.SeriesInstanceUID for t in told}.isdisjoint({sources[0].SeriesInstanceUID})
        assert [t.InstanceNumber for t in told] == list(range(1, 13))
        assert {t.SeriesNumber for t in told} == {1007}

    def test_private_tags_overlays_and_what_differs_between_slices_stay_behind(self, tmp_path):
        for told in read(written(tmp_path)):
            assert not any(element.tag.is_private or element.tag.group == 0x6000 for element in told.iterall())
            assert "AcquisitionTime" not in told

    def test_private_tags_inside_a_kept_sequence_stay_behind(self, tmp_path):
        other = pydicom.Dataset()
        other.PatientID, other.TypeOfPatientID = "ID-43", "TEXT"
        other.add_new(0x00291010, "OB", b"private")
        told = read(written(tmp_path, classic(grid(), OtherPatientIDsSequence=[other])))[0]
        assert [element.keyword for element in told.OtherPatientIDsSequence[0]] == ["PatientID", "TypeOfPatientID"]

    def test_geometry_is_that_of_the_new_grid(self, tmp_path):
        told = read(written(tmp_path))[0]
        assert (told.Rows, told.Columns, list(told.PixelSpacing)) == (10, 12, [1.5, 1.25])
        assert told.SliceThickness == told.SpacingBetweenSlices == 2.5

    def test_each_object_refers_to_the_source_slices_around_it(self, tmp_path):
        referred = [[item.ReferencedSOPInstanceUID for item in t.SourceImageSequence] for t in read(written(tmp_path))]
        assert referred[0] == ["1.2.3.4.5.6.1"]
        assert referred[1] == referred[2] == ["1.2.3.4.5.6.1", "1.2.3.4.5.6.2"]
        assert referred[-1] == ["1.2.3.4.5.6.6"]

    def test_references_name_purpose_and_series(self, tmp_path):
        told = read(written(tmp_path))[4]
        listed = told.ReferencedSeriesSequence[0]
        assert listed.SeriesInstanceUID == "1.2.3.4.5"
        assert len(listed.ReferencedInstanceSequence) == len(told.SourceImageSequence)
        assert told.SourceImageSequence[0].PurposeOfReferenceCodeSequence[0].CodeValue == "121322"

    def test_frames_of_an_enhanced_source_are_referred_to_by_number(self, tmp_path):
        told = read(written(tmp_path, [enhanced(grid())]))
        assert [len(t.SourceImageSequence) for t in told] == [1] * 12
        assert told[1].SourceImageSequence[0].ReferencedFrameNumber == [1, 2]

    def test_classic_tags_are_found_in_the_groups_of_an_enhanced_source(self, tmp_path):
        told = read(written(tmp_path, [enhanced(grid())]))[0]
        assert (told.RepetitionTime, told.EchoTime, told.EchoTrainLength, told.FlipAngle) == (3000, 90, 9, 150)
        assert (told.ScanningSequence, told.SequenceName, told.ImagedNucleus) == ("SE", "*tse2d1", "1H")

    def test_a_volume_among_several_is_named(self, tmp_path):
        told = read(written(tmp_path, facts={**FACTS, "name": "e2"}))[0]
        assert told.SeriesDescription == "T2 tse tra e2 enhanced medidiff sr-brain 0.2.0 RESEARCH USE"

    def test_volumes_of_one_series_get_numbers_of_their_own(self, tmp_path):
        told = [read(written(tmp_path / str(n), facts={**FACTS, "place": n}))[0] for n in range(3)]
        assert [int(each.SeriesNumber) for each in told] == [1007, 3007, 5007]

    @pytest.mark.parametrize(("number", "derived"), [(2**31 - 1, 1000), (2**31 - 3000, 2**31 - 2000), (-5, 995)])
    def test_a_series_number_stays_one_that_dicom_can_hold(self, number, derived, tmp_path):
        assert read(written(tmp_path, classic(grid(), SeriesNumber=number)))[0].SeriesNumber == derived

    def test_a_long_description_is_cut_and_the_warning_is_not(self, tmp_path):
        told = read(written(tmp_path, classic(grid(), SeriesDescription="d" * 64)))[0]
        assert len(told.SeriesDescription) == 64
        assert told.SeriesDescription.endswith("enhanced medidiff sr-brain 0.2.0 RESEARCH USE")

    def test_what_no_source_says_is_left_empty_and_a_frame_of_reference_is_made(self, tmp_path):
        bare = dict.fromkeys(["StudyID", "PatientPosition", "FrameOfReferenceUID", "BodyPartExamined", "ContentDate"])
        told = read(written(tmp_path, classic(grid(), ScanningSequence=None, SeriesNumber=None, **bare)))[0]
        assert (told.StudyID, told.Laterality, told.ScanningSequence) == ("", "", "RM")
        assert told.FrameOfReferenceUID.startswith("2.25.")
        assert told.SeriesNumber == 1000

    @pytest.mark.parametrize(
        ("sequence", "time", "told_sequence", "told_time"),
        [("GR", "900", ["GR", "IR"], 900), ("IR", None, "IR", ""), ("GR", "0", "GR", None), ("IR", "90", "IR", 90)],
    )
    def test_sequence_and_inversion_time_agree(self, sequence, time, told_sequence, told_time, tmp_path):
        tags = {"ScanningSequence": sequence} | ({"InversionTime": time} if time else {})
        told = read(written(tmp_path, classic(grid(), **tags)))[0]
        assert told.ScanningSequence == told_sequence
        assert told.get("InversionTime") == told_time or (told_time == "" and told.InversionTime is None)

    def test_lossy_compression_is_told_on_once_any_source_had_it(self, tmp_path):
        sources = classic(grid())
        sources[3].LossyImageCompression, sources[3].LossyImageCompressionRatio = "01", "10"
        told = read(written(tmp_path, sources))[0]
        assert (told.LossyImageCompression, told.LossyImageCompressionRatio) == ("01", 10)

    def test_odd_headers_are_taken_over_without_a_word(self, tmp_path):
        with config.disable_value_validation():
            odd = {"PatientAge": "forty", "StudyDate": "2024", "PatientSex": "unknown", "AccessionNumber": "b" * 40}
            names = {"SpecificCharacterSet": ["ISO 2022 IR 6", "ISO 2022 IR 87"], "PatientName": "Yamada^T=山田^太郎"}
            sources = [as_read_from_disk(source) for source in classic(grid(), **odd, **names)]
            paths = written(tmp_path, sources)
            told = read(paths)[0]
            assert {keyword: told[keyword].value for keyword in (*odd, "PatientName")} == {
                **odd,
                "PatientName": names["PatientName"],
            }


class TestPixels:
    @pytest.mark.parametrize("scale", [1e-6, 0.3, 1.0, 2.0, 1e4])
    def test_values_return_in_the_scale_of_the_input(self, scale, tmp_path):
        _, volume = thick_and_fine(scale=scale)
        told = read(written(tmp_path, scale=scale))
        slope = float(told[0].get("RescaleSlope", 1))
        shown = np.stack([t.pixel_array.T * slope for t in told], axis=-1)
        assert np.abs(shown - volume.array).max() <= 0.501 * slope <= 0.0005 * volume.array.max()

    def test_scanner_numbers_are_stored_as_they_are(self, tmp_path):
        assert all("RescaleSlope" not in told for told in read(written(tmp_path, scale=2.0)))

    def test_the_window_shows_the_head_whatever_the_source_said(self, tmp_path):
        told = read(written(tmp_path, classic(grid(), WindowCenter="7", WindowWidth="15")))[0]
        assert told.WindowCenter > 500
        assert told.WindowWidth > 1000


class TestIdentity:
    def test_a_second_run_is_the_same_to_the_byte(self, tmp_path):
        first = hashes(written(tmp_path))
        assert hashes(written(tmp_path)) == first

    @pytest.mark.parametrize(
        "other", [{"seed": 4}, {"options": {"steps": 9}}, {"model": {"sha256": "cd" * 32}}, {"name": "e2"}], ids=str
    )
    def test_another_seed_option_or_model_gives_other_names(self, other, tmp_path):
        one, two = read(written(tmp_path)), read(written(tmp_path, facts={**FACTS, **other}))
        assert not {t.SOPInstanceUID for t in one} & {t.SOPInstanceUID for t in two}
        assert one[0].SeriesInstanceUID != two[0].SeriesInstanceUID

    def test_other_voxels_never_get_the_same_name(self, tmp_path):
        one, two = read(written(tmp_path)), read(written(tmp_path, scale=2.001))
        assert not {t.SOPInstanceUID for t in one} & {t.SOPInstanceUID for t in two}

    def test_two_volumes_of_one_enhanced_object_get_two_names(self, tmp_path):
        both = enhanced(grid(shape=(12, 10, 6)))
        both.PerFrameFunctionalGroupsSequence = [*both.PerFrameFunctionalGroupsSequence] * 2
        both.NumberOfFrames = 12
        one = read(written(tmp_path, [both], frames=range(6)))
        two = read(written(tmp_path, [both] * 6, frames=range(6, 12)))
        assert one[0].SeriesInstanceUID != two[0].SeriesInstanceUID
        assert two[0].SourceImageSequence[0].ReferencedFrameNumber == 7


class TestWholeOrNotAtAll:
    def test_only_numbers_are_in_the_names_of_files(self, tmp_path):
        assert [path.name for path in written(tmp_path)] == [f"{n:05d}.dcm" for n in range(1, 13)]
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    @pytest.mark.parametrize(
        ("keyword", "value", "what"),
        [
            ("PixelSpacing", ["1.5", "1.26"], "geometry"),
            ("ImagePositionPatient", ["0", "0", "0"], "slice spacing"),
            ("SpacingBetweenSlices", "2.6", "slice spacing"),
            ("SOPInstanceUID", "1.2.3", "instance UIDs"),
            ("PatientID", "another", "PatientID"),
            ("RescaleSlope", "1.1", "voxel values"),
        ],
    )
    def test_what_is_read_back_wrong_is_not_kept(self, keyword, value, what, tmp_path, monkeypatch):
        write = pydicom.dcmwrite

        def spoiled(path, header, **options):
            header = deepcopy(header)
            setattr(header, keyword, value)
            write(path, header, **options)

        monkeypatch.setattr(pydicom, "dcmwrite", spoiled)
        with pytest.raises(OutputError, match=what):
            written(tmp_path)
        assert not list(tmp_path.iterdir())

    def test_a_pixel_that_is_one_step_off_is_not_kept(self, tmp_path, monkeypatch):
        write = pydicom.dcmwrite

        def spoiled(path, header, **options):
            stored = np.frombuffer(header.PixelData, "<u2").copy()
            stored[stored.argmax()] -= 1
            header.PixelData = stored.tobytes()
            write(path, header, **options)

        monkeypatch.setattr(pydicom, "dcmwrite", spoiled)
        with pytest.raises(OutputError, match="voxel values"):
            written(tmp_path, scale=0.3)
        assert not list(tmp_path.iterdir())

    def test_a_failure_leaves_the_earlier_result_as_it_was(self, tmp_path, monkeypatch):
        before = hashes(paths := written(tmp_path))
        monkeypatch.setattr(module, "check_series", lambda *_: (_ for _ in ()).throw(OutputError("no")))
        with pytest.raises(OutputError):
            written(tmp_path, facts={"seed": 9})
        assert hashes(paths) == before
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    @pytest.mark.parametrize("name", ["notes.txt", "other.dcm"])
    def test_a_folder_with_anything_else_in_it_is_not_touched(self, name, tmp_path):
        stray = written(tmp_path)[0].parent / name
        stray.write_bytes(b"not ours")
        with pytest.raises(OutputError, match="holds more than medidiff wrote"):
            written(tmp_path, facts={"seed": 9})
        assert stray.read_bytes() == b"not ours"


class TestRefusals:
    @pytest.mark.parametrize(
        ("tags", "error", "what"),
        [
            ({"Modality": "CT"}, InputError, "source is not MR .*another modality"),
            ({"SOPInstanceUID": "1.2"}, InputError, "share one SOP Instance UID"),
            ({"StudyInstanceUID": None}, InputError, "without StudyInstanceUID"),
            ({"ImagePositionPatient": None}, GeometryError, "without a usable ImagePositionPatient"),
        ],
    )
    def test_sources_that_are_no_mr_series_in_space(self, tags, error, what, tmp_path):
        with pytest.raises(error, match=what):
            written(tmp_path, classic(grid(), **tags))

    @pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"])
    def test_sources_of_two_patients_studies_or_series_and_no_word_of_which(self, keyword, tmp_path):
        sources = classic(grid())
        setattr(sources[2], keyword, "9.9.9")
        with pytest.raises(InputError, match="source slices of several") as refusal:
            written(tmp_path, sources)
        assert "9.9.9" not in str(refusal.value)

    def test_slices_that_are_not_parallel(self, tmp_path):
        sources = classic(grid())
        sources[2].ImageOrientationPatient = [1, 0, 0, 0, 0.99, 0.141]
        with pytest.raises(GeometryError, match="differ in orientation"):
            written(tmp_path, sources)

    @pytest.mark.parametrize("value", [np.nan, np.inf, 1j])
    def test_voxels_that_are_no_real_numbers(self, value, tmp_path):
        thick, volume = thick_and_fine()
        array = volume.array.astype(np.result_type(volume.array, type(value)))
        array[1, 2, 3] = value
        with pytest.raises(InputError, match=r"not numbers|complex"):
            write_derived_series(Volume(array, volume.geometry), classic(thick), tmp_path / "out", facts=FACTS)

    def test_a_result_of_this_program(self, tmp_path):
        with pytest.raises(InputError, match="source is a result of medidiff"):
            written(tmp_path / "again", read(written(tmp_path)))

    def test_no_sources(self, tmp_path):
        with pytest.raises(InputError, match="no source slices"):
            write_derived_series(thick_and_fine()[1], [], tmp_path / "out", facts=FACTS)

    def test_an_error_of_a_library_does_not_repeat_the_header(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "derivation", lambda facts: (_ for _ in ()).throw(ValueError(NAME)))
        with pytest.raises(InputError, match="ValueError") as refusal:
            written(tmp_path)
        assert NAME not in str(refusal.value)


@PRESENT
@pytest.mark.parametrize(
    "tags",
    [
        {"BodyPartExamined": ""},
        {"ScanOptions": "CG"},
        {"ScanOptions": ["CG", "FS"]},
        {"InversionTime": "900"},
        {"ScanningSequence": "IR"},
        dict.fromkeys(["ScanningSequence", "SequenceVariant", "EchoTime", "RepetitionTime", "Manufacturer"]),
    ],
    ids=str,
)
def test_validators_report_no_error_where_the_source_is_odd(tags, tmp_path):
    first = written(tmp_path, classic(grid(), **tags))[0]
    told = subprocess.run(["dciodvfy", str(first)], capture_output=True, text=True)
    assert "Error" not in told.stdout + told.stderr


@PRESENT
@pytest.mark.parametrize(("stack", "scale"), [*((stack, 2.0) for stack in STACKS), ("axial", 1e-3)])
@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_validators_report_no_error(kind, stack, scale, tmp_path):
    thick, volume = thick_and_fine(stack, scale)
    sources = classic(thick) if kind == "classic" else [enhanced(thick)]
    paths = write_derived_series(volume, sources, tmp_path / "out", facts=FACTS)
    first, *_, last = map(str, paths)
    for command in (["dciodvfy", first], ["dciodvfy", last], ["dcentvfy", *map(str, paths)]):
        told = subprocess.run(command, capture_output=True, text=True)
        assert "Error" not in told.stdout + told.stderr
        assert scale < 1 or "Warning" not in told.stdout + told.stderr
