"""ISMRMRD/MRD HDF5 (Inati 2017): acquisitions sorted into k-space, by their counters."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medidiff.errors import InputError
from medidiff.io.kspace.hdf5 import checked_size, mrd_group, opened_hdf5, parsed_header
from medidiff.io.kspace.layout import placed
from medidiff.kspace import KSpace
from medidiff.volume import Geometry

__all__ = ["read_mrd"]

NOISE, CALIBRATION, REVERSE = 19, 20, 22
OTHERS = (23, 24, 26, 27, 28, 29, 30, 31)
"""Flags of navigators, phase corrections, feedback, dummies, surface coil scans: bit n is ``1 << n - 1``."""
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def read_mrd(path: Path) -> KSpace:
    """Sort Cartesian acquisitions into one volume or one stack of slices.

    Averages are averaged; noise scans come along; readouts and lines lie where their centres say, so that partial
    Fourier leaves zeros; x is the readout. Readout oversampling and a finer matrix are told, not applied.

    Raises
    ------
    InputError
        If it is not Cartesian, has more than one contrast, phase, repetition or set, or cannot be read.
    """
    with opened_hdf5(path) as file:
        group = file[mrd_group(file)]
        checked_size(group["data"], path, item=400)
        header = parsed_header(group["xml"][0], path)
        rows = group["data"][()]
    head = rows["head"]
    encoding = _encoding(header, path)
    noise_rows, image_rows, warnings = _sorted(head, path)
    data, mask = _filled(rows[image_rows], encoding, path)
    shape = data.shape[1:]
    geometry, order = _geometry(head[image_rows], encoding, shape)
    data, mask = (data, mask) if order is None else (data[..., order], mask[..., order])
    keep, matrix = _wanted(encoding, shape)
    return placed(
        data, path, form="MRD HDF5", encoded=(0, 1, 2) if _is_volume(encoding) else (0, 1), geometry=geometry,
        mask=mask, noise=_noise(rows[noise_rows]), keep=keep, matrix=matrix, meta={"warnings": warnings},
    )  # fmt: skip


def _encoding(header: Any, path: Path) -> Any:
    if not header.encoding:
        raise InputError("MRD header tells no encoding", where=str(path))
    encoding = header.encoding[0]
    kind = getattr(encoding.trajectory, "value", encoding.trajectory)
    if kind != "cartesian":
        raise InputError("not a Cartesian scan", where=str(path), found=str(kind), needed="cartesian")
    return encoding


def _is_volume(encoding: Any) -> bool:
    return int(encoding.encodedSpace.matrixSize.z) > 1


def _flagged(head: NDArray[Any], bits: Sequence[int]) -> NDArray[np.bool_]:
    which = sum(1 << (bit - 1) for bit in bits)
    return np.asarray((head["flags"] & np.uint64(which)) != 0)


def _sorted(head: NDArray[Any], path: Path) -> tuple[NDArray[np.bool_], NDArray[np.bool_], list[str]]:
    """Which acquisitions are noise and which the image, and what was left out."""
    noise, others = _flagged(head, [NOISE]), _flagged(head, OTHERS)
    separate = _flagged(head, [CALIBRATION]) & ~noise & ~others
    image = ~noise & ~others & ~separate
    if not image.any():
        raise InputError("no image acquisitions", where=str(path), found=f"{len(head)} of other kinds")
    for name in ("contrast", "phase", "repetition", "set"):
        if len(values := np.unique(head["idx"][name][image])) > 1:
            found, hint = f"{len(values)} of {name}", "split it: one file each"
            raise InputError("more than one volume", where=str(path), found=found, needed="1", hint=hint)
    if _flagged(head, [REVERSE])[image].any():
        raise InputError("readouts of both directions (EPI)", where=str(path), hint="correct and regrid it first")
    warnings = [f"{int(separate.sum())} separate calibration lines are not used"] if separate.any() else []
    return noise, image, warnings


def _filled(rows: NDArray[Any], encoding: Any, path: Path) -> tuple[NDArray[np.complex64], NDArray[np.bool_]]:
    """``(coil, x, y, z)`` k-space and ``(x, y, z)`` mask."""
    head, space = rows["head"], encoding.encodedSpace.matrixSize
    slices = len(np.unique(head["idx"]["slice"]))
    volume = _is_volume(encoding)
    shape = (int(space.x), int(space.y), int(space.z) if volume else slices)
    data = np.zeros((int(head["active_channels"].max()), *shape), np.complex64)
    counts = np.zeros(shape, np.int32)
    y = _lines(head["idx"]["kspace_encode_step_1"], encoding, 1, shape[1])
    number = np.searchsorted(np.unique(head["idx"]["slice"]), head["idx"]["slice"])
    z = _lines(head["idx"]["kspace_encode_step_2"], encoding, 2, shape[2]) if volume else number
    for row, at_y, at_z in zip(rows, y, z, strict=True):
        first, samples = _readout(row, shape[0])
        end = first + samples.shape[1]
        if first < 0 or end > shape[0] or not (0 <= at_y < shape[1] and 0 <= at_z < shape[2]):
            found = f"readout {first} to {end}, line {at_y}, partition or slice {at_z}"
            needed = f"within {shape}"
            raise InputError("acquisition lies outside k-space", where=str(path), found=found, needed=needed)
        data[:, first:end, at_y, at_z] += samples
        counts[first:end, at_y, at_z] += 1
    return (data / np.maximum(counts, 1)).astype(np.complex64), counts > 0


def _readout(row: Any, n: int) -> tuple[int, NDArray[np.complex64]]:
    """Where a readout begins so that its centre lies at ``n // 2``, and its ``(coil, sample)``."""
    head = row["head"]
    samples = np.ascontiguousarray(row["data"]).view(np.complex64).reshape(int(head["active_channels"]), -1)
    before, after = int(head["discard_pre"]), int(head["discard_post"])
    first = n // 2 - int(head["center_sample"]) + before
    return first, samples[:, before : samples.shape[1] - after]


def _lines(steps: NDArray[Any], encoding: Any, number: int, n: int) -> NDArray[np.int64]:
    """Put the line that is the centre at ``n // 2``."""
    limit = getattr(encoding.encodingLimits, f"kspace_encoding_step_{number}", None)
    centre = int(limit.center) if limit is not None and limit.center is not None else n // 2
    return np.asarray(steps.astype(np.int64) - centre + n // 2)


def _noise(rows: NDArray[Any]) -> NDArray[np.complex64] | None:
    """``(coil, n)`` of all noise scans."""
    if not len(rows):
        return None
    return np.concatenate([_readout(row, 0)[1] for row in rows], axis=1)


def _wanted(encoding: Any, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Voxels of the reconstructed field of view, and the matrix that it is interpolated to."""
    keep, matrix = list(shape), list(shape)
    for axis, name in enumerate("xyz" if _is_volume(encoding) else "xy"):
        ours, wanted = (getattr(s.fieldOfView_mm, name) for s in (encoding.encodedSpace, encoding.reconSpace))
        keep[axis] = max(1, min(shape[axis], round(shape[axis] * float(wanted) / float(ours))))
        matrix[axis] = max(keep[axis], int(getattr(encoding.reconSpace.matrixSize, name)))
    return tuple(keep), tuple(matrix)


def _geometry(
    head: NDArray[Any], encoding: Any, shape: tuple[int, ...]
) -> tuple[Geometry | None, NDArray[np.int64] | None]:
    """Grid from the directions and positions of the slices, and their order along it; None where there are none."""
    _, first = np.unique(head["idx"]["slice"], return_index=True)
    directions = np.stack([head[f"{name}_dir"][first[0]] for name in ("read", "phase", "slice")], 1).astype(float)
    if abs(np.linalg.det(directions)) < 0.5:
        return None, None
    field = encoding.encodedSpace.fieldOfView_mm
    spacing = np.array([float(field.x) / shape[0], float(field.y) / shape[1], float(field.z) / 1])
    positions = head["position"][first].astype(float)
    along = positions @ directions[:, 2]
    order = None
    if _is_volume(encoding):
        spacing[2] = float(field.z) / shape[2]
    elif len(first) > 1:
        order = np.argsort(along, kind="stable")
        spacing[2] = float(np.diff(along[order]).mean()) or spacing[2]
    lowest = positions[0] if order is None else positions[order[0]]
    affine = np.eye(4)
    affine[:3, :3] = LPS_TO_RAS @ directions * spacing
    middle = np.array([shape[0] // 2, shape[1] // 2, shape[2] // 2 if _is_volume(encoding) else 0])
    affine[:3, 3] = LPS_TO_RAS @ lowest - affine[:3, :3] @ middle
    return Geometry(shape, affine), order
