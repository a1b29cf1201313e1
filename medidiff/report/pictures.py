"""Pictures as text: PNG in data addresses, grey or coloured, so that a page needs nothing but itself."""

from base64 import b64encode
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medidiff.errors import ResourceError

__all__ = ["colour_bar", "coloured", "grey"]

Array = NDArray[Any]
OUTSIDE = 0
"""Grey level and colour of what lies outside the field of view."""


def grey(image: Array, window: tuple[float, float]) -> str:
    """Draw ``(up, right)`` in grey, first row lowest; black and white are the ends of the window."""
    return _address(Image.fromarray(_levels(image, window)))


def coloured(image: Array, limits: tuple[float, float], palette: str) -> str:
    """Draw ``(up, right)`` in the colours of a matplotlib palette; what is not finite is black."""
    levels = _levels(image, limits)
    levels[~np.isfinite(image[::-1])] = 0
    levels[np.isfinite(image[::-1]) & (levels == 0)] = 1
    picture = Image.fromarray(levels, mode=None).convert("L")
    picture.putpalette(_palette(palette))
    return _address(picture)


def colour_bar(palette: str) -> str:
    """Draw the colours of a palette from left to right."""
    picture = Image.fromarray(np.tile(np.arange(1, 256, dtype=np.uint8), (8, 1)))
    picture.putpalette(_palette(palette))
    return _address(picture)


def _levels(image: Array, window: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = window
    scaled = np.nan_to_num((image - low) / ((high - low) or 1.0), nan=0.0, posinf=1.0, neginf=0.0)
    return np.ascontiguousarray(np.round(255 * np.clip(scaled, 0, 1)).astype(np.uint8)[::-1])


def _address(picture: Image.Image) -> str:
    stream = BytesIO()
    picture.save(stream, format="PNG", optimize=False, compress_level=7)
    return f"data:image/png;base64,{b64encode(stream.getvalue()).decode()}"


@cache
def _palette(name: str) -> bytes:
    """256 colours, the first of them black."""
    try:
        from matplotlib import colormaps
    except ImportError as error:
        hint = "pip install 'medidiff[report]'"
        raise ResourceError("pages need matplotlib", found="not installed", hint=hint) from error
    colours = (255 * colormaps[name](np.linspace(0, 1, 256))[:, :3]).round().astype(np.uint8)
    colours[0] = OUTSIDE
    return colours.tobytes()
