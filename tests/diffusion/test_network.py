"""The network: the shape of its answer, blocks of voxels that lose nothing, numbers and time that are heard."""

from typing import Any

import pytest
import torch
from torch import nn

from medidiff.diffusion import ConditionalUNet


def network(**changes):
    torch.manual_seed(0)
    told: dict[str, Any] = {
        "maps": 2,
        "numbers": 3,
        "channels": [16, 16],
        "blocks": [1, 1],
        "norm_groups": 8,
        "head_channels": 8,
    }
    made = ConditionalUNet(**(told | changes)).eval()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.1)
    return made.requires_grad_(False)


def inputs(shape, batch=2):
    generator = torch.Generator().manual_seed(1)
    x, maps = (torch.randn(batch, c, *shape, generator=generator) for c in (1, 2))
    return x, maps, torch.randn(batch, 3, generator=generator), torch.rand(batch, generator=generator)


@pytest.mark.parametrize("block_size", [1, 2])
@pytest.mark.parametrize("shape", [(8, 8, 8), (4, 8, 12)])
def test_the_answer_has_the_shape_of_the_image(block_size, shape):
    made = network(block_size=block_size)
    assert made.multiple == 2 * block_size
    assert made(*inputs(shape)).shape == (2, 1, *shape)


@pytest.mark.parametrize("block_size", [1, 2, 4])
def test_no_voxel_is_lost_or_moved_between_space_and_depth(block_size):
    class First(nn.Module):
        """Gives back the channels that are the image."""

        def forward(self, features, _):
            return features[:, : block_size**3]

    made = network(block_size=block_size)
    made.unet = First()
    x, maps, numbers, t = inputs((8, 4, 12))
    assert torch.equal(made(x, maps, numbers, t), x)


def test_everything_that_is_told_is_heard():
    made, (x, maps, numbers, t) = network(), inputs((8, 8, 8))
    answer = made(x, maps, numbers, t)
    for other in (
        (x + 1, maps, numbers, t),
        (x, maps + 1, numbers, t),
        (x, maps, numbers + 1, t),
        (x, maps, numbers, t / 2),
    ):
        assert not torch.allclose(made(*other), answer, atol=1e-4)


def test_each_image_of_a_batch_is_answered_alone():
    made, told = network(), inputs((8, 8, 8))
    torch.testing.assert_close(made(*told)[1:], made(*(part[1:] for part in told)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block_size", [1, 2])
def test_maps_beyond_those_that_it_takes_are_not_seen(block_size):
    made = network(block_size=block_size)
    x, maps, numbers, t = inputs((8, 8, 8))
    assert torch.equal(made(x, torch.cat([maps, maps], 1), numbers, t), made(x, maps, numbers, t))


@pytest.mark.parametrize("block_size", [1, 2])
def test_a_widened_network_gives_the_same_answers_until_it_learns_from_more(block_size):
    made = network(block_size=block_size)
    wide = made.widened(4)
    x, maps, numbers, t = inputs((8, 8, 8))
    told = torch.cat([maps, 3 * maps.flip(1)], 1)
    torch.testing.assert_close(wide(x, told, numbers, t), made(x, maps, numbers, t))
    assert made.maps == 2
    fresh = network(block_size=block_size, maps=4)
    assert {k: v.shape for k, v in wide.state_dict().items()} == {k: v.shape for k, v in fresh.state_dict().items()}
    wide.requires_grad_(True)(x, told, numbers, t).square().mean().backward()
    gradient = wide.unet.conv_in.conv.weight.grad
    first, last = (block_size**3 * (1 + many) for many in (2, 4))
    assert float(gradient[:, first:last].abs().min()) > 0
