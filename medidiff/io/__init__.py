"""Files in and out.

``nifti``
    Volumes from and to NIfTI files; ``header`` has the facts without the voxels.
``sidecar``
    JSON beside images.
``discover``
    What is in a folder, and why a thing is left out.
``atomic``
    Files that appear whole or not at all.
"""

from medidiff.io.discover import Found, Skipped, discover
from medidiff.io.nifti import Header, check_content, read_header, read_nifti, write_nifti
from medidiff.io.sidecar import read_sidecar, write_json

__all__ = [
    "Found",
    "Header",
    "Skipped",
    "check_content",
    "discover",
    "read_header",
    "read_nifti",
    "read_sidecar",
    "write_json",
    "write_nifti",
]
