import sys

import numpy as np
import pytest
from matplotlib.image import imread

from medidiff.errors import InputError, OutputError, ResourceError
from medidiff.report.figures import montage, plane
from medidiff.volume import Geometry, Volume

GRID = Geometry((6, 8, 10), np.diag([2.0, 1.0, 3.0, 1.0]))


def ramps():
    """A volume whose values tell the world position, R + 100 A + 10000 S."""
    world = GRID.world(np.moveaxis(np.indices(GRID.shape), 0, -1))
    return Volume(world @ np.array([1.0, 100.0, 10000.0]), GRID)


def turned(volume, order, flips):
    """The same image in space, stored in another order and direction."""
    array, grid = volume.array.transpose(order), volume.geometry.permuted(order)
    for axis in flips:
        step = np.eye(4)
        step[axis, axis], step[axis, 3] = -1, grid.shape[axis] - 1
        array, grid = np.flip(array, axis), Geometry(grid.shape, grid.affine @ step)
    return Volume(np.ascontiguousarray(array), grid)


def test_a_plane_grows_rightwards_and_upwards_in_the_world_and_is_as_large_as_the_volume():
    cut = plane(ramps(), 0, 2)
    assert np.isfinite(cut.image).all()
    assert (np.diff(cut.image, axis=1) >= 0).all()
    assert (np.diff(cut.image, axis=0) >= 0).all()
    assert cut.extent == pytest.approx((-1, 11, -1.5, 28.5))
    assert cut.image.shape == (30, 12)


@pytest.mark.parametrize(("right", "up"), [(0, 1), (0, 2), (1, 2)])
@pytest.mark.parametrize(("order", "flips"), [((0, 1, 2), (0, 1)), ((2, 0, 1), ()), ((1, 2, 0), (0, 2))])
def test_how_a_volume_is_stored_does_not_change_the_picture(order, flips, right, up):
    grid = Geometry((7, 9, 11), GRID.affine)  # odd: the middle is a voxel
    volume = Volume(np.random.default_rng(0).normal(size=grid.shape), grid)
    one, other = plane(volume, right, up), plane(turned(volume, order, flips), right, up)
    assert one.extent == pytest.approx(other.extent)
    np.testing.assert_array_equal(one.image, other.image)


def test_an_oblique_volume_leaves_corners_empty():
    c, s = np.cos(0.4), np.sin(0.4)
    grid = Geometry((20, 20, 20), [[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    cut = plane(Volume(np.ones(grid.shape), grid), 0, 1)
    assert np.isnan(cut.image[0, 0])
    assert cut.image[cut.image.shape[0] // 2, cut.image.shape[1] // 2] == 1
    assert np.isfinite(cut.image).sum() == pytest.approx(400, rel=0.05)


def test_coarse_and_fine_are_cut_at_the_same_place_and_take_the_same_room():
    coarse = ramps()
    fine = Volume(np.zeros((12, 8, 30)), coarse.geometry.reshaped((12, 8, 30)))
    for right, up in ((0, 1), (0, 2), (1, 2)):
        assert plane(coarse, right, up).extent == pytest.approx(plane(fine, right, up).extent)


def test_a_picture_is_written_in_grey_and_the_same_each_time(tmp_path):
    volumes = {"one": ramps(), "two": turned(ramps(), (2, 0, 1), (1,))}
    path = montage(volumes, tmp_path / "new" / "m.png", title="a title")
    image = imread(path)
    assert image.ndim == 3
    assert image[..., :3].max() > 0.9
    again = montage(volumes, tmp_path / "again.png", title="a title")
    assert path.read_bytes() == again.read_bytes()
    assert [item.name for item in path.parent.iterdir()] == ["m.png"]


def test_what_cannot_be_drawn_is_told(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no volumes"):
        montage({}, tmp_path / "m.png")
    with pytest.raises(InputError, match="no contrast"):
        montage({"flat": Volume(np.zeros(GRID.shape), GRID)}, tmp_path / "m.png")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        montage({"a": ramps()}, tmp_path / "file" / "m.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ResourceError, match=r"medidiff\[report\]"):
        montage({"a": ramps()}, tmp_path / "m.png")


def test_nothing_draws_until_asked():
    import subprocess

    code = "import sys, medidiff.report; sys.exit('matplotlib' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
