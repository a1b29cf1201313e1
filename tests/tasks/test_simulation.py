"""Thick slices made from a sharp volume state how they were made, and are what the operator measures."""

import numpy as np
import pytest
import torch

from medidiff.errors import UsageError
from medidiff.physics import SliceProfile
from medidiff.tasks import simulate_thick_slices
from medidiff.volume import Geometry, Volume


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("profile", ["gaussian", "rect"])
def test_slices_are_what_the_operator_measures(sharp, axis, profile):
    made = simulate_thick_slices(sharp, spacing=4, slice_thickness=3, axis="xyz"[axis], profile=profile)
    x, y, z = (3.0 if a == axis else 1.0 for a in range(3))
    operator = SliceProfile(sharp.geometry, made.geometry, thickness=(x, y, z), profile=profile)
    expected = operator.forward(torch.tensor(sharp.array)).numpy()
    np.testing.assert_allclose(made.array, expected, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(made.geometry.extent, sharp.geometry.extent)


def test_the_sidecar_tells_how_they_were_made(sharp):
    told = simulate_thick_slices(sharp, spacing=4, slice_thickness=5, axis="x", profile="rect", noise=2).meta
    assert told["source"] == "ball"
    assert {
        "SliceThickness": 5,
        "SpacingBetweenSlices": pytest.approx(4),
        "MedidiffSliceProfile": "rect",
        "MedidiffNoiseSD": 2,
        "MedidiffSimulated": True,
    }.items() <= told["sidecar"].items()


def test_by_default_slices_touch_and_lie_across_the_head(sharp):
    standing = Volume(sharp.array, sharp.geometry.permuted((0, 1, 2)))
    lying = Volume(sharp.array.transpose(2, 0, 1), sharp.geometry.permuted((2, 0, 1)))
    made = [simulate_thick_slices(volume, spacing=4) for volume in (standing, lying)]
    assert [volume.geometry.shape for volume in made] == [(24, 22, 6), (6, 24, 22)]
    assert made[0].meta["sidecar"]["SliceThickness"] == pytest.approx(4)
    np.testing.assert_allclose(made[1].array, made[0].array.transpose(2, 0, 1), rtol=1e-5, atol=1e-3)


def test_noise_has_the_stated_size_and_a_seed(sharp, thick):
    noisy = [simulate_thick_slices(sharp, spacing=4, axis="z", noise=20, seed=seed).array for seed in (1, 1, 2)]
    assert np.std(noisy[0] - thick.array) == pytest.approx(20, rel=0.05)
    assert (noisy[0] == noisy[1]).all()
    assert (noisy[0] != noisy[2]).any()


def test_an_array_seen_backwards_or_locked_is_measured_too(sharp, thick):
    array = sharp.array[:, ::-1]
    backwards = simulate_thick_slices(Volume(array, sharp.geometry), spacing=4, axis="z")
    np.testing.assert_allclose(backwards.array[:, ::-1], thick.array, rtol=1e-5, atol=1e-3)
    locked = sharp.array.copy()
    locked.setflags(write=False)
    simulate_thick_slices(Volume(locked, sharp.geometry), spacing=4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"spacing": 1}, "coarser than the image"),
        ({"spacing": float("nan")}, "coarser than the image"),
        ({"spacing": 4, "slice_thickness": 0}, "thickness must be positive"),
        ({"spacing": 4, "slice_thickness": -2}, "thickness must be positive"),
        ({"spacing": 4, "noise": -1}, "noise must be 0 or more"),
        ({"spacing": 4, "noise": float("inf")}, "noise must be 0 or more"),
        ({"spacing": 4, "profile": "sinc"}, "unknown slice profile"),
        ({"spacing": 4, "axis": "q"}, "unknown axis"),
    ],
    ids=str,
)
def test_what_makes_no_slices_is_refused(options, words):
    volume = Volume(np.ones((4, 4, 16)), Geometry((4, 4, 16), np.eye(4)))
    with pytest.raises(UsageError, match=words):
        simulate_thick_slices(volume, **options)
