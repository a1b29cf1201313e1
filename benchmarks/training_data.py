"""Lay out the public volumes of NOTICE as the recipe of `sr-brain` reads them.

    python -m benchmarks.training_data STRUCTURAL LABELS OUTPUT

STRUCTURAL holds train/, validation/ and thick_slice/, LABELS the label maps. Heads are copied as they are, label maps
cropped to their labels. Slices of the in-plane T2w scans are interpolated (cubic) to the in-plane spacing, as patches
are cubes: only the in-plane axes are ever degraded. Persons who are scored go to val/ and never into training:
ds002748 from sub-50 on, ds000011 sub-10 and niivue M2208, the only T2w head with thin slices. Persons on whom the
uncertainty is calibrated go to calibration/ and are neither trained on nor scored: ds002748 sub-49 and ds000011 sub-09.
T2w scans of either are left out.
"""

import shutil
import sys
from pathlib import Path

import nibabel
import numpy as np
from scipy.ndimage import map_coordinates

SCORED = ("ds002748_sub-5", "ds000011_sub-10", "M2208")
CALIBRATING = ("ds002748_sub-49", "ds000011_sub-09")
SATURATED = 4095
"""Largest value of the T2w scans."""


def main(structural: Path, labels: Path, output: Path) -> None:
    """Fill the folder ``output``."""
    for name in ("val", "calibration"):
        (output / name).mkdir(parents=True, exist_ok=True)
    for path in sorted([*structural.glob("train/*.nii.gz"), *structural.glob("validation/*.nii.gz")]):
        shutil.copy(path, output / room_of(path.name))
    for path in sorted(labels.glob("training_seg_*.nii.gz")):
        nibabel.save(boxed(nibabel.load(path)), output / path.name)
    for path in sorted(structural.glob("thick_slice/*.nii.gz")):
        if room_of(path.name) == "":
            nibabel.save(thin(nibabel.load(path)), output / path.name)


def room_of(name: str) -> str:
    """Folder for a person's images: training has none of its own."""
    if any(word in name for word in SCORED):
        return "val"
    return "calibration" if any(word in name for word in CALIBRATING) else ""


def boxed(image: nibabel.Nifti1Image) -> nibabel.Nifti1Image:
    """Crop a label map to its labels and 4 voxels around them."""
    array, affine = np.asarray(image.dataobj), np.array(image.affine)
    where = np.argwhere(array > 0)
    low, high = np.maximum(where.min(0) - 4, 0), np.minimum(where.max(0) + 5, array.shape)
    affine[:3, 3] += affine[:3, :3] @ low
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    return nibabel.Nifti1Image(array[box].astype(np.int16), affine)


def thin(image: nibabel.Nifti1Image) -> nibabel.Nifti1Image:
    """Interpolate along the last axis to the spacing of the first; uint8, faces of the field of view kept."""
    array, affine = np.asarray(image.dataobj), np.array(image.affine)
    eight_bit = np.clip(array / SATURATED * 255 + 0.5, 0, 255).astype(np.uint8)
    ratio = np.linalg.norm(affine[:3, 2]) / np.linalg.norm(affine[:3, 0])
    z = (np.arange(round(array.shape[2] * ratio)) + 0.5) / ratio - 0.5
    index = np.stack(np.meshgrid(*[np.arange(n) for n in array.shape[:2]], z, indexing="ij"))
    fine = map_coordinates(eight_bit.astype(np.float32), index, order=3, mode="nearest")
    affine[:3, 3] += affine[:3, 2] * z[0]
    affine[:3, 2] /= ratio
    return nibabel.Nifti1Image(np.clip(fine + 0.5, 0, 255).astype(np.uint8), affine)


if __name__ == "__main__":
    main(*[Path(argument) for argument in sys.argv[1:4]])
