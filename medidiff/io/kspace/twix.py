"""Siemens twix raw data, by twixtools: Cartesian, one volume or one stack of slices."""

import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medidiff.errors import InputError, ResourceError
from medidiff.io.kspace.layout import placed
from medidiff.kspace import KSpace
from medidiff.volume import Geometry

__all__ = ["read_twix"]

ONE_VOLUME = ("Ide", "Idd", "Idc", "Idb", "Ida", "Set", "Rep", "Phs", "Eco")
"""Counters that must not count, for there to be one volume; segments and averages are averaged."""
CARTESIAN = 1
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def read_twix(path: Path) -> KSpace:
    """Read the last measurement of a twix file, x along the readout, y the lines, z partitions or slices.

    Nothing of the header that names a patient is kept.

    Raises
    ------
    ResourceError
        If twixtools is not installed.
    InputError
        If it cannot be read, is not Cartesian, or has more than one volume.
    """
    if find_spec("twixtools") is None:
        raise ResourceError("Siemens twix needs twixtools", where=str(path), hint="pip install 'medidiff[twix]'")
    scan = _mapped(path)
    array, counts = scan["image"], dict(zip(scan["image"].dims, scan["image"].shape, strict=True))
    if several := [f"{counts[name]} of {name}" for name in ONE_VOLUME if counts[name] > 1]:
        raise InputError("more than one volume", where=str(path), found=", ".join(several), needed="1 of each")
    partitions, slices = counts["Par"], counts["Sli"]
    if partitions > 1 and slices > 1:
        raise InputError("several slabs", where=str(path), found=f"{slices} slabs of {partitions} partitions")
    samples = _samples(array, path)
    data = samples.reshape(partitions * slices, counts["Lin"], counts["Cha"], counts["Col"]).transpose(2, 3, 1, 0)
    geometry, order = _geometry(scan["geometry"], data.shape[1:], slab=slices == 1)
    return placed(
        data if order is None else data[..., order], path, form="Siemens twix",
        encoded=(0, 1, 2) if partitions > 1 else (0, 1), geometry=geometry, noise=_noise(scan),
        keep=_keep(scan["geometry"], data.shape[1:]),
    )  # fmt: skip


def _mapped(path: Path) -> Mapping[str, Any]:
    """Map the last measurement, checked to be Cartesian."""
    import twixtools

    if not _looks_like_twix(path):
        raise InputError("not a Siemens twix file", where=str(path), needed="a .dat of syngo MR B, D, E or X")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scan = twixtools.read_twix(str(path), parse_pmu=False, verbose=False)[-1]
            mapped = twixtools.map_twix([scan], verbose=False)[-1]
        kind = int(scan["hdr"]["MeasYaps"]["sKSpace"].get("ucTrajectory", CARTESIAN))
        image = mapped["image"]
        image.flags["average"]["Ave"] = image.flags["average"]["Seg"] = True
        image.flags["zf_missing_lines"] = True
    except Exception as error:  # whatever its parser meets in a stranger's file
        found = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError("twix file cannot be read", where=str(path), found=found, hint="copy it again") from error
    if kind != CARTESIAN:
        raise InputError("not a Cartesian scan", where=str(path), found=f"trajectory {kind}", needed="1 (Cartesian)")
    return {**mapped, "geometry": scan["geometry"]}


def _looks_like_twix(path: Path) -> bool:
    """Whether the first words are those of a file of several measurements, or the length of one's header."""
    with path.open("rb") as stream:
        first = np.frombuffer(stream.read(8).ljust(8, b"\0"), "<u4")
    several = first[0] < 10_000 and 0 < first[1] <= 64
    return bool(several or 10_000 <= first[0] < path.stat().st_size)


def _samples(array: Any, path: Path) -> NDArray[np.complex64]:
    try:
        return np.asarray(array[:])
    except (ValueError, IndexError, OSError) as error:
        hint = "copy it again"
        raise InputError("twix file is cut short or damaged", where=str(path), found=str(error), hint=hint) from error


def _noise(scan: Mapping[str, Any]) -> NDArray[np.complex64] | None:
    """``(coil, n)`` of the noise adjustment, if the measurement has one."""
    if "noise" not in scan:
        return None
    samples = np.asarray(scan["noise"][:])
    return samples.reshape(-1, *samples.shape[-2:]).transpose(1, 0, 2).reshape(samples.shape[-2], -1)


def _keep(slices: Any, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Twix headers tell the readout's field of view twofold oversampled, as it is always measured."""
    doubled = shape[0] == int(slices[0].resolution[0]) and shape[0] % 2 == 0
    return (shape[0] // 2 if doubled else shape[0]), shape[1], shape[2]


def _geometry(slices: Any, shape: tuple[int, ...], *, slab: bool) -> tuple[Geometry | None, NDArray[np.int64] | None]:
    """Grid in RAS+ mm, and the order of the slices along it."""
    first = slices[0]
    spacing = np.array([first.fov[0] / shape[0], first.fov[1] / shape[1], first.fov[2] / (shape[2] if slab else 1)])
    turn = np.asarray(first.prs_to_pcs() if callable(getattr(first, "prs_to_pcs", None)) else first._prs_to_pcs_mat)
    directions = LPS_TO_RAS @ turn[:, [1, 0, 2]]
    offsets = np.array([LPS_TO_RAS @ np.asarray(each.offset, dtype=float) for each in slices])
    order = None
    if not slab:
        if len(offsets) != shape[2]:
            return None, None
        along = offsets @ directions[:, 2]
        order = np.argsort(along, kind="stable")
        spacing[2] = float(np.diff(along[order]).mean()) or spacing[2]
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    middle = np.array([shape[0] // 2, shape[1] // 2, shape[2] // 2 if slab else 0])
    affine[:3, 3] = offsets[0 if order is None else order[0]] - affine[:3, :3] @ middle
    return Geometry(shape, affine), order
