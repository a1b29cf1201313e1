"""Files in and out.

``nifti``
    Volumes from and to NIfTI files; ``header`` has the facts without the voxels.
``sidecar``
    JSON beside images.
``dicom``
    Series and volumes from DICOM objects; needs the extra ``medidiff[dicom]``, and is loaded when there are any.
``discover``
    What is in a folder, and why a thing is left out; ``source`` opens and unpacks, ``studies`` sorts DICOM,
    ``selection`` chooses series.
``atomic``
    Files that appear whole or not at all.
"""

from medidiff.io.discover import Contents, Found, Skipped, discover, explore
from medidiff.io.nifti import Header, check_content, read_header, read_nifti, write_nifti
from medidiff.io.selection import Selection
from medidiff.io.sidecar import read_sidecar, write_json

__all__ = [
    "Contents",
    "Found",
    "Header",
    "Selection",
    "Skipped",
    "check_content",
    "discover",
    "explore",
    "read_header",
    "read_nifti",
    "read_sidecar",
    "write_json",
    "write_nifti",
]
