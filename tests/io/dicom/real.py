"""Real series, their reference NIfTI, and what dcm2niix makes of them: read, and compared voxel by voxel.

What may rightly be refused is listed here, before anything is read: by `enhance`, phase and real parts; by reading,
nothing. One reference differs by a constant factor, because its maker used Philips' display values and dcm2niix (like
we) the signal.
"""

import gzip
import shutil
import subprocess
from pathlib import Path

import numpy as np

from medidiff.io.dicom import read_stack, scan
from medidiff.io.source import Source
from tests.bad_files import stored
from tests.conftest import SHARED

DICOM = SHARED / "data" / "dicom"

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


def matched(ours, references, factor=1.0):
    """Compare every volume with the reference that is nearest to it.

    Yields
    ------
    (stack, number of the reference, mm apart, difference of values as a part of the peak)
    """
    for stack, volume in ours:
        told = {n: differences(volume, array / factor, affine, 101) for n, (array, affine) in enumerate(references)}
        best = min((n for n in told if told[n]), key=lambda n: told[n][1])
        yield stack, best, *differences(volume, references[best][0] / factor, references[best][1])


def references_of(folder):
    """The reference volumes of a folder, in our scale, and the factor that brings them there."""
    return list(frames(sorted(DICOM.glob(SERIES[folder][0])))), OTHER_FACTOR.get(folder, 1.0)


def converted(folder, place, dcm2niix):
    """The volumes that dcm2niix makes of a folder, with its files in ``place``."""
    (place / "in").mkdir()
    for path in (DICOM / folder).iterdir():
        if path.name.endswith(".dcm.gz"):
            (place / "in" / path.name[:-3]).write_bytes(gzip.decompress(path.read_bytes()))
        elif path.name.endswith(".dcm"):
            shutil.copy(path, place / "in")
    command = [dcm2niix, "-z", "n", "-b", "n", "-f", "%s_%d_%p", "-o", str(place), str(place / "in")]
    subprocess.run(command, check=True, capture_output=True)
    return list(frames(sorted(Path(place).glob("*.nii"))))
