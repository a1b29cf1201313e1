"""What a network of velocities is taught: times, noise, and velocities that lead back to the image."""

import pytest
import torch

from medidiff.diffusion import from_velocity, noised

MANY = 4096


def images(many=MANY):
    return torch.randn((many, 1, 2, 2), generator=torch.Generator().manual_seed(1))


def times_of(skew):
    return noised(images(), torch.Generator().manual_seed(0), pure=0.0, skew=skew)[2]


@pytest.mark.parametrize("skew", [0.5, 1.0, 2.0])
def test_random_times_are_a_power_of_an_even_draw(skew):
    found = times_of(skew)
    assert ((found >= 0) & (found <= 1)).all()
    for share in (0.1, 0.5, 0.9):
        assert float((found <= share**skew).float().mean()) == pytest.approx(share, abs=0.02)


def test_a_skew_of_one_changes_no_draw():
    drawn = torch.rand(MANY, generator=torch.Generator().manual_seed(0))
    assert torch.equal(times_of(1.0), drawn)


def test_velocities_lead_back_to_the_image_at_any_skew():
    r0 = images(8)
    x, v, t = noised(r0, torch.Generator().manual_seed(3), pure=0.0, skew=0.5)
    torch.testing.assert_close(from_velocity(x, v, t), r0)


def test_skewed_times_leave_what_is_noise_and_nothing_else_alone():
    _, _, t = noised(images(32), torch.Generator().manual_seed(0), pure=0.5, skew=2.0)
    assert (t == 1).nonzero().flatten().tolist() == [*range(8), *range(16, 24)]
    assert torch.equal(noised(images(4), torch.Generator(), pure=0.0, blind=True, skew=2.0)[2], torch.ones(4))
