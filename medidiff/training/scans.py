"""Planes of heads as coils measure them, drawn on the device, and learnt from in several passes.

A network's answer to a plane, pulled to its data, is what the next pass starts from: so it learns from its own mistakes
as it will meet them, and no forward pass is spent on making them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

from medidiff.models import Pairs, as_channels, as_complex, plane_numbers, plane_view, reach, residual_unit
from medidiff.physics import Agreement, Fourier, encoding
from medidiff.physics.coils import low_resolution_maps
from medidiff.physics.fourier import middle
from medidiff.tasks.planes import first_estimate
from medidiff.tasks.refinement import brightness
from medidiff.training.contrast import varied
from medidiff.training.heads import Head
from medidiff.training.pairs import chosen_heads
from medidiff.training.receivers import Receivers, drawn_mask, drawn_phase

__all__ = ["Scans", "draw_scans"]

SHARE = 0.875
"""Edges of planes, in parts of the recipe's patch: one size, for which the network is compiled once."""
COILS, ODDS = (1, 4, 8, 12), (0.1, 0.2, 0.45, 0.25)
"""Coils of a batch, and how often."""
TINTED = 0.25
"""Share of the heads whose tissues differ in phase, as fat does from water."""
SHIFT = 12
"""Voxels that a head may lie off the middle of the field of view."""
DARKEST = 0.02
"""Least unit of the network, in parts of a head's brightness: planes of air have none."""
LOW_RESOLUTION = 24
"""Lines of the middle of k-space that some of the maps are found from."""


@dataclass(frozen=True)
class Scans:
    """A batch of planes, and how far they have come.

    Parameters
    ----------
    target, image
        ``(n, 1, a, b, 1)`` complex: what perfect data would show, and the image so far.
    agree
        Pulls images to the data.
    bright
        ``(n, 1, 1, 1, 1)``, the unit of the network.
    told
        Of each group: acceleration, noise in that unit, coils, and whether planes see no neighbours.
    planes
        Planes of each group, which lie in order.
    stride
        How far later passes go (`medidiff.models.reach`).
    passes
        How many were made.
    """

    target: Tensor
    image: Tensor
    agree: Agreement
    bright: Tensor
    told: tuple[tuple[float, float, int, bool], ...]
    planes: int
    stride: float = 1.0
    passes: int = 0

    def pairs(self) -> Pairs:
        """What the network sees and should answer: ``(n, 2, a, b)``, ``(n, 10, a, b)`` and ``(n, numbers)``."""
        maps, turn = self._view()
        rows = [
            plane_numbers(acceleration=acceleration, noise=noise, coils=coils, refined=self.passes)
            for acceleration, noise, coils, _ in self.told
        ]
        numbers = torch.tensor(rows, device=maps.device).repeat_interleave(self.planes, 0)
        residual = ((self.target - self.image) / (self.bright * self._units))[:, 0, ..., 0]
        return Pairs(as_channels(residual * turn), maps, numbers)

    def refined(self, answer: Tensor) -> "Scans":
        """Make the next pass's start of the answer ``v`` at time 1, ``(n, 2, a, b)``."""
        with torch.no_grad():
            r0 = -as_complex(answer.detach().float()) * self._view()[1].conj()
            far = reach(self.passes, self.stride) * self.bright * self._units
            found = self.image + far * r0[:, None, ..., None]
            return replace(self, image=self.agree(found), passes=self.passes + 1)

    def _view(self) -> tuple[Tensor, Tensor]:
        """What the network sees of each plane, and how it is turned."""
        images, units = (part[:, 0, ..., 0] for part in (self.image / self.bright, self._units))
        views = [
            plane_view(some, unit=unit, alone=alone)
            for some, unit, (*_, alone) in zip(
                torch.split(images, self.planes), torch.split(units, self.planes), self.told, strict=True
            )
        ]
        maps, turn = (torch.cat(parts) for parts in zip(*views, strict=True))
        return maps, turn

    @property
    def _units(self) -> Tensor:
        """``(n, 1, 1, 1, 1)``: of residuals, relative to the brightness."""
        units = [
            residual_unit(acceleration=acceleration, noise=noise, refined=self.passes)
            for acceleration, noise, *_ in self.told
        ]
        each = torch.tensor(units, device=self.bright.device).repeat_interleave(self.planes)
        return each.reshape(-1, 1, 1, 1, 1)


def draw_scans(
    heads: Sequence[Head],
    receivers: Receivers,
    *,
    seed: Sequence[int],
    groups: int,
    patches: int,
    size: int,
    stride: float = 1.0,
) -> Scans:
    """Draw a batch: some heads, each with a mask, coils and noise of its own, and several neighbouring planes.

    Parameters
    ----------
    heads
        To draw from, by the weight of their group.
    receivers
        Coils and masks in stock.
    seed
        Decides everything.
    groups, patches, size
        Heads, planes of each, and the planes' longest edge in voxels.
    stride
        How far later passes will go.
    """
    rng = np.random.default_rng(list(seed))
    a = b = int(size * SHARE) // 16 * 16
    coils = int(rng.choice(COILS, p=ODDS))
    usable = [head for head in heads if _across(head)]
    drawn = [_measured(head, receivers, rng, (patches, a, b), coils) for head in chosen_heads(usable, rng, groups)]
    target, y, mask, maps, noise = (torch.cat([getattr(one, name) for one in drawn]) for name in _Plane.tensors)
    operator = encoding(mask, maps[None], axes=(0, 1))
    allowed = noise * (mask.sum((1, 2, 3, 4), keepdim=True) * coils).sqrt()
    image = first_estimate(operator, y, allowed=allowed)
    parts = torch.split(image, patches)
    bright = torch.tensor([max(DARKEST, brightness(part)) for part in parts], device=image.device)
    told = tuple(
        (one.acceleration, float(one.noise[0]) / float(unit), coils, one.alone)
        for one, unit in zip(drawn, bright, strict=True)
    )
    bright = bright.repeat_interleave(patches).reshape(-1, 1, 1, 1, 1)
    return Scans(target, image, Agreement(operator, y, noise=noise), bright, told, patches, stride)


@dataclass(frozen=True)
class _Plane:
    """Planes of one head: ``(n, 1, a, b, 1)``, ``(n, coil, a, b, 1)`` twice, ``(n, 1, a, b, 1)`` and the noise."""

    target: Tensor
    y: Tensor
    mask: Tensor
    maps: Tensor
    noise: Tensor
    acceleration: float
    alone: bool

    tensors = ("target", "y", "mask", "maps", "noise")


def _across(head: Head) -> list[int]:
    """Axes whose planes are sharp."""
    return [axis for axis in range(3) if all(other in head.group.sharp for other in range(3) if other != axis)]


def _measured(head: Head, receivers: Receivers, rng: Generator, shape: tuple[int, int, int], coils: int) -> _Plane:
    """Draw neighbouring planes of a head and measure them."""
    device = head.voxels.device
    noise = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    magnitude, distance = _planes(head, rng, noise, shape)
    of_tissue = rng.uniform(-0.6, 0.6) if rng.random() < TINTED else 0.0
    image = torch.polar(magnitude, drawn_phase(rng, noise, shape, device) + of_tissue * magnitude)
    maps = receivers.maps(rng, coils, shape, millimetres=distance)
    seen = maps * image
    mask = drawn_mask(rng, receivers, shape[1:], coils=coils).to(device)
    sd, misjudged = float(np.exp(rng.uniform(np.log(0.002), np.log(0.06)))), float(rng.uniform(0.9, 1.15))
    draw = torch.randn((*seen.shape, 2), generator=noise, device=device)
    full = Fourier((1, 2)).forward(seen) + sd / 2**0.5 * torch.view_as_complex(draw)
    known = _known_maps(maps, full, magnitude, rng)
    target = (known.conj() * seen).sum(0)
    y = (full * mask).movedim(0, 1)[..., None]
    return _Plane(
        target[:, None, ..., None],
        y,
        mask.expand(shape[1:])[None, None, ..., None].expand(shape[0], -1, -1, -1, -1),
        known.movedim(0, 1)[..., None],
        torch.full((shape[0], 1, 1, 1, 1), sd * misjudged, device=device),
        mask.numel() / int(mask.sum()),
        bool(rng.random() < 0.3),
    )


def _planes(head: Head, rng: Generator, noise: torch.Generator, shape: tuple[int, int, int]) -> tuple[Tensor, float]:
    """``(n, a, b)`` planes, thin or thick, turned and scaled a little; and how many mm they are apart."""
    across = int(rng.choice(_across(head)))
    order = [*rng.permutation([axis for axis in range(3) if axis != across]).tolist(), across]
    extents = [head.voxels.shape[axis] for axis in order]
    step = int(rng.integers(1, max(2, min(6, extents[2] // shape[0]) + 1)))
    deep = min(extents[2], step * shape[0])
    first = int(head.centres[rng.integers(len(head.centres)), across]) - deep // 2
    first = int(np.clip(first, 0, extents[2] - deep))
    planes = head.patches([[0, 0, first]], order, [*extents[:2], deep])
    slab = varied(planes, head.labels, rng, noise, remap=head.group.remap, shaded=head.group.shaded)
    thick = step if rng.random() < 0.5 else 1
    stack = slab[0, 0].movedim(-1, 0)
    index = np.minimum(np.arange(shape[0])[:, None] * step + np.arange(thick), deep - 1)
    planes = stack[torch.from_numpy(index).to(stack.device)].mean(1)
    centre = np.round(head.centres[:, order[:2]].mean(0) - (np.array(extents[:2]) - 1) / 2)
    return _placed(planes, centre, rng, shape[1:]), step * head.spacing[across]


def _placed(planes: Tensor, centre: NDArray[np.float64], rng: Generator, shape: Sequence[int]) -> Tensor:
    """Lay ``(n, A, B)`` into a field of view ``(n, a, b)``: half of them only shifted, half turned and scaled.

    What is ``centre`` voxels off the middle of the planes comes to lie about the middle of the field of view.
    """
    turn, zoom = (rng.uniform(-0.3, 0.3), rng.uniform(0.8, 1.15)) if rng.random() < 0.5 else (0.0, 1.0)
    had, wanted = np.array(planes.shape[1:]), np.array(shape)
    shift = centre + rng.integers(-SHIFT, SHIFT + 1, 2) + (wanted - had) % 2 / 2
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / zoom
    rows, offset = linear * rng.choice([-1.0, 1.0], 2) * wanted / had[:, None], 2 * shift / had
    theta = np.concatenate([rows[::-1, ::-1], offset[::-1, None]], 1)
    grid = affine_grid(torch.tensor(theta[None], dtype=torch.float32), [1, 1, *shape], align_corners=False)
    grid = grid.to(planes.device).expand(len(planes), -1, -1, -1)
    return grid_sample(planes[:, None], grid, mode="bicubic", align_corners=False)[:, 0].clamp_min(0)


def _known_maps(maps: Tensor, full: Tensor, magnitude: Tensor, rng: Generator) -> Tensor:
    """``(coil, n, a, b)``: the sensitivities as a calibration finds them, of root sum of squares 1 or, in air, 0."""
    coils, *shape = maps.shape
    if coils == 1:
        return maps
    if rng.random() < 0.5:
        edge = [min(n, LOW_RESOLUTION + int(rng.integers(0, 17))) for n in shape[1:]]
        maps = low_resolution_maps(full[middle(shape, (shape[0], *edge))], shape, axes=(1, 2))[0]
    if rng.random() < 0.6:
        maps = maps * (avg_pool2d(magnitude[:, None], 9, stride=1, padding=4) > 0.05)[:, 0]
    return maps
