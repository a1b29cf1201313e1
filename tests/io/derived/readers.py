"""Other people's readers of a written series, each giving values and RAS+ affine; skipped where they are not there."""

import json
import subprocess
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def by_pydicom(paths):
    """Nothing but the tags: ``(column, row, slice)`` in the order of the files."""
    read = [pydicom.dcmread(path) for path in paths]
    array = np.stack([r.pixel_array.T * float(r.get("RescaleSlope", 1)) for r in read], axis=-1)
    first, last = read[0], read[-1]
    along, down = np.array(first.ImageOrientationPatient, dtype=float).reshape(2, 3)
    between = np.subtract(last.ImagePositionPatient, first.ImagePositionPatient) / (len(read) - 1)
    affine = np.eye(4)
    affine[:3] = np.stack(
        [along * first.PixelSpacing[1], down * first.PixelSpacing[0], between, first.ImagePositionPatient], axis=1
    )
    return array, LPS @ affine


def by_highdicom(paths):
    highdicom = pytest.importorskip("highdicom")
    volume = highdicom.get_volume_from_series([pydicom.dcmread(path) for path in paths])
    return volume.array, LPS @ volume.affine


def by_simpleitk(paths):
    sitk = pytest.importorskip("SimpleITK")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(Path(paths[0]).parent)))
    image = reader.Execute()
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image).T, LPS @ affine


def by_dcm2niix(paths):
    dcm2niix = pytest.importorskip("dcm2niix")
    folder = Path(paths[0]).parent
    out = folder.parent / "converted"
    out.mkdir(exist_ok=True)
    told = subprocess.run(
        [dcm2niix.bin, "-z", "n", "-f", "%s", "-o", out, folder], capture_output=True, text=True, check=True
    )
    images = list(out.glob("*.nii"))
    assert len(images) == 1, told.stdout
    assert json.loads(images[0].with_suffix(".json").read_text())["Modality"] == "MR"
    image: Any = nib.load(images[0])
    array, affine = np.asarray(image.dataobj, dtype=float), image.affine
    for path in out.iterdir():
        path.unlink()
    return array, affine


READERS = [by_pydicom, by_highdicom, by_simpleitk, by_dcm2niix]


def value_at(array, affine, world):
    """Values of the voxels at RAS+ mm ``(n, 3)``, which must be voxel centres."""
    index = (np.asarray(world) - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    nearest = np.rint(index).astype(int)
    assert np.abs(index - nearest).max() < 0.02, "not at the centre of a voxel"
    return array[tuple(nearest.T)]
