"""What is found in a study folder, sorted by headers, and why some of it is not enhanced."""

import shutil

import pytest
from pydicom import Dataset
from pydicom.uid import (
    CTImageStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from medidiff.io import Selection, discover, explore
from tests.dicoms import AXIAL, SAGITTAL, Plan, changed, enhanced, item, save, slices, uid, values, write
from tests.io.dicom.reading import scanned, stacks, volume


def refusals(folder):
    (series,), _ = scanned(folder)
    return {series.refusal, *(stack.refusal for stack in series.stacks)} - {""}


def series_of(kind, **tags):
    """The slices of a series that claim to be another kind of object."""
    return slices(Plan(values((6, 5, 4))), SOPClassUID=kind, **tags)


def typed(*words):
    return series_of(MRImageStorage, ImageType=list(words))


def tiled():
    return series_of(MRImageStorage, DimensionOrganizationType="TILED_FULL")


NAMED = [
    (series_of(CTImageStorage, Modality="CT"), "not an MR image: CT Image"),
    (series_of(EnhancedSRStorage, Modality="SR"), "not an MR image: Enhanced SR"),
    (series_of(EncapsulatedPDFStorage, Modality="DOC"), "not an MR image: Encapsulated PDF"),
    (series_of(SegmentationStorage, Modality="SEG"), "not an MR image: Segmentation"),
    (series_of(SecondaryCaptureImageStorage), "not an MR image: Secondary Capture Image"),
    (series_of(MediaStorageDirectoryStorage), "the index of a disc (DICOMDIR)"),
    (series_of(uid(5, 5)), "not an MR image: modality MR"),
    (typed("ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"), "a mosaic: its slices are tiles of one image"),
    (tiled(), "tiled: its frames are tiles of one image"),
    (typed("ORIGINAL", "PRIMARY", "LOCALIZER"), "a localizer"),
    (series_of(MRImageStorage, SeriesDescription="AAHead_Scout_64ch"), "a localizer"),
    (series_of(MRImageStorage, SeriesDescription="3-plane loc"), "a localizer"),
    (typed("DERIVED", "PRIMARY", "DIFFUSION", "ADC"), "a derived map (ADC)"),
    (typed("DERIVED", "PRIMARY", "T2 MAP"), "a derived map (T2 MAP)"),
    (typed("DERIVED", "PRIMARY", "ASL", "RELCBF"), "a derived map (RELCBF)"),
    (typed("DERIVED", "SECONDARY", "MPR"), "reformatted (MPR), not measured slices"),
    (typed("DERIVED", "PRIMARY", "MIP"), "a maximum intensity projection"),
    (typed("ORIGINAL", "PRIMARY", "PROJECTION IMAGE"), "a projection"),
    (typed("DERIVED", "SECONDARY", "OTHER"), "made from other images (DERIVED, SECONDARY)"),
    (typed("ORIGINAL", "PRIMARY", "PHASE MAP", "P"), "a phase image: its values wrap around"),
    (typed("ORIGINAL", "PRIMARY", "R"), "the real part of a complex image"),
    (series_of(MRImageStorage, PhotometricInterpretation="MONOCHROME1"), "stored as MONOCHROME1, not MONOCHROME2"),
    (series_of(MRImageStorage, SamplesPerPixel=3, PhotometricInterpretation="RGB"), "a colour image"),
]


@pytest.mark.parametrize(("objects", "reason"), NAMED, ids=[reason[:40] for _, reason in NAMED])
def test_what_is_not_enhanced_is_refused_by_name(objects, reason, tmp_path):
    write(objects, tmp_path)
    (told,) = refusals(tmp_path)
    assert told.startswith(reason)
    found, skipped = discover([tmp_path])
    assert not found
    assert told in {each.reason for each in skipped}


@pytest.mark.parametrize(
    "words",
    [
        ("ORIGINAL", "PRIMARY", "M", "ND", "NORM"),
        ("DERIVED", "PRIMARY", "M", "DIS2D"),
        ("ORIGINAL", "PRIMARY", "M_SE", "M", "SE"),
        ("ORIGINAL", "PRIMARY", "MPR"),
        ("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"),
        ("ORIGINAL", "PRIMARY"),
        (),
    ],
)
def test_ordinary_images_are_not_refused(words, tmp_path):
    write(typed(*words), tmp_path)
    assert not refusals(tmp_path)
    assert len(discover([tmp_path])[0]) == 1


def test_a_derived_frame_type_of_an_enhanced_object_is_refused(tmp_path):
    whole = enhanced([Plan(values((6, 5, 4)))])
    kind = item(FrameType=["DERIVED", "PRIMARY", "DIFFUSION", "ADC"], ComplexImageComponent="MAGNITUDE")
    for frame in whole.PerFrameFunctionalGroupsSequence:
        changed(frame, MRImageFrameTypeSequence=[kind])
    write([whole], tmp_path)
    assert refusals(tmp_path) == {"a derived map (ADC)"}


def test_a_study_is_sorted_by_headers_whatever_the_files_are_called(tmp_path):
    for number, orientation in ((3, AXIAL), (5, SAGITTAL), (12, AXIAL)):
        write(slices(Plan(values(), orientation, number=number)), tmp_path / str(number), names="{:08d}")
    (tmp_path / "flat").mkdir()
    files = [path for path in sorted(tmp_path.rglob("*")) if path.is_file()]
    for place, path in enumerate(files[::-1]):
        shutil.move(path, tmp_path / "flat" / f"MR{place:03d}.dcm")
    series, strays = scanned(tmp_path / "flat")
    assert not strays
    assert [each.number for each in series] == [3, 5, 12]
    assert [len(each.stacks[0].frames) for each in series] == [5, 5, 5]


def test_twins_of_a_series_classic_and_enhanced_are_two(tmp_path):
    plan = Plan(values())
    write([*slices(plan), enhanced([plan])], tmp_path)
    series, _ = scanned(tmp_path)
    assert {each.kind for each in series} == {"classic", "enhanced"}
    assert len({each.label for each in series}) == 2


def test_stray_files_do_not_hinder_and_are_told_where_they_matter(tmp_path):
    write(slices(Plan(values())), tmp_path / "study")
    (tmp_path / "study" / "readme").write_text("hello")
    (tmp_path / "study" / "viewer.exe").write_bytes(b"MZ" + bytes(2000))
    (tmp_path / "study" / "empty").write_bytes(b"")
    broken = bytes(128) + b"DICM" + bytes(50)
    (tmp_path / "study" / "broken").write_bytes(broken)
    found, skipped = discover([tmp_path])
    assert len(found) == 1
    assert len(skipped) == 1
    assert skipped[0].path.name.startswith("file-")


@pytest.mark.parametrize("length", [0, 131, 140, 300, 700])
def test_an_object_cut_short_anywhere_in_its_header_is_no_crash(length, tmp_path):
    (path, *_) = write(slices(Plan(values())), tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    discover([tmp_path])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=lambda each: each.name)
def test_objects_without_a_preamble_are_read(syntax, tmp_path):
    plan = Plan(values())
    for path in write(slices(plan), tmp_path, syntax):
        whole = path.read_bytes()
        path.write_bytes(whole[whole.index(b"\x08\x00\x08\x00") :])
    assert (volume(tmp_path).array == plan.values).all()


def test_a_dicomdir_is_told_by_its_records(tmp_path):
    index = Dataset()
    index.SOPClassUID, index.SOPInstanceUID = MediaStorageDirectoryStorage, uid(8)
    index.DirectoryRecordSequence = []
    save(index, tmp_path / "DICOMDIR")
    write(slices(Plan(values())), tmp_path)
    found, skipped = discover([tmp_path])
    assert len(found) == 1
    assert [each.reason for each in skipped] == ["the index of a disc (DICOMDIR)"]


def test_nothing_is_lost_between_objects_and_volumes(tmp_path):
    for n in range(4):
        write(slices(Plan(values(), number=3 + n // 2), instance=1 + 10 * n, EchoTime=5 * (n + 1)), tmp_path / str(n))
    series, _ = scanned(tmp_path)
    assert sum(len(stack.frames) for each in series for stack in each.stacks) == 20


class TestSelection:
    """``--select``."""

    @pytest.fixture
    def study(self, tmp_path):
        for number, (description, spacing) in enumerate((("T1 MPRAGE", 1.0), ("T2 FLAIR tra", 5.0), ("DWI", 4.0)), 1):
            plan = Plan(values(), number=number, spacing=(1, 1, spacing))
            write(slices(plan, SeriesDescription=description), tmp_path / str(number))
        return tmp_path

    @pytest.mark.parametrize(
        ("rules", "numbers"),
        [
            ([], {1, 2, 3}),
            (["modality=MR"], {1, 2, 3}),
            (["modality=CT"], set()),
            (["description=flair|dwi"], {2, 3}),
            (["spacing=4.5-"], {2}),
            (["spacing=-4"], {1, 3}),
            (["spacing=2-4.5"], {3}),
            (["description=T", "spacing=3-6"], {2}),
        ],
    )
    def test_all_rules_must_hold(self, rules, numbers, study):
        found, skipped = discover([study], selection=Selection.parse(rules))
        assert {each.stack.series.number for each in found if each.stack} == numbers
        assert len(skipped) == 3 - len(numbers)
        assert all(each.reason.startswith("not selected") for each in skipped)

    @pytest.mark.parametrize("rule", ["", "size=3", "description=(", "spacing=a-b", "spacing=-", "modality"])
    def test_a_rule_that_makes_no_sense_is_refused(self, rule):
        from medidiff.errors import UsageError

        with pytest.raises(UsageError, match="--select"):
            Selection.parse([rule])

    @pytest.mark.parametrize("kind", ["description", "spacing", "modality"])
    def test_two_rules_of_a_kind_are_refused_as_neither_would_be_seen_to_win(self, kind):
        from medidiff.errors import UsageError

        with pytest.raises(UsageError, match=f"two rules for {kind}"):
            Selection.parse([f"{kind}=1-2", f"{kind}=3-4"])

    @pytest.mark.parametrize(("rule", "count"), [("spacing=3-5", 1), ("spacing=5-", 0)])
    def test_an_irregular_series_is_judged_by_the_grid_it_is_put_onto(self, rule, count, tmp_path):
        write(slices(Plan(values()))[:2] + slices(Plan(values()))[3:], tmp_path)
        assert len(discover([tmp_path], selection=Selection.parse([rule], allow_irregular=True))[0]) == count

    def test_a_series_with_a_fault_is_kept_so_that_the_fault_is_told(self, tmp_path):
        write(slices(Plan(values()))[::3] + slices(Plan(values()))[4:], tmp_path)
        assert len(discover([tmp_path], selection=Selection.parse(["spacing=3-5"]))[0]) == 1


def test_without_the_extra_dicom_is_told_and_all_else_goes_on(tmp_path, monkeypatch):
    import sys

    from tests.bad_files import good

    write(slices(Plan(values())), tmp_path / "dicom")
    good(tmp_path / "a.nii.gz")
    monkeypatch.setitem(sys.modules, "medidiff.io.dicom", None)
    contents = explore([tmp_path])
    assert [each.stem.name for each in contents.images] == ["a"]
    assert "pip install 'medidiff[dicom]'" in contents.skipped[0].reason


def test_labels_are_hashes_and_numbers(tmp_path):
    write(slices(Plan(values(), number=7)), tmp_path)
    (label,) = [stack.label for stack in stacks(tmp_path).values()]
    study, name = label.split("/")
    assert len(study) == 8
    assert name.startswith("0007_")
