"""What is made small: squared errors, or what forgives large ones, and errors of the gradient beside."""

import torch
from torch import Tensor

from medidiff.training.recipe import Optimisation

__all__ = ["loss_of"]


def loss_of(wrong: Tensor, how: Optimisation) -> Tensor:
    """Mean loss of errors.

    Parameters
    ----------
    wrong
        ``(b, images, ...)``, an answer less what should have been answered.
    how
        ``charbonnier`` is the size from which errors count by their size and no more by its square (Charbonnier et al.
        1994), 0 for never; ``gradient`` weighs the squared differences of neighbouring errors.
    """
    squares = wrong.square()
    loss = (torch.sqrt(squares + how.charbonnier**2) if how.charbonnier else squares).mean()
    if how.gradient:
        loss = loss + how.gradient * sum(wrong.diff(dim=axis).square().mean() for axis in range(2, wrong.ndim))
    return loss
