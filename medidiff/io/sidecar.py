"""JSON beside the images: the BIDS sidecar of an input, and what this program tells about an output."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medidiff.errors import InputError
from medidiff.io.atomic import replacing

__all__ = ["SUFFIXES", "plain", "read_json", "read_sidecar", "sidecar_path", "split_suffix", "write_json"]

SUFFIXES = (".nii.gz", ".nii")


def split_suffix(name: str) -> tuple[str, str]:
    """Divide a file name into stem and NIfTI suffix, ``""`` if it has none.

    >>> split_suffix("sub-01_T1w.nii.gz")
    ('sub-01_T1w', '.nii.gz')
    """
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)], name[-len(suffix) :]
    return name, ""


def sidecar_path(nifti: Path) -> Path:
    """Where the sidecar of an image belongs: the same folder and stem, ``.json``."""
    return nifti.with_name(split_suffix(nifti.name)[0] + ".json")


def read_sidecar(nifti_path: Path) -> dict[str, Any]:
    """Read the JSON sidecar beside an image; ``{}`` if there is none.

    Only the file beside the image is read: metadata that BIDS lets an image inherit from folders above are not.

    Raises
    ------
    InputError
        If there is one and it is not a JSON object.
    """
    path = sidecar_path(Path(nifti_path))
    return read_json(path) if path.is_file() else {}


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    InputError
        If it cannot be read or is anything else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError, RecursionError) as error:
        raise InputError("not valid JSON", where=str(path), found=str(error), hint="mend or remove it") from error
    if not isinstance(data, dict):
        raise InputError("not a JSON object", where=str(path), found=type(data).__name__, hint="mend or remove it")
    return data


def write_json(path: Path, data: Mapping[str, Any], *, mode: int | None = None) -> None:
    """Write JSON that appears under its name only when complete, with permissions ``mode`` from the start.

    Bytes of a path that are no UTF-8 (names from older systems) become escapes, and are read back as they were.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    text = json.dumps(plain(data), indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path, mode=mode) as stream:
        stream.write(text.encode(errors="backslashreplace") + b"\n")


def plain(value: Any) -> Any:
    """Turn paths, arrays and numpy numbers into what JSON knows; numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str | bool | int | None):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value)
