"""The MONAI door: a 3D ``DiffusionModelUNet`` that works on 2 x 2 x 2 blocks of voxels.

Width at full resolution is what costs, so blocks of voxels become channels first (space to depth; Shi et al. 2016) and
all parameters work at half resolution or deeper.
"""

from collections.abc import Sequence

import torch
from einops import rearrange
from monai.networks.nets import DiffusionModelUNet
from torch import Tensor, nn

__all__ = ["ConditionalUNet"]

TIMESTEPS = 1000
"""Time 1 in the units of MONAI's timestep embedding."""


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
        norm_groups: int = 16,
        head_channels: int = 32,
    ) -> None:
        super().__init__()
        self.block_size = block_size
        self.multiple = block_size * 2 ** (len(channels) - 1)
        voxels = block_size**3
        self.unet = DiffusionModelUNet(
            spatial_dims=3,
            in_channels=(1 + maps) * voxels + numbers,
            out_channels=voxels,
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
            ``(b, 1, X, Y, Z)``, the noisy image; sizes divisible by `multiple`.
        maps
            ``(b, maps, X, Y, Z)``.
        numbers
            ``(b, numbers)``.
        t
            ``(b,)``, time from 0 (clean) to 1 (noise).
        """
        p = self.block_size
        stacked = rearrange(torch.cat([x, maps], 1), "b c (x p) (y q) (z r) -> b (c p q r) x y z", p=p, q=p, r=p)
        constants = numbers[:, :, None, None, None].expand(-1, -1, *stacked.shape[2:])
        features = torch.cat([stacked, constants.to(stacked.dtype)], 1)
        v: Tensor = self.unet(features.contiguous(memory_format=torch.channels_last_3d), TIMESTEPS * t)
        return rearrange(v, "b (p q r) x y z -> b 1 (x p) (y q) (z r)", p=p, q=p, r=p)
