"""K-space in: fastMRI and ISMRMRD HDF5, BART, NumPy, Siemens twix. Reading alone: physics does the rest.

``find``
    Which files are k-space, and `read_kspace`, which reads any of them.
``layout``
    Axes, centre and silent coils checked, the same for all.
``fastmri``, ``mrd``, ``bart``, ``arrays``, ``twix``
    The formats; ``arrays`` and ``bart`` write, too, and ``fastmri`` images. ``hdf5`` opens what two of them share.
"""

from medidiff.io.kspace.arrays import write_arrays
from medidiff.io.kspace.fastmri import write_reconstruction
from medidiff.io.kspace.find import SUFFIXES, find_kspace, is_kspace_name, read_kspace
from medidiff.io.kspace.layout import centre_offset

__all__ = [
    "SUFFIXES",
    "centre_offset",
    "find_kspace",
    "is_kspace_name",
    "read_kspace",
    "write_arrays",
    "write_reconstruction",
]
