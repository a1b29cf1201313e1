"""The MONAI door: a ``DiffusionModelUNet``, 2D or 3D, that works on blocks of 2 voxels along each edge.

Width at full resolution is what costs, so blocks of voxels become channels first (space to depth; Shi et al. 2016) and
all parameters work at half resolution or deeper.
"""

import copy
import math
from collections.abc import Sequence

import torch
from einops import rearrange
from monai.networks.nets import DiffusionModelUNet
from torch import Tensor, nn

__all__ = ["ConditionalUNet"]

TIMESTEPS = 1000
"""Time 1 in the units of MONAI's timestep embedding."""
DEPTH = {2: "b c (x p) (y q) -> b (c p q) x y", 3: "b c (x p) (y q) (z r) -> b (c p q r) x y z"}
SPACE = {2: "b (c p q) x y -> b c (x p) (y q)", 3: "b (c p q r) x y z -> b c (x p) (y q) (z r)"}
LAYOUT = {2: torch.channels_last, 3: torch.channels_last_3d}


class ConditionalUNet(nn.Module):
    """Predicts ``v`` (Salimans & Ho 2022) of a noisy image, given condition maps and condition numbers.

    Parameters
    ----------
    maps, numbers
        How many condition maps (with a value per voxel) and condition numbers (with one value per image) come in.
    channels, blocks
        Width and residual blocks of each level.
    block_size
        Edge of the voxel blocks that become channels; 1 turns this off.
    dims
        2 or 3: axes of an image.
    images
        Channels of the noisy image and of the answer: 1, or 2 for real and imaginary parts.
    norm_groups, head_channels
        Of the group norms and of the attention in the middle.
    """

    def __init__(
        self,
        *,
        maps: int,
        numbers: int,
        channels: Sequence[int],
        blocks: Sequence[int],
        block_size: int = 2,
        dims: int = 3,
        images: int = 1,
        norm_groups: int = 16,
        head_channels: int = 32,
    ) -> None:
        super().__init__()
        self.dims, self.maps, self.images = dims, maps, images
        self.edges = dict(zip("pqr"[:dims], [block_size] * dims, strict=True))
        self.multiple = block_size * 2 ** (len(channels) - 1)
        voxels = block_size**dims
        self.unet = DiffusionModelUNet(
            spatial_dims=dims,
            in_channels=(images + maps) * voxels + numbers,
            out_channels=images * voxels,
            channels=tuple(channels),
            num_res_blocks=tuple(blocks),
            attention_levels=(False,) * len(channels),
            norm_num_groups=norm_groups,
            num_head_channels=head_channels,
            use_flash_attention=True,
        )

    def forward(self, x: Tensor, maps: Tensor, numbers: Tensor, t: Tensor) -> Tensor:
        """Predict ``v = alpha eps - sigma x0``.

        Parameters
        ----------
        x
            ``(b, images, X, Y, Z)`` or ``(b, images, X, Y)``, the noisy image; sizes divisible by `multiple`.
        maps
            ``(b, maps, X, Y, Z)`` or ``(b, maps, X, Y)``; there may be more than it takes.
        numbers
            ``(b, numbers)``.
        t
            ``(b,)``, time from 0 (clean) to 1 (noise).
        """
        stacked = rearrange(torch.cat([x, maps[:, : self.maps]], 1), DEPTH[self.dims], **self.edges)
        constants = numbers.reshape(*numbers.shape, *[1] * self.dims).expand(-1, -1, *stacked.shape[2:])
        features = torch.cat([stacked, constants.to(stacked.dtype)], 1)
        v: Tensor = self.unet(features.contiguous(memory_format=LAYOUT[self.dims]), TIMESTEPS * t)
        return rearrange(v, SPACE[self.dims], **self.edges)

    def widened(self, maps: int) -> "ConditionalUNet":
        """Make a copy that takes more maps and gives the same answers, whatever is in them, until it learns."""
        wide = copy.deepcopy(self)
        first = wide.unet.conv_in.conv
        more = (maps - self.maps) * math.prod(self.edges.values())
        after = (self.images + self.maps) * math.prod(self.edges.values())
        old, none = first.weight.detach(), first.weight.new_zeros(first.weight.shape[0], more, *first.weight.shape[2:])
        first.weight = nn.Parameter(torch.cat([old[:, :after], none, old[:, after:]], 1))
        first.in_channels += more
        wide.maps = maps
        return wide
