"""Real series against the reference NIfTI beside them and against dcm2niix: values and world coordinates.

What may rightly be refused is listed here, before anything is read: by `enhance`, phase and real parts; by reading,
nothing. One reference differs by a constant factor, because its maker used Philips' display values and dcm2niix (like
we) the signal. Tolerances: 0.02 mm, since positions are often rounded to 0.01 mm, and the rounding of NIfTI's scale.
"""

import gzip
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medidiff.io.dicom import read_stack, scan
from medidiff.io.source import Source
from tests.bad_files import stored
from tests.conftest import SHARED

pytestmark = pytest.mark.realdata

DICOM = SHARED / "data" / "dicom"
WORLD_MM, VALUES = 0.02, 2e-4

SERIES = {
    "dcm_qa_canon_61/In/cl": ("dcm_qa_canon_61/Ref/3000_*_cl.nii.gz", 13),
    "dcm_qa_canon_61/In/enh": ("dcm_qa_canon_61/Ref/3000_*_enh.nii.gz", 13),
    "dcm_qa_philips_enh/In": ("dcm_qa_philips_enh/Ref/*.nii.gz", 11),
    "dcm_qa_xa30/In/5_anat-T1w_acq-tfl": ("dcm_qa_xa30/Ref/5_*.nii.gz", 1),
    "dcm_qa_xa30/In/8_gre_field_mapping": ("dcm_qa_xa30/Ref/8_*.nii.gz", 2),
    "dcm_qa_xa30/In/9_gre_field_mapping": ("dcm_qa_xa30/Ref/9_*.nii.gz", 1),
    "dcm_qa_xa30i/In/5001_anat-T1w_acq-tfl": ("dcm_qa_xa30i/Ref/5001_*.nii.gz", 1),
    **{
        f"dicom2nifti/{name}": (f"dicom2nifti/{name}_ground_truth.nii.gz", 1)
        for name in (
            "ge/anatomical/001",
            "generic/anatomical/001",
            "generic/anatomical/002_non_isotropic",
            "generic/compressed_j2k/001",
            "generic/compressed_jpeg/001",
            "generic/compressed_jpegls/001",
            "generic/compressed_rle/001",
            "hitachi/anatomical/001",
            "hyperfine/anatomical/001",
            "philips/anatomical/001",
            "philips_enhanced/anatomical/001",
            "siemens/anatomical/001",
            "siemens_multiframe/anatomical/001",
        )
    },
}
"""Folder, its references, and how many volumes are in it."""

REFUSED = {
    "dcm_qa_philips_enh/In": {"1901 real", "2001 ph_e1", "2001 ph_e2"},
    "dcm_qa_xa30/In/9_gre_field_mapping": {"9 ph"},
}
"""Volumes that are read and would rightly not be enhanced, by series number and part of the signal."""

OTHER_FACTOR = {"dicom2nifti/philips_enhanced/anatomical/001": 4.2588522588522 * 0.00027657218}
"""References in display values: what they are multiplied by to become ours is 1 / (slope * scale slope)."""


def read(folder):
    paths = [path for path in sorted((DICOM / folder).iterdir()) if ".dcm" in path.name]
    series, strays = scan([Source(path) for path in paths])
    assert not strays
    return [(stack, read_stack(stack)) for each in series for stack in each.stacks]


@pytest.fixture(scope="module")
def volumes():
    """Each folder is read once."""
    known: dict[str, list[Any]] = {}
    return lambda folder: known[folder] if folder in known else known.setdefault(folder, read(folder))


def frames(paths):
    """``(array, affine)`` of every volume of NIfTI files."""
    for path in paths:
        image = stored(path)
        array = np.asanyarray(image.dataobj).astype(np.float64)
        for k in range(array.shape[3] if array.ndim == 4 else 1):
            yield (array[..., k] if array.ndim == 4 else array), image.affine


def differences(volume, array, affine, step=1):
    """Largest distance in mm between voxels and the reference's, and difference of values; None if grids differ."""
    index = np.indices(volume.array.shape).reshape(3, -1).T[::step]
    there = (volume.geometry.world(index) - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    nearest = np.rint(there).astype(int)
    if (nearest < 0).any() or (nearest >= array.shape).any() or array.size != volume.array.size:
        return None
    apart = np.linalg.norm((there - nearest) @ affine[:3, :3].T, axis=1).max()
    values = np.abs(array[tuple(nearest.T)] - volume.array.reshape(-1)[::step]).max()
    return apart, values / max(np.abs(volume.array).max(), 1e-12)


def assert_same(ours, references, factor=1.0):
    """Every volume agrees with one reference, and every reference with one volume."""
    taken = set()
    for stack, volume in ours:
        told = {n: differences(volume, array / factor, affine, 101) for n, (array, affine) in enumerate(references)}
        best = min((n for n in told if told[n]), key=lambda n: told[n][1])
        apart, values = differences(volume, references[best][0] / factor, references[best][1])
        assert (apart < WORLD_MM, values < VALUES) == (True, True), stack.label
        taken.add(best)
    assert len(taken) == len(ours) == len(references)


@pytest.mark.parametrize("folder", SERIES)
def test_values_lie_where_the_reference_has_them(folder, volumes):
    pattern, count = SERIES[folder]
    references = list(frames(sorted(DICOM.glob(pattern))))
    assert len(references) == count
    assert_same(volumes(folder), references, OTHER_FACTOR.get(folder, 1.0))


@pytest.fixture(scope="module")
def dcm2niix():
    package = pytest.importorskip("dcm2niix")
    return package.bin


@pytest.mark.parametrize("folder", SERIES)
def test_values_lie_where_dcm2niix_puts_them(folder, volumes, dcm2niix, tmp_path):
    (tmp_path / "in").mkdir()
    for path in (DICOM / folder).iterdir():
        if path.name.endswith(".dcm.gz"):
            (tmp_path / "in" / path.name[:-3]).write_bytes(gzip.decompress(path.read_bytes()))
        elif path.name.endswith(".dcm"):
            shutil.copy(path, tmp_path / "in")
    command = [dcm2niix, "-z", "n", "-b", "n", "-f", "%s_%d_%p", "-o", str(tmp_path), str(tmp_path / "in")]
    subprocess.run(command, check=True, capture_output=True)
    assert_same(volumes(folder), list(frames(sorted(Path(tmp_path).glob("*.nii")))))


@pytest.mark.parametrize("folder", SERIES)
def test_only_what_was_listed_is_refused(folder, volumes):
    refused = {f"{stack.series.number} {named(stack)}" for stack, _ in volumes(folder) if stack.refusal}
    assert refused == REFUSED.get(folder, set())


def named(stack):
    return stack.name or stack.frames[0].traits["component"]


def test_canon_twins_agree(volumes):
    classic, enhanced = (
        {stack.name: volume for stack, volume in volumes(f"dcm_qa_canon_61/In/{kind}")} for kind in ("cl", "enh")
    )
    assert classic.keys() == enhanced.keys()
    for name, volume in classic.items():
        assert volume.geometry.allclose(enhanced[name].geometry)
        np.testing.assert_array_equal(volume.array, enhanced[name].array)


@pytest.mark.parametrize(
    "folder", [folder for folder in SERIES if folder.startswith("dcm_qa") and "philips" not in folder]
)
def test_the_sidecar_has_the_fields_and_figures_of_dcm2niix(folder, volumes, shared):
    import json

    path = sorted(DICOM.glob(SERIES[folder][0].replace(".nii.gz", ".json")))[0]
    theirs, ours = json.loads(path.read_text()), volumes(folder)[0][1].meta["sidecar"]
    common = ours.keys() & theirs.keys() - {"ImageType", "ScanOptions"}
    assert {"RepetitionTime", "EchoTime", "SliceThickness", "FlipAngle", "Manufacturer", "Modality"} <= common
    for name in common:
        expected = pytest.approx(theirs[name], rel=1e-3) if isinstance(theirs[name], int | float) else theirs[name]
        assert ours[name] == expected, name
