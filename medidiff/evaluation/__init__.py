"""How good results are: pairs of images, scores, and the methods to beat.

``pairing``
    Which prediction belongs to which reference.
``score``
    Scores per case and their mean, as ``cases.csv`` and ``summary.json``.
``baselines``
    Interpolation and total variation, with weights fitted on a grid.
"""

from medidiff.evaluation.pairing import Pairing, pair_up
from medidiff.evaluation.score import evaluate

__all__ = ["Pairing", "evaluate", "pair_up"]
