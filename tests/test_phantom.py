"""The sample data: made by the script, the same every time, and shaped like the scans it imitates."""

import json

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from anatomy import TISSUES, make_anatomy
from make_phantom import FINE, NOISE, SEED, acquire, make_all, make_heads, profile_weights, scans, sha256
from medidiff.volume import Geometry
from shapes import Lattice
from tests.conftest import ROOT

FOLDER = ROOT / "sample_data"
PATHS = [f"{kind}/{scan.name}" for kind in ("scans", "references") for scan in scans()]
QUICK = {"step": 3.0, "size": 0.5}
MEGABYTE = 1_000_000


def load(path):
    return nib.load(FOLDER / f"{path}.nii.gz")


def geometry(path):
    image = load(path)
    return Geometry(image.shape, image.affine)


@pytest.mark.parametrize("path", PATHS)
def test_the_committed_files_are_those_of_the_manifest(path):
    told = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))[path]
    stored = np.asanyarray(load(path).dataobj.get_unscaled())
    assert (list(stored.shape), str(stored.dtype), sha256(stored)) == (told["shape"], told["dtype"], told["sha256"])


def test_the_same_seed_makes_the_same_images_and_another_seed_does_not():
    first, again, other = (make_all(seed, **QUICK) for seed in (1, 1, 2))
    hashes = [
        {path: sha256(np.asanyarray(image.dataobj)) for path, image in run.items()} for run in (first, again, other)
    ]
    assert hashes[0] == hashes[1]
    assert all(hashes[0][path] != hashes[2][path] for path in PATHS)


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_the_script_makes_the_committed_files(path, everything):
    made, kept = everything[path], load(path)
    np.testing.assert_allclose(made.affine, kept.affine, atol=1e-4)
    apart = np.asanyarray(made.dataobj).astype(int) - kept.dataobj.get_unscaled()
    assert np.mean(np.abs(apart) > 1) < 1e-3  # another processor may round a label otherwise


@pytest.fixture(scope="module")
def everything():
    return make_all(SEED)


def test_the_sample_data_is_under_two_megabytes():
    assert (
        sum(file.stat().st_size for file in FOLDER.rglob("*") if file.suffix not in (".pyc",) and file.is_file())
        < 2 * MEGABYTE
    )


@pytest.mark.parametrize("scan", scans(), ids=lambda scan: scan.name)
def test_a_reference_is_its_scan_refined(scan):
    assert geometry(f"scans/{scan.name}").refined(FINE).allclose(geometry(f"references/{scan.name}"), 0.01)


@pytest.mark.parametrize("scan", scans(), ids=lambda scan: scan.name)
def test_a_sidecar_agrees_with_its_header(scan):
    sidecar = json.loads((FOLDER / "scans" / f"{scan.name}.json").read_text(encoding="utf-8"))
    spacing = geometry(f"scans/{scan.name}").spacing
    assert sidecar == scan.sidecar()
    assert sidecar["SpacingBetweenSlices"] == pytest.approx(max(spacing), abs=1e-4)
    assert 0 < sidecar["SliceThickness"] <= sidecar["SpacingBetweenSlices"]


def test_the_scans_are_of_several_kinds():
    axes = [nib.aff2axcodes(load(f"scans/{scan.name}").affine) for scan in scans()]
    assert len(set(axes)) == len(axes)
    oblique = geometry("scans/sub-phantom_acq-oblique_T2w").directions
    assert np.degrees(np.arccos(oblique[2, 2])) == pytest.approx(14, abs=0.1)


@given(st.integers(1, 12), st.floats(0.8, 6), st.floats(0.7, 1.3), st.booleans())
def test_weights_of_a_voxel_sum_to_one_and_are_centred_on_it(n, spacing, ratio, gaussian):
    at, weights = profile_weights(n, spacing, spacing * ratio, gaussian=gaussian)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(weights[1:-1] @ at, np.arange(n)[1:-1], atol=1e-3)


def test_a_constant_head_is_seen_as_constant():
    lattice = Lattice((40, 40, 40), 3.0)
    view = scans(0.4)[1].view
    np.testing.assert_allclose(acquire(np.full(lattice.shape, 7, np.float32), lattice, view), 7, rtol=1e-5)


def test_noise_in_the_air_is_rayleigh_of_the_stated_size():
    corner = load("scans/sub-phantom_acq-thick_T1w").get_fdata()[:8, :8, -8:]
    assert corner.mean() == pytest.approx(NOISE * np.sqrt(np.pi / 2), rel=0.1)


def test_the_cortex_is_folded():
    """The surface between grey and fluid is well over that of a smooth brain of the same size."""
    labels = make_anatomy(Lattice((100, 125, 90), 1.2), SEED)
    brain = np.isin(labels, [TISSUES.index(name) for name in ("grey", "white", "nuclei", "pallidum")])
    smooth = ndimage.binary_closing(brain, iterations=8)
    assert faces(brain) / faces(smooth) > 1.8


def faces(solid):
    """Count the voxel faces on the surface of a solid."""
    return sum(np.count_nonzero(np.diff(solid, axis=axis)) for axis in range(3))


def test_contrasts_differ_as_they_do_in_scanners():
    lattice, heads = make_heads(3, **QUICK)
    labels = make_anatomy(lattice, 3)
    mean = {
        (contrast, tissue): head[labels == TISSUES.index(tissue)].mean()
        for contrast, head in heads.items()
        for tissue in ("white", "grey", "csf")
    }
    assert mean["T1w", "white"] > mean["T1w", "grey"] > mean["T1w", "csf"]
    assert mean["T2w", "csf"] > mean["T2w", "grey"] > mean["T2w", "white"]
    assert mean["FLAIR", "grey"] > mean["FLAIR", "white"] > mean["FLAIR", "csf"]
