"""Linear operators as algebra: stateless, tensor to tensor, batched, on any device."""

from abc import ABC, abstractmethod

from torch import Tensor

__all__ = ["Composition", "LinearOperator"]


class LinearOperator(ABC):
    """How a scanner measures: ``y = A x``.

    Leading axes are a batch; the last three are ``(x, y, z)``.
    """

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Measure: ``A x``."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``A^H y``, so that ``<A x, y> = <x, A^H y>``."""

    def normal(self, x: Tensor) -> Tensor:
        """Return ``A^H A x``."""
        return self.adjoint(self.forward(x))

    def __matmul__(self, other: "LinearOperator") -> "Composition":
        return Composition(self, other)


class Composition(LinearOperator):
    """First ``inner``, then ``outer``: written ``outer @ inner``."""

    def __init__(self, outer: LinearOperator, inner: LinearOperator) -> None:
        self.outer, self.inner = outer, inner

    def forward(self, x: Tensor) -> Tensor:
        """Measure with the inner operator, then with the outer one."""
        return self.outer.forward(self.inner.forward(x))

    def adjoint(self, y: Tensor) -> Tensor:
        """Go back through the outer operator, then through the inner one."""
        return self.inner.adjoint(self.outer.adjoint(y))
