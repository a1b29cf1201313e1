"""Some samples are left out, of the middle and of the rest, and how well they are predicted is told."""

import pytest
import torch

from medidiff.physics import Fourier
from medidiff.physics.left_out import divided, misled, trial_errors
from tests.physics.heads import lines

SHAPE = (1, 40, 1)


@pytest.mark.parametrize("seed", range(3))
def test_every_sample_is_shown_or_left_out_of_the_region_or_of_the_rest(seed):
    mask = lines(acceleration=2, calibration=12)
    shown, (inside, outside) = divided(mask, (48, 12, 1), seed)
    assert torch.equal(shown.int() + inside.int() + outside.int(), mask.int())
    assert bool(inside[:, 14:26].any())
    assert not bool(outside[:, 14:26].any())
    assert int(inside.sum()) == int(outside.sum()) == 1


def test_the_same_seed_leaves_out_the_same():
    mask = lines(acceleration=2, calibration=12)
    one, other, another = (divided(mask, (48, 12, 1), seed)[0] for seed in (1, 1, 2))
    assert torch.equal(one, other)
    assert not torch.equal(one, another)


def test_errors_are_shares_of_what_was_left_out():
    truth = torch.randn(1, 1, 40, 1, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    everywhere = Fourier((1,))
    hidden = [torch.ones(SHAPE, dtype=torch.bool)]
    images = iter([0 * truth, 0.5 * truth, truth / 1.1, 2 * truth])
    errors = list(trial_errors(images, everywhere, everywhere.forward(truth), hidden))
    assert errors == pytest.approx([1, 0.25, (1 - 1 / 1.1) ** 2, 1], rel=1e-4)
    assert [misled(errors[:n]) for n in range(1, 5)] == [False, False, False, True]
