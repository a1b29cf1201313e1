"""What a file of k-space is, and whether it would be reconstructed."""

from pathlib import Path
from typing import Any

from medidiff.errors import MedidiffError
from medidiff.io.kspace import centre_offset, read_kspace

__all__ = ["kspace_outlook"]

FACTS = (
    "path",
    "readable",
    "format",
    "coils",
    "shape",
    "encoded",
    "acceleration",
    "centre_offset",
    "largest",
    "noise_samples",
    "maps",
    "keep",
    "matrix",
    "spacing_mm",
    "geometry_known",
    "reason",
    "warnings",
)
"""What is told of every file of k-space, in this order."""


def kspace_outlook(path: Path) -> dict[str, Any]:
    """Tell the `FACTS` of a file; all of it is read, since axes, centre and scale show in the samples alone."""
    told: dict[str, Any] = dict.fromkeys(FACTS) | {"path": str(path), "readable": False, "reason": "", "warnings": ()}
    try:
        kspace = read_kspace(path)
    except MedidiffError as error:
        return told | {"reason": str(error)}
    mask = kspace.sampled
    return told | {
        "readable": True,
        "format": kspace.meta.get("format"),
        "coils": len(kspace.data),
        "shape": kspace.geometry.shape,
        "encoded": "".join("xyz"[axis] for axis in kspace.encoded),
        "acceleration": mask.size / int(mask.sum()),
        "centre_offset": centre_offset(kspace),
        "largest": float(abs(kspace.data).max()),
        "noise_samples": 0 if kspace.noise is None else kspace.noise.shape[1],
        "maps": 0 if kspace.maps is None else len(kspace.maps),
        "keep": kspace.keep,
        "matrix": kspace.matrix,
        "spacing_mm": kspace.geometry.spacing,
        "geometry_known": bool(kspace.meta.get("geometry_known")),
        "warnings": tuple(kspace.meta.get("warnings", ())),
    }
