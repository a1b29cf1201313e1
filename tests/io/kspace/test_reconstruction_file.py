"""Images in the form that fastMRI's challenge takes."""

import h5py
import numpy as np
import pytest

from medidiff.errors import OutputError
from medidiff.io.kspace import write_reconstruction
from medidiff.volume import Geometry, Volume


def volume(dtype=np.float32):
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4).astype(dtype)
    return Volume(array, Geometry((2, 3, 4), np.eye(4)))


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_magnitudes_lie_slice_by_slice(tmp_path, dtype):
    write_reconstruction(volume(dtype), tmp_path / "scan.h5")
    with h5py.File(tmp_path / "scan.h5") as file:
        stored = file["reconstruction"]
        assert stored.shape == (4, 2, 3)
        assert stored.dtype == np.float32
        np.testing.assert_array_equal(stored[3], volume().array[..., 3])
        assert file.attrs["notice"] == "research use only"


def test_nothing_is_left_where_it_cannot_be_written(tmp_path):
    (tmp_path / "scan.h5").mkdir()
    with pytest.raises(OutputError):
        write_reconstruction(volume(), tmp_path / "scan.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["scan.h5"]
