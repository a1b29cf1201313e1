"""What hospitals' folders bring: odd names, mixed patients, lost objects, several volumes of one series."""

import json
import os
import re
from pathlib import Path

import pydicom
import pytest

from tests.bad_files import good
from tests.dicoms import Plan, changed, slices, values, write

SHAPE = (8, 9, 6)


@pytest.fixture
def series(tmp_path):
    """A folder of one good series."""
    write(slices(Plan(values(SHAPE))), tmp_path / "in")
    return tmp_path / "in"


@pytest.fixture
def echoes(tmp_path):
    """A folder of one series with two echoes."""
    both = [ds for n in (1, 2) for ds in slices(Plan(values(SHAPE, n), number=4), 10 * n, EchoTime=n)]
    write(both, tmp_path / "echoes")
    return tmp_path / "echoes"


def numbers(out):
    """Series number of every folder of objects."""
    headers = [pydicom.dcmread(path) for path in sorted(out.rglob("00001.dcm"))]
    return [(str(header.Modality), int(header.SeriesNumber)) for header in headers]


class TestNames:
    """Names of files and folders, which nobody chose with this program in mind."""

    @pytest.fixture
    def latin(self, tmp_path, series):
        """A folder named in an encoding other than UTF-8, as discs from older systems have them."""
        return series.rename(Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller")))

    def test_a_name_that_is_no_utf8_is_no_trouble(self, cli, calls, latin, tmp_path):
        result = cli("enhance", "-i", latin, "-o", tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        (volume,) = json.loads((tmp_path / "out" / "private.json").read_text())["volumes"].values()
        assert volume["folders"] == [str(latin)]

    @pytest.mark.parametrize("options", [("--show-phi",), ("--show-phi", "--json")])
    def test_it_is_shown_as_it_is(self, options, cli, latin):
        result = cli("inspect", latin, *options)
        assert result.exit_code == 0
        assert "ller" in result.stdout

    def test_nifti_keeps_it(self, cli, calls, latin, tmp_path):
        good(latin / os.fsdecode(b"t\xe9te.nii.gz"))
        result = cli("enhance", "-i", latin, "-o", tmp_path / "out", "-v", "--format", "nifti")
        assert result.exit_code == 0, result.stderr
        assert (tmp_path / "out" / os.fsdecode(b"t\xe9te_enhanced.nii.gz")).exists()
        assert b"t\xe9te" in (tmp_path / "out" / "cases.csv").read_bytes()

    def test_the_end_of_a_name_is_not_taken_for_a_suffix(self, cli, calls, series, tmp_path):
        (series / "jane.doe").write_bytes(bytes(128) + b"DICM" + bytes(60))
        (series / "x.doe").write_bytes(b"PK\x03\x04" + bytes(60))
        result = cli("enhance", "-i", series, "-o", tmp_path / "out", "-v")
        told = result.stderr + (tmp_path / "out" / "run.json").read_text()
        assert len(re.findall(r"file-[0-9a-f]{8}:", result.stderr)) == 2
        assert "doe" not in told.replace(str(tmp_path), "")

    def test_the_image_without_a_patient_is_named(self, cli, calls, series, tmp_path):
        good(series / "scan7.nii.gz")
        result = cli("enhance", "-i", series, "-o", tmp_path / "out", "--format", "both")
        assert result.exit_code == 2
        assert "scan7.nii.gz: a NIfTI file has no patient" in result.stderr


class TestBelonging:
    """Slices that do not belong together never become one image, in either format, and are refused before the work."""

    @pytest.mark.parametrize("form", ["nifti", "dicom"])
    @pytest.mark.parametrize(
        ("keyword", "plural"), [("PatientID", "patients"), ("FrameOfReferenceUID", "frames of reference")]
    )
    def test_slices_of_two_are_refused(self, keyword, plural, form, cli, calls, tmp_path):
        mixed = [changed(ds, **{keyword: f"1.{n % 2}"}) for n, ds in enumerate(slices(Plan(values(SHAPE))))]
        write(mixed, tmp_path / "in")
        result = cli("enhance", "-i", tmp_path / "in", "-o", tmp_path / "out", "--format", form)
        assert result.exit_code == 4
        assert f"source slices of several {plural} (found 2, needed one)" in result.stderr
        assert len(calls) == 1, "the model is loaded, the work is not begun"

    def test_a_series_that_cannot_be_derived_from_is_refused_before_the_work(self, cli, calls, tmp_path):
        write(slices(Plan(values(SHAPE)), SeriesInstanceUID=None), tmp_path / "in")
        result = cli("enhance", "-i", tmp_path / "in", "-o", tmp_path / "out")
        assert "source slice without SeriesInstanceUID" in result.stderr
        assert len(calls) == 1

    def test_a_folder_of_others_is_found_before_the_work_even_by_force(self, cli, calls, series, tmp_path):
        command = ("enhance", "-i", series, "-o", tmp_path / "out")
        folder = Path(cli(*command).stdout.strip())
        (folder / "notes.txt").write_text("mine")
        begun = len(calls)
        assert "holds more than medidiff wrote" in cli(*command, "--force").stderr
        assert len(calls) == begun + 1


class TestDamage:
    """A header that makes no sense spoils its own series, and not the table of the study."""

    @pytest.fixture
    def flat(self, series):
        """A second series beside the good one, whose pixels have no width."""
        write(slices(Plan(values(SHAPE), number=5), PixelSpacing=[0, 1]), series / "flat")
        return series

    def test_inspect_goes_on(self, cli, flat):
        result = cli("inspect", flat, "--json", "--select", "spacing=1-")
        assert result.exit_code == 0, result.stderr
        good_one, bad_one = json.loads(result.stdout)["series"]
        assert (good_one["enhance"], bad_one["enhance"]) == (True, False)
        assert "pixel spacing is not above zero (found 6 of 6 slices)" in bad_one["reason"]

    def test_enhance_goes_on(self, cli, calls, flat, tmp_path):
        assert "6 of 6 slices" in cli("enhance", "-i", flat, "-o", tmp_path / "out", "--dry-run").stdout
        result = cli("enhance", "-i", flat, "-o", tmp_path / "out")
        assert result.exit_code == 5
        assert "unexpected" not in result.stderr

    @pytest.mark.parametrize("tag", [b"\x20\0\x11\0IS", b"\x08\0\x3e\x10LO", b"\x10\0\x20\0LO"])
    def test_an_element_that_cannot_be_understood_costs_its_object_alone(self, tag, cli, calls, series, tmp_path):
        path = write(slices(Plan(values(SHAPE), number=5)), series / "damaged")[2]
        assert tag in path.read_bytes()
        path.write_bytes(path.read_bytes().replace(tag, tag[:4] + b"I-"))
        result = cli("enhance", "-i", series, "-o", tmp_path / "out", "-v")
        assert "header cannot be understood" in result.stderr
        assert "missing slices" in result.stderr
        assert "1 done, 1 failed" in result.stderr

    def test_so_it_does_whatever_a_library_raises(self, cli, series, monkeypatch):
        def broken(*_, **__):
            raise ValueError("Doe^Jane")

        monkeypatch.setattr("medidiff.io.dicom.arrange._geometry", broken)
        result = cli("inspect", series)
        assert "slices cannot be put in their places (found ValueError)" in result.stdout
        assert "Doe" not in result.stdout + result.stderr


class TestResume:
    """Running the command again."""

    @pytest.mark.parametrize("lost", ["enhanced/00007.dcm", "enhanced/00001.dcm", "uncertainty/00001.dcm"])
    def test_any_lost_object_is_made_again(self, lost, cli, calls, series, tmp_path):
        command = ("enhance", "-i", series, "-o", tmp_path / "out", "--samples", 2)
        folder = Path(cli(*command).stdout.strip())
        before = (folder / lost).read_bytes()
        (folder / lost).unlink()
        assert "1 done;" in cli(*command).stderr
        assert (folder / lost).read_bytes() == before
        assert "1 done before;" in cli(*command).stderr

    @pytest.mark.parametrize("form", ["nifti", "dicom", "both"])
    def test_results_inside_the_input_folder_are_not_enhanced_again(self, form, cli, calls, series):
        for out in (series / "out", series, series / "out"):
            result = cli("enhance", "-i", series, "-o", out, "--format", form, "--samples", 2)
            assert result.exit_code == 0, result.stderr
            assert re.search(r"\n1 done( before)?; ", result.stderr)

    def test_volumes_of_one_series_are_told_apart_in_every_viewer(self, cli, calls, echoes, tmp_path):
        cli("enhance", "-i", echoes, "-o", tmp_path / "out", "--samples", 2)
        assert sorted(number for _, number in numbers(tmp_path / "out")) == [1004, 2004, 3004, 4004]

    def test_a_dry_run_tells_what_is_left_out(self, cli, calls, series, tmp_path):
        (series / "broken").write_bytes(bytes(128) + b"DICM" + bytes(60))
        result = cli("enhance", "-i", series, "-o", tmp_path / "out", "--dry-run")
        assert "1 left out" in result.stderr


class TestIrregular:
    """What ``--allow-irregular`` would do is seen before it is done."""

    @pytest.fixture
    def lacking(self, tmp_path):
        whole = slices(Plan(values(SHAPE)))
        write([*whole[:2], *whole[3:]], tmp_path / "in")
        return tmp_path / "in"

    def test_inspect_tells_the_grid_and_the_fault(self, cli, lacking):
        (row,) = json.loads(cli("inspect", lacking, "--json", "--allow-irregular").stdout)["series"]
        assert (row["enhance"], row["shape"]) == (True, [8, 9, 6])
        assert "missing slices" in row["warnings"][0]
        (row,) = json.loads(cli("inspect", lacking, "--json").stdout)["series"]
        assert not row["enhance"]
        assert "--allow-irregular" in row["reason"]

    def test_a_rule_on_spacing_holds_for_irregular_series_too(self, cli, calls, lacking, tmp_path):
        command = ("enhance", "-i", lacking, "-o", tmp_path / "out", "--allow-irregular", "--select")
        assert cli(*command, "spacing=10-").exit_code == 3
        assert cli(*command, "spacing=3-5").exit_code == 0


def test_simulate_takes_the_series_that_are_selected_and_writes_nifti(cli, tmp_path):
    sharp = Plan(values((8, 9, 20)), spacing=(1, 1, 1))
    write(slices(sharp, SeriesDescription="T1"), tmp_path / "in" / "a")
    write(slices(Plan(sharp.values, spacing=sharp.spacing, number=8)), tmp_path / "in" / "b")
    command = ("simulate", "thick-slices", "-i", tmp_path / "in", "-o", tmp_path / "out", "--spacing", 5)
    result = cli(*command, "--select", "description=^T1$")
    assert result.exit_code == 0, result.stderr
    assert [path.suffixes for path in map(Path, result.stdout.splitlines())] == [[".nii", ".gz"]]
