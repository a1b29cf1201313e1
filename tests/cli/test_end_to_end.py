"""The whole way with an untrained network: files in, files out, through the real task."""

import json

import numpy as np
import pytest
import torch

from medidiff.io import read_header, read_nifti, write_nifti
from medidiff.models import build_network, save_model
from medidiff.volume import Geometry, Volume
from tests.bad_files import good
from tests.strategies import rotation
from tests.toy import CARD

TOLD = {
    "input",
    "model",
    "seed",
    "steps",
    "samples",
    "detail",
    "geometry",
    "acquisition",
    "noise",
    "data_residual",
    "seconds",
    "device",
    "precision",
    "peak_memory_mb",
    "warnings",
    "versions",
    "notice",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Weights as they are drawn, the same every time."""
    torch.manual_seed(0)
    return save_model(build_network(CARD).state_dict(), CARD, tmp_path_factory.mktemp("toy"))


@pytest.fixture
def scan(tmp_path, rng):
    """A bright ball of 20 mm in oblique 4 mm slices, left-handed."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(0.1, 0.2, 0) @ np.diag([-1, 1, 1]) * [1, 1, 4]
    geometry = Geometry((20, 22, 6), affine)
    centre = geometry.world([9.5, 10.5, 2.5])
    place = geometry.world(np.moveaxis(np.indices(geometry.shape), 0, -1))
    ball = 1000.0 * (np.linalg.norm(place - centre, axis=-1) < 10) + rng.normal(0, 5, geometry.shape)
    (tmp_path / "in").mkdir()
    write_nifti(Volume(ball, geometry), tmp_path / "in" / "ball.nii.gz", description="")
    (tmp_path / "in" / "ball.json").write_text('{"SliceThickness": 3}')
    return tmp_path / "in" / "ball.nii.gz"


def enhance(cli, model, scan, out, *options):
    result = cli("enhance", "-i", scan, "-o", out, "--model", model, "--device", "cpu", "--precision", "fp32", *options)
    assert result.exit_code == 0, result.stderr
    return result, json.loads((out / "ball_enhanced.json").read_text())


def test_the_result_agrees_with_the_scan_and_tells_all(cli, model, scan, tmp_path):
    result, told = enhance(cli, model, scan, tmp_path / "out", "--noise", 0)
    volume = read_nifti(tmp_path / "out" / "ball_enhanced.nii.gz")
    assert volume.geometry.shape == (20, 22, 24)
    np.testing.assert_allclose(volume.geometry.extent, read_header(scan).geometry.extent, rtol=1e-5)
    assert told.keys() >= TOLD
    assert told["model"]["sha256"] == json.loads((model / "card.json").read_text())["sha256"]
    assert told["acquisition"]["used"]["slice_thickness_mm"] == 3
    assert told["acquisition"]["assumed"] == ["profile"]
    assert told["data_residual"]["after"] < 1e-3
    assert "Research use only" in told["notice"]
    assert "data residual" in result.stderr
    assert abs(volume.array.max() / 1000 - 1) < 0.5


def test_samples_give_an_uncertainty_and_a_seed_gives_the_same_bytes(cli, model, scan, tmp_path):
    for name in ("one", "two"):
        enhance(cli, model, scan, tmp_path / name, "--samples", 2, "--seed", 5)
    for name in ("ball_enhanced.nii.gz", "ball_uncertainty.nii.gz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert read_nifti(tmp_path / "one" / "ball_uncertainty.nii.gz").array.min() >= 0


def test_like_is_met_exactly_and_both_residuals_are_told(cli, model, scan, tmp_path):
    affine = np.eye(4)
    affine[:3, 3] = read_header(scan).geometry.world([10, 10, 3]) - 12
    like = Geometry((24, 24, 24), affine)
    write_nifti(Volume(np.zeros(like.shape), like), tmp_path / "like.nii", description="")
    result, told = enhance(cli, model, scan, tmp_path / "out", "--like", tmp_path / "like.nii")
    assert read_header(tmp_path / "out" / "ball_enhanced.nii.gz").geometry.allclose(like)
    assert told["data_residual"]["after_resampling"] > told["data_residual"]["after"]
    assert "once resampled" in result.stderr


def test_simulated_slices_are_enhanced_with_what_their_sidecar_tells(cli, model, scan, tmp_path):
    enhance(cli, model, scan, tmp_path / "sharp")
    sharp = tmp_path / "sharp" / "ball_enhanced.nii.gz"
    sharp = sharp.rename(tmp_path / "ball.nii.gz")
    options = ("--spacing", 4, "--slice-thickness", 5, "--profile", "rect", "--axis", "x", "--noise", 2)
    assert cli("simulate", "thick-slices", "-i", sharp, "-o", tmp_path / "thick", *options).exit_code == 0
    _, told = enhance(cli, model, tmp_path / "thick" / "ball.nii.gz", tmp_path / "out")
    assert told["acquisition"]["assumed"] == []
    assert told["acquisition"]["used"]["slice_axis"] == "x"
    assert told["acquisition"]["used"]["profile"] == "rect"
    assert told["acquisition"]["used"]["slice_thickness_mm"] == 5
    assert told["noise"] == {"sd": 2.0, "origin": "sidecar", "denoised_for_proposal": True}


@pytest.mark.parametrize("slices", [1, 2, 3, 4])
def test_inspect_foretells_what_enhance_takes(slices, cli, model, tmp_path):
    path = good(tmp_path / "in" / "a.nii.gz", (16, 16, slices))
    foretold = json.loads(cli("inspect", path, "--json").stdout)["images"][0]
    result = cli("enhance", "-i", path, "-o", tmp_path / "out", "--model", model, "--device", "cpu")
    assert foretold["enhance"] == (result.exit_code == 0)
    assert ("slice" in foretold["reason"]) == ("slice" in result.stderr and result.exit_code != 0)
    if foretold["enhance"]:
        assert tuple(foretold["target_shape"]) == read_header(tmp_path / "out" / "a_enhanced.nii.gz").shape
