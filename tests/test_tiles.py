"""Tiles cover the volume, blend without a trace, and do not depend on how many run at once."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medidiff.tiles import blend, starts

SHAPES = [(17, 23, 19), (16, 16, 16), (5, 33, 16), (3, 1, 7), (40, 9, 18)]


def drawn(shape, channels=2):
    return torch.randn((1, channels, *shape), generator=torch.Generator().manual_seed(0))


def first(x):
    return x[:, :1]


@given(st.integers(1, 200), st.integers(4, 40), st.data())
def test_starts_cover_every_voxel_and_overlap_enough(size, tile, data):
    overlap = data.draw(st.integers(0, tile // 2))
    found = starts(size, tile, overlap)
    assert found[0] == 0
    assert found == sorted(set(found))
    if size <= tile:
        assert found == [0]
    else:
        assert found[-1] == size - tile
        assert all(b - a <= tile - overlap for a, b in itertools.pairwise(found))


@given(st.integers(17, 120))
def test_there_are_no_more_tiles_than_needed(size):
    assert (len(starts(size, 16, 4)) - 2) * 12 + 16 < size


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("overlap", [0, 1, 4, 8])
def test_the_identity_blends_to_the_identity(shape, overlap):
    x = drawn(shape)
    torch.testing.assert_close(blend(first, x, tile=16, overlap=overlap), x[:, :1])


@pytest.mark.parametrize("batch", [2, 3, 100])
def test_the_result_does_not_depend_on_how_many_run_at_once(batch):
    x = drawn((20, 25, 30))

    def function(tiles):
        return tiles[:, :1] * tiles.mean((1, 2, 3, 4), keepdim=True)

    torch.testing.assert_close(
        blend(function, x, tile=12, overlap=4, batch=batch), blend(function, x, tile=12, overlap=4)
    )


def test_a_small_volume_is_one_small_tile_that_goes_on_as_its_mirror_image():
    seen = []

    def look(tiles):
        seen.append(tiles)
        return tiles[:, :1]

    x = drawn((3, 5, 20))
    assert blend(look, x, tile=8, overlap=2, multiple=4).shape == (1, 1, 3, 5, 20)
    assert all(tile.shape == (1, 2, 4, 8, 8) for tile in seen)
    assert torch.equal(seen[0][0, :, :3, :5], x[0, ..., :8])
    assert torch.equal(seen[0][0, :, 3, 5:], x[0, :, 1, [3, 2, 1], :8])


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_noise_beyond_the_faces_is_as_loud_as_within(size):
    seen = []

    def look(tiles):
        seen.append(tiles)
        return tiles

    blend(look, drawn((size, 64, 64), 1), tile=64, overlap=2, multiple=8)
    steps = seen[0].diff(dim=2)
    assert seen[0].shape[2] == 8
    assert size == 1 or steps[:, :, size - 1 :].std() == pytest.approx(2**0.5, rel=0.05)


def test_neighbours_fade_into_each_other():
    """Tiles that answer 0 and 1 meet in a ramp, not in a step."""
    answers = iter([0.0, 1.0])
    x = drawn((28, 16, 16))
    blended = blend(lambda tiles: torch.full_like(tiles[:, :1], next(answers)), x, tile=16, overlap=4)
    line = blended[0, 0, :, 8, 8]
    assert (line.diff() >= 0).all()
    assert line.diff().max() < 0.3
    assert (float(line[0]), float(line[-1])) == (0, 1)


def test_half_precision_is_blended_in_single():
    assert blend(lambda tiles: tiles[:, :1].bfloat16(), drawn((9, 9, 9)), tile=8, overlap=2).dtype == torch.float32


def test_progress_counts_tiles():
    told = []
    blend(first, drawn((28, 28, 16)), tile=16, overlap=4, batch=3, progress=lambda *done: told.append(done))
    assert told == [(3, 4), (4, 4)]
