"""Lesions put into a head that is measured again: what every method leaves of them, and blobs that it invents."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Head
from benchmarks.tables import IDENTITY
from medidiff.evaluation.blobs import Detector, invented
from medidiff.evaluation.lesions import SIZES, Lesion, painted, recovered, scattered

__all__ = ["BLOBS", "LESIONS", "Keep", "probe_head"]

LESIONS = (*IDENTITY, "seed", "diameter", "sign", "method", "contrast_recovered", "volume", "shift", "detected")
BLOBS = (*IDENTITY, "diameter", "method", "bright", "dark", "tissue_cm3")

Array = NDArray[np.float32]
Keep = Callable[[dict[str, Any]], None]
Measured = TypeVar("Measured")


def probe_head(
    head: Head,
    facts: Mapping[str, Any],
    measured: Callable[[Head], Measured],
    methods: Mapping[str, Callable[[Measured], Array]],
    keep: Keep,
    keep_blobs: Keep,
    *,
    allowed: NDArray[np.bool_],
    contrast: float,
    each: int,
    repeats: int = 1,
    draw: Callable[[Measured, Sequence[Lesion], Mapping[str, Array]], Any] | None = None,
) -> None:
    """Put lesions into a head, ``repeats`` times, and score each by every method; count blobs without them.

    Parameters
    ----------
    head, facts
        The reference, and what identifies the case in a table.
    measured, methods
        How a head is measured, and images ``(x, y, z)`` on its grid made of that, by method.
    keep, keep_blobs
        Called with each row.
    allowed
        ``(x, y, z)``, where lesions may be and blobs count.
    contrast, each
        See `medidiff.evaluation.lesions.scattered`; half of the contrast makes a blob.
    draw
        Called with the first measurement that has lesions, these, and the images.
    """
    well = measured(head)
    plain = {name: method(well) for name, method in methods.items()}
    for row in _blobs(head, plain, allowed, contrast / 2):
        keep_blobs({**facts, **row})
    geometry, truth = head.volume.geometry, head.volume.array
    detectors = {name: Detector(image - truth, geometry, allowed, SIZES) for name, image in plain.items()}
    for seed in range(repeats):
        lesions = scattered(head.volume, allowed, contrast=contrast, each=each, seed=seed)
        sick = measured(with_lesions(head, lesions))
        images = {name: method(sick) for name, method in methods.items()}
        for row in _scored(lesions, plain, images, detectors):
            keep({**facts, "seed": seed, **row})
        if draw is not None and seed == 0:
            draw(sick, lesions, images)


def with_lesions(head: Head, lesions: Sequence[Lesion]) -> Head:
    """Give the head that has the lesions too."""
    array = head.volume.array + painted(head.volume.geometry, lesions)
    return replace(head, volume=replace(head.volume, array=array))


def _blobs(
    head: Head, plain: Mapping[str, Array], allowed: NDArray[np.bool_], contrast: float
) -> Iterator[dict[str, Any]]:
    cubic_centimetres = float(allowed.sum() * np.prod(head.volume.geometry.spacing) / 1000)
    for name, image in plain.items():
        for size in SIZES:
            bright, dark = invented(image, head.volume, allowed, diameter=size, contrast=contrast)
            told = {"diameter": size, "method": name, "bright": bright, "dark": dark}
            yield told | {"tissue_cm3": cubic_centimetres}


def _scored(
    lesions: Sequence[Lesion], plain: Mapping[str, Array], images: Mapping[str, Array], detectors: dict[str, Detector]
) -> Iterator[dict[str, Any]]:
    for name, image in images.items():
        added, detector = image - plain[name], detectors[name]
        for lesion in lesions:
            found = asdict(recovered(added, detector.geometry, lesion))
            found["contrast_recovered"] = found.pop("contrast")
            told = {"diameter": lesion.diameter, "sign": lesion.sign, "method": name}
            yield told | found | {"detected": int(detector.finds(added, lesion))}
