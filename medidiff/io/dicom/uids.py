"""Names of DICOM objects that follow from what they are: the same content, the same name."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from medidiff.io.sidecar import plain
from medidiff.volume import Volume

__all__ = ["identity_of", "uid_of"]

CHUNK = 16
"""Planes of an array that are hashed at a time."""


def identity_of(volume: Volume, told: Mapping[str, Any]) -> str:
    """Digest of voxels, grid and all that led to them.

    The voxels belong to it because another device may round differently: two objects of one name and other content
    are what an archive silently drops.

    Parameters
    ----------
    volume
        ``(x, y, z)``.
    told
        Sources, model, options and seed, ready for JSON.
    """
    digest = hashlib.sha256(json.dumps(plain(told), sort_keys=True).encode())
    digest.update(repr((volume.geometry.shape, volume.geometry.affine.round(6).tolist())).encode())
    for start in range(0, len(volume.array), CHUNK):
        digest.update(np.ascontiguousarray(volume.array[start : start + CHUNK], dtype="<f4").data)
    return digest.hexdigest()


def uid_of(identity: str, *part: object) -> str:
    """UID of a part of what has this identity: ``2.25.`` and a name-based UUID (PS3.5 B.2, RFC 4122 version 5).

    >>> uid_of("a", "series") == uid_of("a", "series") != uid_of("a", "instance", 1)
    True
    """
    return f"2.25.{uuid5(NAMESPACE_OID, '/'.join(['medidiff', identity, *map(str, part)])).int}"
