"""``medidiff reconstruct``, ``simulate kspace`` and ``inspect`` on k-space, from end to end."""

import json

import h5py
import nibabel as nib
import numpy as np
import pytest

from medidiff.io import read_nifti, write_nifti
from medidiff.io.kspace import read_kspace
from medidiff.volume import Volume
from tests.kspaces import as_cfl, as_fastmri, as_npy, kspace
from tests.physics.heads import grid, head
from tests.toy import PLANE_CARD, make_model


@pytest.fixture
def rawdata(tmp_path):
    """A folder of k-space, one file of it damaged."""
    folder = tmp_path / "rawdata"
    (folder / "sub").mkdir(parents=True)
    as_npy(kspace((48, 40, 1)), folder / "a.npy")
    as_fastmri(kspace(), folder / "sub" / "b.h5")
    (folder / "bad.cfl").write_bytes(b"nothing")
    return folder


@pytest.fixture
def sharp(tmp_path):
    """A folder with a magnitude image of a head."""
    (tmp_path / "sharp").mkdir()
    image = Volume(100 * head((48, 40, 6)).numpy(), grid((48, 40, 6)))
    write_nifti(image, tmp_path / "sharp" / "head.nii.gz", description="a head")
    return tmp_path / "sharp"


def test_a_folder_is_reconstructed_and_the_damaged_file_told_in_one_line(cli, rawdata, tmp_path):
    result = cli("reconstruct", "-i", rawdata, "-o", tmp_path / "out", "--device", "cpu", "--method", "cg-sense")
    assert result.exit_code == 5
    assert (tmp_path / "out" / "a_recon.nii.gz").exists()
    assert read_nifti(tmp_path / "out" / "sub" / "b_recon.nii.gz").array.shape == (48, 40, 2)
    failures = [line for line in result.stderr.splitlines() if "failed:" in line]
    assert len(failures) == 1
    assert "bad.hdr: no BART header" in failures[0]
    assert "Traceback" not in result.output


def test_finished_files_are_left_and_others_made_when_run_again(cli, rawdata, tmp_path):
    arguments = ("reconstruct", "-i", rawdata, "-o", tmp_path / "out", "--method", "zero-filled", "--device", "cpu")
    cli(*arguments)
    as_cfl(kspace((48, 40, 1)), rawdata / "bad.cfl")
    again = cli(*arguments)
    assert again.exit_code == 0
    assert "2 done before" in again.stderr
    assert "1 done" in again.stderr
    other = cli(*arguments[:-4], "--method", "cg-sense", "--device", "cpu")
    assert "3 done;" in other.stderr


def test_a_changed_bart_header_is_a_changed_input(cli, tmp_path):
    as_cfl(kspace((48, 40, 1)), tmp_path / "a.cfl")
    arguments = ("reconstruct", "-i", tmp_path / "a.cfl", "-o", tmp_path / "out", "--method", "zero-filled")
    cli(*arguments)
    (tmp_path / "a.hdr").write_text("# Dimensions\n40 48 1 4 1\n")
    assert "done before" not in cli(*arguments).stderr


def test_the_sidecar_tells_what_was_done(cli, rawdata, tmp_path):
    cli("reconstruct", "-i", rawdata / "a.npy", "-o", tmp_path / "out", "--device", "cpu", "--method", "cg-sense")
    told = json.loads((tmp_path / "out" / "a_recon.json").read_text())
    assert told["method"] == "cg-sense"
    assert told["kspace"]["acceleration"] == 2
    assert set(told["data_residual"]) == {"before", "after", "over_noise"}
    assert told["geometry_known"] is False
    assert any("position and orientation are made up" in line for line in told["warnings"])
    assert told["made_from"]["options"]["method"] == "cg-sense"


def test_a_dry_run_writes_nothing(cli, rawdata, tmp_path):
    result = cli("reconstruct", "-i", rawdata, "-o", tmp_path / "out", "--dry-run", "--method", "cg-sense")
    assert result.exit_code == 0
    assert "a_recon.nii.gz" in result.stdout
    assert not (tmp_path / "out").exists()


def test_a_folder_without_kspace_is_told(cli, sharp, tmp_path):
    result = cli("reconstruct", "-i", sharp, "-o", tmp_path / "out", "--method", "cg-sense")
    assert result.exit_code == 3
    assert "no k-space found" in result.stderr


def test_images_become_kspace_and_kspace_images_that_evaluate_pairs(cli, sharp, tmp_path):
    options = ("--coils", 6, "--acceleration", 2, "--calibration", 16, "--noise", 1, "--seed", 4)
    made = cli("simulate", "kspace", "-i", sharp, "-o", tmp_path / "raw", *options)
    assert made.exit_code == 0, made.stderr
    known = read_kspace(tmp_path / "raw" / "head.npz")
    assert known.data.shape == (6, 48, 40, 6)
    assert known.meta["noise_sd"] == 1
    done = cli("reconstruct", "-i", tmp_path / "raw", "-o", tmp_path / "out", "--method", "l1-wavelet")
    assert done.exit_code == 0, done.stderr
    image = read_nifti(tmp_path / "out" / "head_recon.nii.gz")
    assert image.geometry.allclose(read_nifti(sharp / "head.nii.gz").geometry)
    truth = 100 * head((48, 40, 6)).numpy()
    assert np.sum((image.array - truth) ** 2) < 0.05 * np.sum(truth**2)
    again = cli("simulate", "kspace", "-i", sharp, "-o", tmp_path / "raw", *options)
    assert "1 done before" in again.stderr


def test_kspace_of_others_is_not_written_over(cli, sharp, tmp_path):
    (tmp_path / "raw").mkdir()
    np.savez(tmp_path / "raw" / "head.npz", kspace=np.ones(3))
    result = cli("simulate", "kspace", "-i", sharp, "-o", tmp_path / "raw", "--calibration", 8)
    assert result.exit_code == 4
    assert "was not written by medidiff" in result.stderr


def test_results_are_not_enhanced_again(cli, rawdata, tmp_path):
    cli("reconstruct", "-i", rawdata / "a.npy", "-o", tmp_path / "out", "--method", "zero-filled")
    result = cli("inspect", tmp_path / "out", "--json")
    assert "a result of medidiff" in result.stdout


def test_inspect_tells_axes_centre_and_scale(cli, rawdata):
    table = cli("inspect", rawdata)
    assert table.exit_code == 0
    assert "fastMRI HDF5" in table.stdout
    assert "no BART header" in table.stdout
    told = {item["path"]: item for item in json.loads(cli("inspect", rawdata, "--json").stdout)["kspace"]}
    slices = told[str(rawdata / "sub" / "b.h5")]
    assert (slices["coils"], slices["shape"], slices["encoded"]) == (4, [48, 40, 2], "xy")
    assert slices["acceleration"] == pytest.approx(2)
    assert slices["centre_offset"] == [0, 0, 0]
    assert slices["largest"] > 0
    assert cli("inspect", rawdata / "bad.cfl").exit_code == 3


@pytest.fixture
def toy(tmp_path):
    return make_model(tmp_path / "toy", **PLANE_CARD)


def diffusion(cli, rawdata, toy, output, *more):
    arguments = ("reconstruct", "-i", rawdata / "sub", "-o", output, "--model", toy)  # by default
    return cli(*arguments, "--device", "cpu", "--passes", 1, "--steps", 2, *more)


def test_diffusion_writes_what_is_uncertain_and_what_is_inferred(cli, rawdata, toy, tmp_path):
    result = diffusion(cli, rawdata, toy, tmp_path / "out", "--samples", 2)
    assert result.exit_code == 0, result.stderr
    names = {path.name for path in (tmp_path / "out").glob("b_*")}
    assert names == {"b_recon.nii.gz", "b_recon.json", "b_uncertainty.nii.gz", "b_inferred.nii.gz"}
    told = json.loads((tmp_path / "out" / "b_recon.json").read_text())
    assert told["model"]["name"] == "plane toy"
    assert told["has_inferred"]
    shares = read_nifti(tmp_path / "out" / "b_inferred.nii.gz")
    assert shares.array.shape == (48, 40, 2)
    assert shares.array.max() <= 1


def test_a_map_that_is_gone_is_made_again_and_one_of_no_use_is_removed(cli, rawdata, toy, tmp_path):
    diffusion(cli, rawdata, toy, tmp_path / "out")
    assert "done before" in diffusion(cli, rawdata, toy, tmp_path / "out").stderr
    (tmp_path / "out" / "b_inferred.nii.gz").unlink()
    assert "1 done;" in diffusion(cli, rawdata, toy, tmp_path / "out").stderr
    assert (tmp_path / "out" / "b_inferred.nii.gz").exists()
    cli("reconstruct", "-i", rawdata / "sub", "-o", tmp_path / "out", "--device", "cpu", "--method", "cg-sense")
    assert not (tmp_path / "out" / "b_inferred.nii.gz").exists()


def test_a_missing_model_is_one_line(cli, rawdata, tmp_path):
    result = diffusion(cli, rawdata, tmp_path / "none", tmp_path / "out")
    assert result.exit_code == 2
    assert "no such model" in result.stderr
    assert "Traceback" not in result.stderr


def test_complex_images_and_those_for_the_challenge_are_written_on_request(cli, rawdata, tmp_path):
    out = tmp_path / "out"
    arguments = ("reconstruct", "-i", rawdata / "sub", "-o", out, "--method", "cg-sense", "--device", "cpu")
    result = cli(*arguments, "--complex", "--fastmri")
    assert result.exit_code == 0, result.stderr
    image = np.asarray(nib.load(out / "b_recon.nii.gz").dataobj)  # type: ignore[attr-defined]
    assert image.dtype == np.complex64
    with h5py.File(out / "b_recon.h5") as file:
        np.testing.assert_allclose(file["reconstruction"][1], np.abs(image[..., 1]), rtol=1e-6)
    assert "done before" in cli(*arguments, "--complex", "--fastmri").stderr
    cli(*arguments)
    assert not (out / "b_recon.h5").exists()


def test_a_file_of_others_is_not_written_over(cli, rawdata, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b_recon.h5").write_text("precious")
    way = ("--fastmri", "--device", "cpu", "--method", "cg-sense")
    result = cli("reconstruct", "-i", rawdata / "sub", "-o", tmp_path / "out", *way)
    assert result.exit_code == 4
    assert "not written by medidiff" in result.stderr
    assert (tmp_path / "out" / "b_recon.h5").read_text() == "precious"
