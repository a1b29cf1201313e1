"""Iterative solves for any linear operator: conjugate gradients with a discrepancy stop, and FISTA."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import count, islice

import torch
from torch import Tensor

from medidiff.physics.linop import LinearOperator

__all__ = ["conjugate_gradients", "fista", "gradient_steps", "power", "shrinking_steps"]


def conjugate_gradients(
    operator: LinearOperator,
    y: Tensor,
    *,
    start: Tensor | None = None,
    weight: float | Tensor = 0.0,
    allowed: float | Tensor = 0.0,
    iterations: int = 30,
    tolerance: float = 1e-5,
) -> tuple[Tensor, int]:
    """Minimise ``||A x - y||^2 + weight ||x - start||^2`` until the residual is the noise.

    CGLS (Hestenes & Stiefel 1952; Bjoerck 1996, alg. 7.4.1), which keeps the residual itself, stopped by the
    discrepancy principle (Morozov 1966): going on would fit noise.

    Parameters
    ----------
    operator
        ``A``, on ``(..., set, x, y, z)``; leading axes are a batch, each element with a stop of its own.
    y
        ``(..., coil, x, y, z)``, the measurement.
    start
        The proposal to start from and, with a ``weight``, to stay near; zero by default.
    weight
        Of the proposal, relative to the operator's norm of 1; one number or ``(..., 1, 1, 1, 1)``.
    allowed
        ``||A x - y||`` at which to stop: noise times the root of the number of samples; 0 goes on. One or several.
    iterations
        At most.
    tolerance
        Relative size of the gradient at which to stop.

    Returns
    -------
    tuple
        ``(..., set, x, y, z)``, and the number of iterations taken.
    """
    steps = gradient_steps(operator, y, start=start, weight=weight, allowed=allowed, tolerance=tolerance)
    x, taken = next(steps), 0
    for taken, x in enumerate(islice(steps, iterations), 1):  # noqa: B007 - the last ones count
        pass
    return x, taken


def gradient_steps(
    operator: LinearOperator,
    y: Tensor,
    *,
    start: Tensor | None = None,
    weight: float | Tensor = 0.0,
    allowed: float | Tensor = 0.0,
    tolerance: float = 1e-5,
) -> Iterator[Tensor]:
    """Give the start and then the image after each step of `conjugate_gradients`, until it has converged."""
    x = origin = torch.zeros_like(operator.adjoint(y)) if start is None else start
    s = y - operator.forward(origin)
    r = operator.adjoint(s)
    p, gamma = r, power(r)
    first = power(operator.adjoint(y)).clamp_min(torch.finfo(gamma.dtype).tiny)
    while True:
        yield x
        going = (power(s) > allowed**2) & (gamma > tolerance**2 * first)
        if not going.any():
            return
        q = operator.forward(p)
        step = torch.where(going, gamma / (power(q) + weight * power(p)).clamp_min(1e-37), 0)
        x, s = x + step * p, s - step * q
        r = operator.adjoint(s) - weight * (x - origin)
        gamma, before = power(r), gamma
        p = r + gamma / before.clamp_min(1e-37) * p


def fista(
    operator: LinearOperator,
    y: Tensor,
    shrink: Callable[[Tensor, int], Tensor],
    *,
    start: Tensor | None = None,
    iterations: int = 60,
    tolerance: float = 1e-4,
) -> tuple[Tensor, int]:
    """Minimise ``||A x - y||^2 / 2 + g(x)`` with steps of 1, right for operators of norm 1 or less.

    FISTA (Beck & Teboulle 2009, eq. 4.1 to 4.3) with the momentum restarted where it leads uphill (O'Donoghue &
    Candes 2015, eq. 13).

    Parameters
    ----------
    operator, y
        As in `conjugate_gradients`.
    shrink
        ``(x, iteration) -> x``: the proximal map of ``g``.
    start
        Where to begin; ``A^H y`` by default.
    iterations, tolerance
        At most, and the relative change of ``x`` at which to stop.

    Returns
    -------
    tuple
        ``(..., set, x, y, z)``, and the number of iterations taken.
    """
    first = operator.adjoint(y) if start is None else start
    images = islice(shrinking_steps(operator, y, shrink, start=first, tolerance=tolerance), iterations)
    last = deque(enumerate(images, 1), maxlen=1)
    taken, x = last[0] if last else (0, first)
    return x, taken


def shrinking_steps(
    operator: LinearOperator,
    y: Tensor,
    shrink: Callable[[Tensor, int], Tensor],
    *,
    start: Tensor,
    tolerance: float = 1e-4,
) -> Iterator[Tensor]:
    """Give the image after each iteration of `fista`, until it has converged."""
    x = ahead = start
    t = 1.0
    for iteration in count():
        new = shrink(ahead - operator.adjoint(operator.forward(ahead) - y), iteration)
        change = new - x
        if float(torch.vdot((ahead - new).flatten(), change.flatten()).real) > 0:
            t = 1.0
        t, before = (1 + (1 + 4 * t * t) ** 0.5) / 2, t
        ahead, x = new + (before - 1) / t * change, new
        yield x
        if float(torch.linalg.vector_norm(change)) <= tolerance * float(torch.linalg.vector_norm(x)):
            return


def power(x: Tensor) -> Tensor:
    """``(..., 1, 1, 1, 1)``: squared norm over the last four axes."""
    return x.abs().square().sum((-4, -3, -2, -1), keepdim=True)
