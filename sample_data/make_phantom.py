"""Make the synthetic scans in this folder: ``python make_phantom.py FOLDER [--seed N]``.

Needs numpy, scipy and nibabel; knows nothing of medidiff, so that it can be a check on it.

A head (see ``anatomy``) is built on a 0.6 mm lattice and given each contrast's intensities, a little texture and a
coil's uneven brightness. A scanner is then imitated on any grid, oblique or not: each voxel is a weighted mean of the
head at points 0.6 mm apart, along each of the grid's own axes in turn. The weights are a box as wide as the voxel,
or a Gaussian whose full width at half maximum is the slice thickness; they sum to 1. Scans get Rician noise;
references do not.

``scans/`` holds what a scanner would give, with BIDS sidecars; ``references/`` holds the same views, under the same
names, on the 1.2 mm grid that shares their outer faces. ``manifest.json`` holds the sha256 of every array.
"""

import argparse
import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anatomy import make_anatomy
from shapes import Field, Lattice, random_field

SEED = 7
STEP = 0.6
"""Between points of the head, mm."""
FINE = 1.2
"""Spacing of the references, mm."""
FIELD_OF_VIEW = (120.0, 150.0, 108.0)
MARGIN = 14.0
"""What the head's lattice holds beyond the field of view, mm: slices are thicker than their spacing, and oblique."""

# Intensities, in the order of TISSUES:
#           air fat skin muscle bone marrow csf grey white nuclei pallidum cerebellar eye
CONTRASTS = {
    "T1w": (0, 900, 420, 400, 50, 560, 150, 500, 740, 580, 690, 520, 170),
    "T2w": (0, 560, 260, 200, 30, 380, 900, 500, 340, 430, 270, 480, 940),
    "FLAIR": (0, 600, 330, 320, 30, 400, 90, 600, 470, 560, 430, 580, 130),
}
NOISE = 9.0
"""SD of the noise in a scan, in intensity units."""


@dataclass(frozen=True)
class View:
    """A grid and how thick its voxels are: ``affine`` maps voxel centres to RAS+ mm, ``widths`` are in mm."""

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    widths: tuple[float, float, float]
    gaussian: tuple[bool, bool, bool]

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Between voxel centres, mm."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    def fine(self, spacing: float) -> "View":
        """Give the view of the reference: the same outer faces, isotropic voxels that are boxes."""
        shape = np.rint(np.array(self.shape) * self.spacing / spacing).astype(int)
        ratio = np.array(self.shape) / shape
        affine = self.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ ((ratio - 1) / 2)
        affine[:3, :3] *= ratio
        x, y, z = shape.tolist()
        return View((x, y, z), affine, (spacing,) * 3, (False,) * 3)


@dataclass(frozen=True)
class Scan:
    """One example: its BIDS name, its contrast, its view and what its sidecar says beyond the slices."""

    name: str
    contrast: str
    view: View
    acquisition: str

    def sidecar(self) -> dict[str, Any]:
        """BIDS metadata; the slice axis is the thickest one."""
        slices = int(np.argmax(self.view.widths))
        return {
            "Modality": "MR",
            "MRAcquisitionType": self.acquisition,
            "SliceThickness": self.view.widths[slices],
            "SpacingBetweenSlices": round(float(self.view.spacing[slices]), 6),
            "SeriesDescription": f"synthetic phantom, {self.contrast}",
        }


def scans(size: float = 1.0) -> tuple[Scan, ...]:
    """List the examples; ``size`` shrinks their field of view for quick tests."""
    extent = np.array(FIELD_OF_VIEW) * size
    leftwards, sagittal, slab = np.diag([-1.0, 1, 1]), np.eye(3)[:, [1, 2, 0]], extent * (1, 1, 84 / 108)
    return (
        _scan("sub-phantom_acq-thick_T1w", "T1w", "2D", extent, (1.2, 1.2, 4.5), 4.5, leftwards),
        _scan("sub-phantom_acq-oblique_T2w", "T2w", "2D", slab, (1.2, 1.2, 4.0), 3.6, _oblique(), 4.0),
        _scan("sub-phantom_acq-2mm_FLAIR", "FLAIR", "3D", extent[[1, 2, 0]], (2.0,) * 3, 2.0, sagittal),
    )


def _scan(
    name: str,
    contrast: str,
    acquisition: str,
    extent: NDArray[np.float64],
    spacing: tuple[float, ...],
    thickness: float,
    directions: NDArray[np.float64],
    upwards: float = 0.0,
) -> Scan:
    """Centre a grid on the head, ``upwards`` mm along its slice normal; its axes are the columns of ``directions``."""
    shape = np.maximum(1, np.rint(extent / spacing)).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = directions * np.array(spacing)
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2) + directions[:, 2] * upwards
    blurred = [s > FINE for s in spacing]
    a, b, c = (thickness if blur else s for blur, s in zip(blurred, spacing, strict=True))
    x, y, z = shape.tolist()
    return Scan(name, contrast, View((x, y, z), affine, (a, b, c), (blurred[0], blurred[1], blurred[2])), acquisition)


def _oblique() -> NDArray[np.float64]:
    """Axial slices, nodding by 14 degrees and turned by 5."""
    nod, turn = np.deg2rad(14), np.deg2rad(5)
    about_x = np.array([[1, 0, 0], [0, np.cos(nod), -np.sin(nod)], [0, np.sin(nod), np.cos(nod)]])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    return np.asarray(about_x @ about_z)


def acquire(head: Field, lattice: Lattice, view: View) -> Field:
    """See the head as the view does: weighted means along each of its axes."""
    places, weights = [], []
    for n, spacing, width, gaussian in zip(view.shape, view.spacing, view.widths, view.gaussian, strict=True):
        at, weight = profile_weights(n, float(spacing), width, gaussian=gaussian)
        places.append(at)
        weights.append(weight)
    points = np.stack(np.meshgrid(*places, indexing="ij")).reshape(3, -1)
    world = view.affine[:3, :3] @ points + view.affine[:3, 3:]
    index = (world - lattice.origin[:, None]) / lattice.step
    seen = ndimage.map_coordinates(head, index, order=1, output=np.float32).reshape([len(at) for at in places])
    for weight in weights:  # each pass consumes the first axis and appends the result as the last
        seen = np.tensordot(seen, weight, axes=(0, 1))
    return np.asarray(seen, np.float32)


def profile_weights(
    n: int, spacing: float, width: float, *, gaussian: bool
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Give the points to look at, in voxels, and the ``(n, points)`` weights of each voxel; rows sum to 1."""
    reach = 1.3 * width if gaussian else 0.5 * width
    per_voxel = max(2, round(spacing / STEP))
    beyond = max(0, int(np.ceil((reach / spacing - 0.5) * per_voxel)))
    at = (np.arange(-beyond, n * per_voxel + beyond) + 0.5) / per_voxel - 0.5
    away = (at[None] - np.arange(n)[:, None]) * spacing / width
    weight = np.exp(-4 * np.log(2) * away**2) if gaussian else (np.abs(away) < 0.5).astype(float)
    weight[np.abs(away) * width > reach] = 0
    return at, (weight / weight.sum(1, keepdims=True)).astype(np.float32)


def make_heads(seed: int, step: float = STEP, size: float = 1.0) -> tuple[Lattice, dict[str, Field]]:
    """Build the head once and give it each contrast's intensities, ``(x, y, z)``."""
    x, y, z = (int(np.ceil((extent * size + 2 * MARGIN) / step)) for extent in FIELD_OF_VIEW)
    lattice = Lattice((x, y, z), step)
    labels = make_anatomy(lattice, seed)
    rng = np.random.default_rng(seed + 1)
    texture = 1 + 0.006 * random_field(lattice, 6, rng) + 0.02 * random_field(lattice, 30, rng)
    coil = 1 + 0.05 * random_field(lattice, 150, rng)
    return lattice, {
        name: np.asarray(np.array(values, np.float32)[labels] * texture * coil, np.float32)
        for name, values in CONTRASTS.items()
    }


def make_all(seed: int = SEED, step: float = STEP, size: float = 1.0) -> dict[str, nib.Nifti1Image]:
    """Make every image of this folder, by its path, without suffix; the same arguments give the same images."""
    lattice, heads = make_heads(seed, step, size)
    rng = np.random.default_rng(seed + 2)
    images = {}
    for scan in scans(size):
        clean = acquire(heads[scan.contrast], lattice, scan.view)
        noisy = np.hypot(clean + NOISE * rng.standard_normal(clean.shape), NOISE * rng.standard_normal(clean.shape))
        images[f"scans/{scan.name}"] = _image(np.rint(noisy / 6).astype(np.int16), scan.view.affine, slope=6.0)
        fine = scan.view.fine(FINE)
        truth = np.clip(np.rint(acquire(heads[scan.contrast], lattice, fine) / 14), 0, 255).astype(np.uint8)
        images[f"references/{scan.name}"] = _image(truth, fine.affine, slope=14.0)
    return images


def _image(array: NDArray[Any], affine: NDArray[np.float64], slope: float = 1.0) -> nib.Nifti1Image:
    """Keep the array as it is stored; its values are ``slope`` times that."""
    image = nib.Nifti1Image(array, affine)
    image.header.set_slope_inter(slope, 0)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    return image


def sha256(array: NDArray[Any]) -> str:
    """Hash the stored values in Fortran order, as they lie in the file."""
    return hashlib.sha256(array.tobytes("F")).hexdigest()


def write(images: Mapping[str, nib.Nifti1Image], folder: Path) -> None:
    """Write images, sidecars and manifest into ``folder``."""
    manifest = {}
    for path, image in images.items():
        target = folder / f"{path}.nii.gz"
        target.parent.mkdir(parents=True, exist_ok=True)
        with gzip.GzipFile(target, "wb", compresslevel=9, mtime=0) as file:
            file.write(image.to_bytes())
        stored = np.asanyarray(image.dataobj)
        manifest[path] = {"shape": list(stored.shape), "dtype": str(stored.dtype), "sha256": sha256(stored)}
    for scan in scans():
        (folder / "scans" / f"{scan.name}.json").write_text(json.dumps(scan.sidecar(), indent=2) + "\n", "utf-8")
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")


def main() -> None:
    """Read the command line and make the images."""
    parser = argparse.ArgumentParser(description="Make the synthetic scans of sample_data.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    told = parser.parse_args()
    write(make_all(told.seed), told.folder)
    print(f"wrote {told.folder}")


if __name__ == "__main__":
    main()
