"""Tasks: each tells one story from measurement to result.

The names are loaded when first used: planning a grid needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medidiff.tasks.adaptation import Adapting
    from medidiff.tasks.adapter import rehearse
    from medidiff.tasks.grid import FEWEST_VOXELS, Plan, plan_geometry, plan_grids
    from medidiff.tasks.reconstruction import reconstruct
    from medidiff.tasks.result import Result, SimulatedKSpace
    from medidiff.tasks.simulation import simulate_thick_slices
    from medidiff.tasks.simulation_kspace import simulate_kspace
    from medidiff.tasks.study import adapt_model
    from medidiff.tasks.super_resolution import super_resolve

__all__ = [
    "FEWEST_VOXELS",
    "Adapting",
    "Plan",
    "Result",
    "SimulatedKSpace",
    "adapt_model",
    "plan_geometry",
    "plan_grids",
    "reconstruct",
    "rehearse",
    "simulate_kspace",
    "simulate_thick_slices",
    "super_resolve",
]

_HOMES = {
    "Adapting": "medidiff.tasks.adaptation",
    "rehearse": "medidiff.tasks.adapter",
    "adapt_model": "medidiff.tasks.study",
    "FEWEST_VOXELS": "medidiff.tasks.grid",
    "Plan": "medidiff.tasks.grid",
    "Result": "medidiff.tasks.result",
    "plan_geometry": "medidiff.tasks.grid",
    "plan_grids": "medidiff.tasks.grid",
    "reconstruct": "medidiff.tasks.reconstruction",
    "SimulatedKSpace": "medidiff.tasks.result",
    "simulate_kspace": "medidiff.tasks.simulation_kspace",
    "simulate_thick_slices": "medidiff.tasks.simulation",
    "super_resolve": "medidiff.tasks.super_resolution",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
