"""``inspect`` and ``enhance`` on study folders: what is shown, what is made, and what is told to nobody."""

import json
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medidiff.errors import OutputError
from medidiff.io import read_nifti, read_sidecar, write_nifti
from medidiff.io.dicom import read_stack, scan
from medidiff.io.source import Source
from medidiff.volume import Volume
from tests.bad_files import good
from tests.batch.running import RECORDS
from tests.dicoms import SAGITTAL, Plan, changed, slices, values, write

SECRETS = ("doe", "jane", r"(?<![0-9a-z.])4711(?!\.?[0-9a-z])", "19570429", "20240229", "A-77")
"""Of the planted patient: name, id (as a whole: 8.4711 s names nobody), birth date, study date, accession number."""


@pytest.fixture
def study(tmp_path):
    """A folder as it comes from a disc, named after its patient, with more in it than images."""
    folder = tmp_path / "DOE^JANE_19570429"
    described = {"SeriesDescription": "T2 TSE Doe Jane", "ProtocolName": "t2 HOSP-4711", "AccessionNumber": "A-77"}
    write(slices(Plan(values((8, 9, 6)), number=3), **described), folder / "JaneDoe" / "S3")
    echoes = [ds for n in (1, 2) for ds in slices(Plan(values((8, 9, 6), n), SAGITTAL, number=4), 10 * n, EchoTime=n)]
    write(echoes, folder / "JaneDoe" / "S4")
    write(slices(Plan(values((8, 9, 3)), number=1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), folder / "loc")
    lacking = slices(Plan(values((8, 9, 6)), number=5))
    write([*lacking[:2], *lacking[3:]], folder / "doe_series5")
    short = slices(Plan(values((8, 9, 6)), number=6))
    short[3].PixelData = short[3].PixelData[:10]
    write(short, folder / "doe_series6")
    (folder / "doe_jane.mgz").write_bytes(b"x")
    (folder / "doe_jane_broken.dcm").write_bytes(bytes(128) + b"DICM" + bytes(60))
    (folder / "doe_jane.zip").write_bytes(b"PK\x03\x04" + bytes(60))
    return folder


def secrets_in(text):
    return {secret for secret in SECRETS if re.search(secret, text, re.IGNORECASE)}


@pytest.mark.parametrize("text", ["t2 HOSP-4711.", "x_4711_y", "1.2.20240229.3", "JaneDoe", "(4711)"])
def test_a_secret_is_found(text):
    assert secrets_in(text)


@pytest.mark.parametrize("text", ["8.4711", "seconds: 1.24711e-05", "4711.25", "a4711b"])
def test_a_number_that_holds_the_digits_of_an_id_is_no_secret(text):
    assert not secrets_in(text)


class TestInspect:
    """A table of every series."""

    def test_every_series_and_volume_has_a_row_and_a_verdict(self, cli, study):
        told = json.loads(cli("inspect", study, "--json").stdout)
        rows = {(re.sub(r".*/(\d+)_.*", r"\1", row["series"]), row["volume"]): row for row in told["series"]}
        assert {key: row["enhance"] for key, row in rows.items()} == {
            ("0001", ""): False,
            ("0003", ""): True,
            ("0004", "e1"): True,
            ("0004", "e2"): True,
            ("0005", ""): False,
            ("0006", ""): True,
        }
        assert rows["0001", ""]["reason"] == "a localizer"
        assert "1 lacking between -36.00 and -28.00 mm" in rows["0005", ""]["reason"]
        assert rows["0003", ""]["shape"] == [8, 9, 6]
        assert rows["0003", ""]["spacing_mm"] == pytest.approx([1, 1.25, 4])
        assert (rows["0003", ""]["objects"], rows["0003", ""]["thickness_mm"]) == (6, 4)

    def test_the_table_tells_the_same(self, cli, study):
        result = cli("inspect", study)
        head, *rows = result.stdout.splitlines()
        assert head.split()[:3] == ["series", "volume", "description"]
        assert len([row for row in rows if re.match(r"[0-9a-f]{8}/\d{4}_[0-9a-f]{8}  ", row)]) == 6
        assert result.exit_code == 0

    def test_select_says_which_are_not_wanted(self, cli, study):
        told = json.loads(cli("inspect", study, "--json", "--select", "description=t2 TSE").stdout)
        assert [row["series"].split("_")[0][-4:] for row in told["series"] if row["enhance"]] == ["0003"]
        assert any(row["reason"] == "not selected: description" for row in told["series"])

    @pytest.mark.parametrize("options", [(), ("--json",)])
    def test_nobody_is_named(self, options, cli, study):
        result = cli("inspect", study, *options)
        assert not secrets_in(result.stdout + result.stderr)

    def test_names_and_folders_are_shown_when_asked_for(self, cli, study):
        told = json.loads(cli("inspect", study, "--json", "--show-phi").stdout)["series"][0]
        assert (told["patient"], told["patient_id"], told["date"]) == ("Doe^Jane", "HOSP-4711", "20240229")
        assert told["folders"] == [str(study / "loc")]
        assert "Doe^Jane" in cli("inspect", study, "--show-phi").stdout

    def test_dicom_beside_nifti(self, cli, study):
        good(study / "scan.nii.gz")
        told = json.loads(cli("inspect", study, "--json").stdout)
        assert len(told["images"]) == 1
        assert len(told["series"]) == 6

    def test_a_folder_without_an_image_of_use_is_code_3(self, cli, tmp_path):
        write(slices(Plan(values()), SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22", Modality="SR"), tmp_path)
        result = cli("inspect", tmp_path)
        assert result.exit_code == 3
        assert "Enhanced SR" in result.stdout

    def test_a_rule_that_makes_no_sense_is_usage(self, cli, study):
        result = cli("inspect", study, "--select", "size=3")
        assert result.exit_code == 2
        assert "no such rule" in result.stderr


class TestEnhance:
    """Study folder in, NIfTI out."""

    def test_volumes_become_images_named_by_hashes(self, cli, calls, study, tmp_path):
        result = cli("enhance", "--format", "nifti", "-i", study, "-o", tmp_path / "out")
        assert result.exit_code == 5, result.stderr
        images = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.nii.gz"))
        assert [re.sub(r"[0-9a-f]{8}", "#", str(image)) for image in images] == [
            "#/0003_#_enhanced.nii.gz",
            "#/0004_#_e1_enhanced.nii.gz",
            "#/0004_#_e2_enhanced.nii.gz",
        ]
        thick = read_nifti(tmp_path / "out" / images[0])
        np.testing.assert_array_equal(thick.array[..., ::2], values((8, 9, 6)))
        np.testing.assert_allclose(thick.geometry.affine[:2, 3], [20, 30])

    def test_faults_are_recorded_as_failures_and_the_rest_goes_on(self, cli, calls, study, tmp_path):
        result = cli("enhance", "--format", "nifti", "-i", study, "-o", tmp_path / "out", "-v")
        assert "missing slices (found 1 lacking between -36.00 and -28.00 mm" in result.stderr
        assert "cut short or damaged" in result.stderr
        assert "a localizer" in result.stderr
        assert "3 done, 2 failed" in result.stderr

    @pytest.mark.parametrize(("form", "files"), [("nifti", 3 * 3 + 5), ("dicom", 3 + 5), ("both", 3 * 3 + 5)])
    def test_nobody_is_named_in_anything_written_or_shown(self, form, files, cli, calls, study, tmp_path):
        out = tmp_path / "out"
        command = ("enhance", "--format", form, "-i", study, "-o", out, "--samples", 2)
        results = [cli(*command, "-v"), cli(*command, "--dry-run", "-v"), cli(*command)]
        assert results[0].exit_code == 5, "there are failures among them"
        shown = "".join(result.stdout + result.stderr for result in results)
        assert not secrets_in(shown.replace(str(tmp_path), ""))
        assert not any(secrets_in(str(path.relative_to(out))) for path in out.rglob("*"))
        written = [path for path in out.rglob("*") if path.is_file() and path.suffix != ".dcm"]
        written.remove(out / "private.json")
        assert len(written) == files
        for path in written:
            text = path.read_bytes().decode("latin-1").replace(str(tmp_path), "")
            assert path.suffix == ".gz" or not secrets_in(text), path
        for path in out.rglob("*.nii.gz"):
            assert not secrets_in(read_header_text(path))

    def test_the_private_record_alone_tells_which_is_which(self, cli, calls, study, tmp_path):
        cli("enhance", "--format", "nifti", "-i", study, "-o", tmp_path / "out")
        path = tmp_path / "out" / "private.json"
        assert path.stat().st_mode & 0o777 == 0o600
        told = json.loads(path.read_text())["volumes"]
        assert len(told) == 5
        assert any(str(study / "JaneDoe" / "S3") in volume["folders"] for volume in told.values())
        assert all(volume["series_uid"] for volume in told.values())

    def test_the_physics_is_told_thickness_and_gap(self, cli, calls, tmp_path):
        write(slices(Plan(values((8, 9, 6))), SliceThickness=3), tmp_path / "in")
        cli("enhance", "--format", "nifti", "-i", tmp_path / "in", "-o", tmp_path / "out")
        volume = calls[1]["volume"]
        assert volume.meta["sidecar"]["SliceThickness"] == 3
        assert volume.geometry.spacing[2] == pytest.approx(4)

    def test_the_sidecar_has_bids_fields(self, cli, calls, study, tmp_path):
        result = cli(
            "enhance", "--format", "nifti", "-i", study, "-o", tmp_path / "out", "--select", "description=t2 tse"
        )
        told = read_sidecar(next((tmp_path / "out").rglob("0003*.nii.gz")))
        assert (told["RepetitionTime"], told["EchoTime"], told["Manufacturer"]) == (4, 0.09, "Siemens")
        assert "SliceThickness" not in told, "it is not true of the result"
        assert result.exit_code == 0

    def test_a_second_run_finds_everything_done_and_a_changed_object_is_done_again(self, cli, calls, tmp_path):
        paths = write(slices(Plan(values((8, 9, 6)))), tmp_path / "in")
        command = ("enhance", "--format", "nifti", "-i", tmp_path / "in", "-o", tmp_path / "out")
        assert "1 done;" in cli(*command).stderr
        assert "1 done before;" in cli(*command).stderr
        paths[0].write_bytes(paths[0].read_bytes()[:-2] + b"\1\2")
        assert "1 done;" in cli(*command).stderr

    def test_irregular_series_are_resampled_on_request(self, cli, calls, study, tmp_path):
        options = ("--allow-irregular", "--select", "description=tra")
        result = cli("enhance", "--format", "nifti", "-i", study / "doe_series5", "-o", tmp_path / "out", *options)
        assert result.exit_code == 0
        assert "resampled along the slice axis onto 6 slices" in result.stderr

    def test_a_dry_run_writes_nothing_and_tells_the_grid(self, cli, calls, study, tmp_path):
        result = cli("enhance", "--format", "nifti", "-i", study, "-o", tmp_path / "out", "--dry-run")
        assert result.exit_code == 0
        assert not (tmp_path / "out").exists()
        assert re.search(r"0003_[0-9a-f]{8} -> .*_enhanced.nii.gz \(", result.stdout)
        assert "missing slices" in result.stdout

    def test_folders_are_shown_when_asked_for(self, cli, calls, study, tmp_path):
        result = cli("enhance", "--format", "nifti", "-i", study, "-o", tmp_path / "out", "--show-phi", "-v")
        assert str(study / "JaneDoe" / "S3") in result.stderr

    def test_an_unexpected_error_tells_its_kind_alone(self, cli, calls, study, tmp_path, monkeypatch):
        def broken(*_, **__):
            raise RuntimeError(f"cannot read {study}")

        monkeypatch.setattr("medidiff.io.dicom.read_stack", broken)
        result = cli("enhance", "--format", "nifti", "-i", study, "-o", tmp_path / "out")
        assert result.exit_code == 4
        assert "unexpected RuntimeError; --debug shows more" in result.stderr
        assert not secrets_in(result.stderr.replace(str(tmp_path), ""))

    def test_a_single_object_and_an_archive_are_inputs_too(self, cli, calls, tmp_path):
        import zipfile

        paths = write(slices(Plan(values((8, 9, 6)))), tmp_path / "in")
        with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
            for path in paths:
                archive.write(path, path.name)
        result = cli("enhance", "--format", "nifti", "-i", tmp_path / "study.zip", "-o", tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        assert "missing" not in cli("inspect", paths[0]).stderr
        assert "only one slice" in cli("inspect", paths[0]).stdout


def test_simulate_makes_thick_slices_of_series(cli, tmp_path):
    write(slices(Plan(values((8, 9, 20)), spacing=(1, 1, 1))), tmp_path / "in")
    result = cli("simulate", "thick-slices", "-i", tmp_path / "in", "-o", tmp_path / "out", "--spacing", 5)
    assert result.exit_code == 0, result.stderr
    told = read_sidecar(next((tmp_path / "out").rglob("*.nii.gz")))
    assert (told["SliceThickness"], told["SpacingBetweenSlices"]) == (5, 5)


def test_more_than_one_patient_is_no_trouble(cli, tmp_path):
    for n in (1, 2):
        objects = slices(Plan(values((8, 9, 6), n)), StudyInstanceUID=f"1.2.{n}", SeriesInstanceUID=f"1.2.{n}.1")
        write([changed(ds, PatientName=f"P{n}") for ds in objects], tmp_path / "in" / str(n))
    assert len(json.loads(cli("inspect", tmp_path, "--json").stdout)["series"]) == 2


class TestFormats:
    """Derived series by default where DICOM came in; NIfTI where NIfTI did; both, or the other one, on request."""

    def test_a_study_becomes_derived_series_of_the_same_patient(self, cli, calls, study, tmp_path):
        out = tmp_path / "out"
        result = cli("enhance", "-i", study, "-o", out, "--samples", 2)
        assert result.exit_code == 5, result.stderr
        assert not list(out.rglob("*.nii.gz"))
        folders = [Path(line) for line in result.stdout.splitlines()]
        assert [re.sub(r"[0-9a-f]{8}", "#", str(path.relative_to(out))) for path in folders] == [
            "#/0003_#_dicom",
            "#/0004_#_e1_dicom",
            "#/0004_#_e2_dicom",
        ]
        slice_, map_ = (pydicom.dcmread(folders[0] / kind / "00001.dcm") for kind in ("enhanced", "uncertainty"))
        source = pydicom.dcmread(next((study / "JaneDoe" / "S3").iterdir()))
        for told in (slice_, map_):
            assert (told.PatientID, told.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)
            assert "RESEARCH USE" in told.SeriesDescription
            assert told.SeriesInstanceUID != source.SeriesInstanceUID
        assert len(list((folders[0] / "enhanced").iterdir())) == 12

    def test_both_formats_hold_the_same_image_at_the_same_place(self, cli, calls, tmp_path):
        write(slices(Plan(values((8, 9, 6)))), tmp_path / "in")
        result = cli("enhance", "-i", tmp_path / "in", "-o", tmp_path / "out", "--format", "both")
        image, folder = (Path(line) for line in result.stdout.splitlines())
        nifti, (found,) = read_nifti(image), scan([Source(path) for path in (folder / "enhanced").iterdir()])[0]
        derived = read_stack(found.stacks[0])
        corners = np.array([[0, 0, 0], [7, 8, 11]])
        index = np.round(derived.geometry.index(nifti.geometry.world(corners))).astype(int)
        for here, there in zip(corners, index, strict=True):
            assert derived.array[tuple(there)] == pytest.approx(nifti.array[tuple(here)], abs=0.5)

    def test_a_second_run_finds_the_series_and_a_lost_object_is_made_again(self, cli, calls, tmp_path):
        write(slices(Plan(values((8, 9, 6)))), tmp_path / "in")
        command = ("enhance", "-i", tmp_path / "in", "-o", tmp_path / "out")
        folder = Path(cli(*command).stdout.strip()) / "enhanced"
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert "1 done before;" in cli(*command).stderr
        (folder / "00001.dcm").unlink()
        assert "1 done;" in cli(*command).stderr
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    def test_what_another_format_left_is_removed_once_it_is_old(self, cli, calls, tmp_path):
        write(slices(Plan(values((8, 9, 6)))), tmp_path / "in")
        command = ("enhance", "-i", tmp_path / "in", "-o", tmp_path / "out")
        folder = Path(cli(*command).stdout.strip())
        image = Path(cli(*command, "--format", "nifti", "--seed", 2).stdout.strip())
        assert not folder.exists()
        assert folder == Path(cli(*command).stdout.strip())
        assert not image.exists()

    def test_a_folder_of_others_is_not_touched(self, cli, calls, tmp_path):
        write(slices(Plan(values((8, 9, 6)))), tmp_path / "in")
        command = ("enhance", "-i", tmp_path / "in", "-o", tmp_path / "out")
        folder = Path(cli(*command).stdout.strip())
        (folder / "notes.txt").write_text("mine")
        result = cli(*command, "--force")
        assert result.exit_code == 4
        assert "holds more than medidiff wrote" in result.stderr
        assert (folder / "notes.txt").read_text() == "mine"
        assert (folder / "enhanced" / "00001.dcm").exists()

    def test_a_failure_while_writing_leaves_nothing_of_the_case(self, cli, calls, tmp_path, monkeypatch):
        def full(*_, **__):
            raise OutputError("cannot be written", found="No space left on device")

        write(slices(Plan(values((8, 9, 6)))), tmp_path / "in")
        monkeypatch.setattr("medidiff.batch.store.write_json", full)
        result = cli("enhance", "-i", tmp_path / "in", "-o", tmp_path / "out", "--format", "both")
        assert result.exit_code == 4
        left = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
        assert left == {*RECORDS, "private.json", ".medidiff.lock"}

    def test_nifti_without_a_patient_is_refused_before_the_work(self, cli, calls, tmp_path):
        good(tmp_path / "a.nii.gz")
        result = cli("enhance", "-i", tmp_path / "a.nii.gz", "-o", tmp_path / "out", "--format", "dicom")
        assert result.exit_code == 2
        assert "has no patient" in result.stderr
        assert "--dicom-template" in result.stderr
        assert not (tmp_path / "out").exists()

    def test_a_template_gives_nifti_its_patient(self, cli, calls, tmp_path):
        write(slices(Plan(values((8, 9, 6)))), tmp_path / "series")
        cli("enhance", "-i", tmp_path / "series", "-o", tmp_path / "nifti", "--format", "nifti")
        (image,) = (tmp_path / "nifti").rglob("*.nii.gz")
        image = image.rename(tmp_path / "scan.nii.gz")
        thick = read_nifti(image)
        write_nifti(Volume(thick.array[..., ::2], thick.geometry.reshaped((8, 9, 6))), image, description="converted")
        command = ("enhance", "-i", image, "-o", tmp_path / "out", "--format", "dicom", "--dicom-template")
        result = cli(*command, tmp_path / "series")
        assert result.exit_code == 0, result.stderr
        folder = Path(result.stdout.strip())
        assert folder.name == "scan_dicom"
        assert pydicom.dcmread(folder / "enhanced" / "00001.dcm").PatientID == "HOSP-4711"
        assert "1 done before;" in cli(*command, tmp_path / "series").stderr

    def test_a_template_from_elsewhere_is_refused(self, cli, calls, tmp_path):
        write(slices(Plan(values((8, 9, 6)))), tmp_path / "series")
        good(tmp_path / "a.nii.gz", (40, 40, 40), (5, 5, 6))
        command = ("enhance", "-i", tmp_path / "a.nii.gz", "-o", tmp_path / "out", "--format", "dicom")
        result = cli(*command, "--dicom-template", tmp_path / "series")
        assert result.exit_code == 4
        assert "lies elsewhere than the DICOM template" in result.stderr
        assert "super_resolve" not in str(calls)

    def test_a_template_of_several_volumes_is_refused(self, cli, calls, study, tmp_path):
        good(tmp_path / "a.nii.gz")
        result = cli("enhance", "-i", tmp_path / "a.nii.gz", "-o", tmp_path / "out", "--dicom-template", study)
        assert result.exit_code == 2
        assert "not one volume" in result.stderr


def read_header_text(path):
    import gzip

    return gzip.decompress(path.read_bytes())[:352].decode("latin-1")
