"""Training: pairs made by the operators of the task, one loop, recipes."""

from medidiff.training.loop import train, train_recipe
from medidiff.training.recipe import Recipe, read_recipe

__all__ = ["Recipe", "read_recipe", "train", "train_recipe"]
