"""A measurement cut into planes: what a network of planes works on, and each plane's agreement with its own data."""

from dataclasses import dataclass

from torch import Tensor

from medidiff.physics import conjugate_gradients
from medidiff.physics.linop import LinearOperator
from medidiff.physics.sense import encoding
from medidiff.tasks.measurement import Measurement

__all__ = ["Planes", "first_estimate", "plane_order", "planes_of"]

FIRST_ITERATIONS = 10
"""Of conjugate gradients for the image that the first pass starts from, unless the noise is reached before."""


@dataclass(frozen=True)
class Planes:
    """A batch of planes, measured as ``y = A x + noise``.

    Images are ``(m, set, a, b, d)``: where planes do not share data, ``m`` planes of ``d = 1``; else ``m = 1``.

    Parameters
    ----------
    operator, y
        ``A``, and ``(m, coil, a, b, d)``.
    order
        Which of ``(x, y, z)`` are ``a``, ``b`` and the axis across.
    apart
        Whether planes do not share data.
    allowed
        ``||A x - y||`` that the noise explains in each of the ``m``.
    """

    operator: LinearOperator
    y: Tensor
    order: tuple[int, int, int]
    apart: bool
    allowed: float

    def taken(self, images: Tensor) -> Tensor:
        """``(set, x, y, z)`` to ``(m, set, a, b, d)``."""
        turned = images.permute(0, *(axis + 1 for axis in self.order))
        return turned.permute(3, 0, 1, 2)[..., None] if self.apart else turned[None]

    def given(self, images: Tensor) -> Tensor:
        """``(..., m, set, a, b, d)`` to ``(..., set, x, y, z)``."""
        turned = images[..., 0].movedim(-4, -1) if self.apart else images.squeeze(-5)
        back = [self.order.index(axis) - 3 for axis in range(3)]
        return turned.permute(*range(turned.ndim - 3), *(turned.ndim + axis for axis in back))

    def listed(self, images: Tensor) -> Tensor:
        """``(..., m, set, a, b, d)`` to ``(..., set, n, a, b)``, planes in order along the axis across."""
        if self.apart:
            return images[..., 0].movedim(-4, -3)
        return images.squeeze(-5).movedim(-1, -3)

    def unlisted(self, planes: Tensor) -> Tensor:
        """``(..., set, n, a, b)`` to ``(..., m, set, a, b, d)``."""
        if self.apart:
            return planes.movedim(-3, -4)[..., None]
        return planes.movedim(-3, -1).unsqueeze(-5)


def planes_of(measurement: Measurement) -> Planes:
    """Cut along the two axes in which most is missing, so that the network sees all of what an alias folds."""
    order = plane_order(measurement)
    apart = order[2] not in measurement.axes
    turned = [axis + 1 for axis in order]
    y = measurement.y.permute(0, *turned)
    mask = measurement.mask.permute(*order)
    maps = measurement.maps.maps
    maps = None if maps is None else maps.permute(0, 1, *(axis + 1 for axis in turned))[:, None]
    if apart:
        y = y.permute(3, 0, 1, 2)[..., None]
        maps = None if maps is None else maps.permute(0, 5, 2, 3, 4, 1)
        mask = mask.permute(2, 0, 1)[:, None, :, :, None]
    else:
        y = y[None]
    axes = [order.index(axis) for axis in measurement.axes]
    share = measurement.allowed / len(y) ** 0.5
    return Planes(encoding(mask, maps, axes=axes), y.contiguous(), order, apart, share)


def plane_order(measurement: Measurement) -> tuple[int, int, int]:
    """The two axes of the planes, undersampled ones before encoded before long ones, and the axis across."""
    shape = measurement.y.shape[-3:]
    ranked = sorted(range(3), key=lambda a: (a not in measurement.axes, a not in measurement.encoded, -shape[a]))
    first, second = sorted(ranked[:2])
    return first, second, ranked[2]


def first_estimate(operator: LinearOperator, y: Tensor, *, allowed: float | Tensor) -> Tensor:
    """Find the image that the first pass starts from: few conjugate gradients, fewer if the noise is reached."""
    x, _ = conjugate_gradients(
        operator, y, start=operator.adjoint(y), allowed=allowed, iterations=FIRST_ITERATIONS, tolerance=1e-3
    )
    return x
