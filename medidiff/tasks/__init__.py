"""Tasks: each tells one story from measurement to result."""

from medidiff.tasks.grid import FEWEST_VOXELS, Plan, plan_geometry, plan_grids
from medidiff.tasks.result import Result
from medidiff.tasks.simulation import simulate_thick_slices
from medidiff.tasks.super_resolution import super_resolve

__all__ = ["FEWEST_VOXELS", "Plan", "Result", "plan_geometry", "plan_grids", "simulate_thick_slices", "super_resolve"]
