"""Lesions in k-space: the slab is a part of the head, lesions lie inside it, and each method is asked the same."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import kspace_lesions
from benchmarks.kspace_lesions import MARGIN, slab
from medidiff.errors import UsageError
from medidiff.io.nifti import write_nifti
from medidiff.tasks import reconstruct
from medidiff.volume import Geometry, Volume
from tests.test_lesion_probes import head, room

__all__ = ["room"]

SLICES = 18


def lying(order):
    """The head with its axes in another order, so that head and foot are along another axis of the array."""
    some = head()
    array = some.volume.array.transpose(order)
    geometry = Geometry(some.volume.geometry.shape, np.diag([0.9, 1.0, 1.1, 1.0])).permuted(order)
    return replace(some, volume=Volume(array, geometry), region=some.region.transpose(order))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_a_slab_is_a_part_of_the_head_at_its_place(order):
    whole = lying(order)
    some, allowed = slab(whole, SLICES)
    assert some.volume.array.shape[2] == SLICES
    assert some.volume.geometry.spacing[2] == pytest.approx(1.1)
    assert np.argmax(np.abs(some.volume.geometry.directions[2])) == 2
    assert allowed.any()
    assert allowed.shape == some.region.shape == some.volume.array.shape
    for index in np.argwhere(allowed)[::97]:
        there = whole.volume.geometry.index(some.volume.geometry.world(index))
        np.testing.assert_allclose(there, np.round(there), atol=1e-6)
        place = tuple(np.round(there).astype(int))
        assert whole.volume.array[place] == some.volume.array[tuple(index)]
        assert whole.region[place] == some.region[tuple(index)]


@pytest.mark.parametrize("slices", [10, 70])
def test_too_few_slices_or_more_than_there_are_are_refused(slices):
    with pytest.raises(UsageError, match=rf"no slab of so many slices \(found {slices}, needed more than 10"):
        slab(lying((0, 1, 2)), slices)


def test_lesions_lie_wholly_inside_a_slab():
    some, allowed = slab(lying((0, 1, 2)), SLICES)
    depth = np.argwhere(allowed)[:, 2] * some.volume.geometry.spacing[2]
    assert allowed.any()
    assert depth.min() >= MARGIN
    assert (SLICES - 1) * some.volume.geometry.spacing[2] - depth.max() >= MARGIN


def test_healthy_and_sick_heads_are_measured_alike():
    """The same mask, coils, phase and noise: what differs is the lesion's."""
    some, _ = slab(lying((0, 1, 2)), SLICES)
    measured = kspace_lesions._scanner(some, 1)
    sick = replace(some, volume=replace(some.volume, array=some.volume.array * 1.1))
    one, same, other = measured(some), measured(some), measured(sick)
    assert np.array_equal(one.data, same.data)
    assert np.array_equal(one.data == 0, other.data == 0)
    changed = np.linalg.norm(other.data - one.data) / np.linalg.norm(one.data)
    assert changed == pytest.approx(0.1, rel=0.05)


def test_the_program_keeps_rows_and_tables(tmp_path, monkeypatch):
    write_nifti(head().volume, tmp_path / "niimath_T1w.nii", description="test")
    monkeypatch.setattr(kspace_lesions, "MASKS", ("random",))
    monkeypatch.setattr(kspace_lesions, "LINES", {4.0: 8, 8.0: 4})
    monkeypatch.setattr(
        kspace_lesions,
        "_methods",
        lambda given: {"zero-filled": lambda scan: reconstruct(scan, "zero-filled", device="cpu").volume.array},
    )
    told = kspace_lesions.main(f"--data {tmp_path} --output {tmp_path}/out --each 1 --slices {SLICES}".split())
    assert "### Lesions, 4x random" in told
    assert "### Lesions, 8x random" in told
    assert "niimath_T1w z 8x random" in told
    assert (tmp_path / "out" / "lesions.md").read_text() == told
