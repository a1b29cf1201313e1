"""What is measured again: heads, the axes along which they are truly sharp, and thick slices made of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medidiff.errors import InputError
from medidiff.io.nifti import read_nifti
from medidiff.metrics import data_range_of, head_region
from medidiff.physics import SliceProfile
from medidiff.physics.noise import head_brightness
from medidiff.volume import Geometry, Volume

__all__ = [
    "SHARP",
    "Case",
    "Head",
    "Spec",
    "cropped",
    "interleaved",
    "load_heads",
    "measure",
    "noisy",
    "specs_of",
    "upright",
]

SHARP = {
    "ds002748": (0, 1), "ds000011": (1, 2), "studyforrest": (0, 1, 2), "niimath": (0, 1, 2), "M2208": (0, 1, 2),
}  # fmt: skip
"""Axes that can serve as a reference, by what a file's name contains."""

BLURRED = ("ds002748",)
"""Sources with an axis so blurred (1.85 mm) that they are no reference for coarser voxels along all axes."""


@dataclass(frozen=True, eq=False)
class Head:
    """A reference: ``volume`` is scaled to a data range of 1, ``region`` is where scores count."""

    name: str
    volume: Volume
    region: NDArray[np.bool_]
    sharp: tuple[int, ...]

    @property
    def contrast(self) -> str:
        """T1w or T2w, from the name."""
        return "T2w" if "T2w" in self.name else "T1w"


@dataclass(frozen=True)
class Spec:
    """One measurement to be made: slices of ``spacing`` mm along ``axis``, or along all axes where it is None.

    Slices are as thick as they are apart.
    """

    head: Head
    axis: int | None
    spacing: float
    profile: str

    @property
    def slices(self) -> str:
        """What is coarse, in words."""
        return f"{self.spacing:g} mm" + " isotropic" * (self.axis is None)

    @property
    def kind(self) -> tuple[str, str]:
        """What weights are fitted for."""
        return self.slices, self.profile

    @property
    def axes(self) -> tuple[int, ...]:
        """Along which resolution is lost that the reference has."""
        return self.head.sharp if self.axis is None else (self.axis,)

    @property
    def facts(self) -> dict[str, Any]:
        """What identifies it in a table."""
        axis = "all" if self.axis is None else "xyz"[self.axis]
        head = {"head": self.head.name, "contrast": self.head.contrast}
        return {**head, "axis": axis, "slices": self.slices, "profile": self.profile}


@dataclass(frozen=True, eq=False)
class Case:
    """A measurement: as a volume for the task, and as ``y = A x`` on a device for everything else."""

    spec: Spec
    volume: Volume
    operator: SliceProfile
    y: Tensor
    truth: Tensor
    region: Tensor
    noise: float = 0.0


def load_heads(
    folder: Path, *, limit: int | None = None, without: Sequence[str] = (), known: Mapping[str, tuple[int, ...]] = SHARP
) -> list[Head]:
    """Read the heads of a folder, from NIfTI or from .npz holding ``array`` and ``affine``.

    Heads whose sharp axes are not known are left out, with a line; so are, silently, names that contain one of
    ``without``. A limit is shared out among the sources. ``known`` are their sharp axes.

    Raises
    ------
    InputError
        If nothing is left.
    """
    paths = sorted(path for path in folder.iterdir() if path.name.endswith((".nii", ".nii.gz", ".npz")))
    paths = [path for path in paths if not any(word in path.name for word in without)]
    sources = {word: [path for path in paths if word in path.name] for word in known}
    if unknown := [path.name for path in paths if not any(word in path.name for word in known)]:
        print(f"left out, not known along which axes they are sharp: {', '.join(unknown)}")
    chosen = [(path, word) for turn in zip_longest(*sources.values()) for path, word in zip(turn, known, strict=True)]
    heads = [_head(path, known[word]) for path, word in [some for some in chosen if some[0] is not None][:limit]]
    if not heads:
        raise InputError("no heads to measure", where=str(folder), needed=f"names with {', '.join(known)}")
    return heads


def _head(path: Path, sharp: tuple[int, ...]) -> Head:
    volume = _packed(path) if path.suffix == ".npz" else read_nifti(path)
    region = head_region(volume.array)
    scaled = volume.array / np.float32(data_range_of(volume.array, region))
    return Head(path.name.split(".")[0], Volume(scaled, volume.geometry), region, sharp)


def _packed(path: Path) -> Volume:
    with np.load(path) as packed:
        return Volume(packed["array"], Geometry(packed["array"].shape, packed["affine"]))


def cropped(head: Head, edge: int) -> Head:
    """Keep a box of at most ``edge`` voxels along each axis, at the middle of the head."""
    middle = np.argwhere(head.region).mean(0)
    shape = np.array(head.region.shape)
    size = np.minimum(shape, edge)
    corner = np.clip((middle - size / 2).astype(int), 0, shape - size)
    box = tuple(slice(int(c), int(c + n)) for c, n in zip(corner, size, strict=True))
    affine = head.volume.geometry.affine.copy()
    affine[:3, 3] = head.volume.geometry.world(corner)
    grid = Geometry(size.tolist(), affine)
    return replace(head, volume=Volume(head.volume.array[box], grid), region=head.region[box])


def upright(geometry: Geometry) -> list[int]:
    """Order of the axes in which the last is the one nearest to head and foot, and the others stay in order."""
    last = int(np.argmax(np.abs(geometry.directions[2])))
    return [*(axis for axis in range(3) if axis != last), last]


def specs_of(
    heads: Iterable[Head],
    *,
    spacings: Sequence[float],
    profiles: Sequence[str],
    isotropic: Sequence[float] = (),
    axes_per_head: int = 3,
) -> list[Spec]:
    """Every measurement of every head, one axis of each first; heads take turns in which."""
    numbered = list(enumerate(heads))
    specs = [
        Spec(head, head.sharp[(number + turn) % len(head.sharp)], spacing, profile)
        for turn in range(axes_per_head)
        for number, head in numbered
        if turn < len(head.sharp)
        for spacing in spacings
        for profile in profiles
    ]
    unblurred = [head for _, head in numbered if not any(word in head.name for word in BLURRED)]
    specs += [Spec(head, None, s, p) for head in unblurred for s in isotropic for p in profiles]
    return interleaved(specs)


def interleaved(specs: Iterable[Spec]) -> list[Spec]:
    """Order so that the first few are of every kind, should time run out."""
    kinds: dict[tuple[str, tuple[str, str]], list[Spec]] = defaultdict(list)
    for spec in specs:
        kinds[spec.head.contrast, spec.kind].append(spec)
    return [spec for round_ in zip_longest(*kinds.values()) for spec in round_ if spec is not None]


def measure(spec: Spec, device: torch.device) -> Case:
    """Make the coarse image, free of noise."""
    truth = spec.head.volume
    wanted = [
        max(native, spec.spacing) if spec.axis in (None, axis) else native
        for axis, native in enumerate(truth.geometry.spacing)
    ]
    coarse = truth.geometry.refined(wanted)
    operator = SliceProfile(truth.geometry, coarse, thickness=coarse.spacing, profile=spec.profile)
    x, region = (torch.from_numpy(np.array(array)).to(device) for array in (truth.array, spec.head.region))
    y = operator.forward(x)
    return Case(spec, Volume(y.cpu().numpy(), coarse), operator, y, x, region)


def noisy(case: Case, sd: float, unit: float | None = None) -> Case:
    """Add white noise of ``sd`` times the head's brightness, or times ``unit``; magnitudes stay magnitudes."""
    if not sd:
        return case
    array = case.volume.array
    noise = sd * (unit or head_brightness(array))
    drawn = np.abs(array + np.random.default_rng(0).normal(0, noise, array.shape)).astype(np.float32)
    y = torch.from_numpy(drawn).to(case.y)
    return replace(case, volume=Volume(drawn, case.volume.geometry), y=y, noise=noise)
