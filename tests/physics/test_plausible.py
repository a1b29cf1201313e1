"""What is inferred between samples is told to be as strong as what was measured, or stronger."""

import numpy as np
import pytest
import torch

from medidiff.physics import Fourier
from medidiff.physics.masks import poisson_disc
from medidiff.physics.plausible import inferred_power
from tests.physics.heads import lines

SHAPE = (48, 96, 2)


def like_a_head(axes):
    """``(1, x, y, z)`` k-space whose power falls with the square of the frequency along some axes."""
    draw = torch.randn((1, *SHAPE, 2), generator=torch.Generator().manual_seed(0))
    square = torch.ones(SHAPE)
    for axis in axes:
        lines = torch.arange(SHAPE[axis]) - SHAPE[axis] // 2
        square = square + (lines**2).reshape([-1 if a == axis else 1 for a in range(3)])
    return torch.view_as_complex(draw) / square.sqrt()


def power(changed, mask, axes):
    """Of an image with this k-space, of which the true one was measured."""
    everywhere = Fourier(axes)
    y = like_a_head(axes)
    return inferred_power(everywhere, everywhere.adjoint(changed(y)), y * mask, mask, axes=axes)


LINES = (lines(96, acceleration=3, calibration=12), (1,))
POINTS = (torch.from_numpy(poisson_disc((48, 96), acceleration=4, calibration=12))[..., None], (0, 1))


@pytest.mark.parametrize(("mask", "axes"), [LINES, POINTS], ids=["lines", "points"])
def test_the_truth_has_the_power_that_is_expected(mask, axes):
    assert power(lambda y: y, mask, axes) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(("mask", "axes"), [LINES, POINTS], ids=["lines", "points"])
@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0])
def test_power_goes_with_the_square_of_what_is_inferred(factor, mask, axes):
    changed = power(lambda y: torch.where(mask, y, factor * y), mask, axes)
    assert changed == pytest.approx(factor**2 * power(lambda y: y, mask, axes), rel=1e-4)


def test_bright_bands_in_the_gap_beside_the_calibration_region_are_seen():
    mask, axes = LINES
    gap = (~mask) & (torch.from_numpy(np.abs(np.arange(96) - 48) < 12).reshape(1, 96, 1))
    assert bool(gap.any())
    assert power(lambda y: torch.where(gap, 5 * y, y), mask, axes) > 3


def test_what_was_measured_does_not_count():
    mask, axes = LINES
    one, other = (power(lambda y, f=f: torch.where(mask, f * y, y), mask, axes) for f in (1.0, 3.0))
    assert one == pytest.approx(other, rel=1e-4)


def test_what_lies_beyond_all_samples_is_not_judged():
    padded = torch.zeros(1, 96, 1, dtype=torch.bool)
    padded[:, 24:73] = True
    assert power(lambda y: 100 * y, padded, (1,)) == 0
    gap = padded.clone()
    gap[:, 30] = False
    one, other = (power(lambda y, f=f: torch.where(padded, y, f * y), gap, (1,)) for f in (1.0, 100.0))
    assert one == pytest.approx(other, rel=1e-4)


def test_two_frequencies_tell_no_law():
    mask = torch.zeros(1, 96, 1, dtype=torch.bool)
    mask[:, 48:50] = True
    assert power(lambda y: 100 * y, mask, (1,)) == 0


def test_samples_of_nothing_tell_no_law():
    mask, axes = LINES
    nothing = torch.zeros(1, *SHAPE, dtype=torch.complex64)
    assert inferred_power(Fourier(axes), nothing + 1, nothing, mask, axes=axes) == 0
