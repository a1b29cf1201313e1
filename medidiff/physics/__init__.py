"""Physics: how a scanner measures, and how to agree with what it measured."""

from medidiff.physics.linop import Composition, LinearOperator
from medidiff.physics.resolution import PROFILES, SliceProfile
from medidiff.physics.solve import consistent, project, relative_residual

__all__ = [
    "PROFILES",
    "Composition",
    "LinearOperator",
    "SliceProfile",
    "consistent",
    "project",
    "relative_residual",
]
