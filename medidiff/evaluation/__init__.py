"""How good results are: pairs of images, scores, comparisons, and the methods to beat.

``images``, ``listing``, ``pairing``, ``plan``
    What is in the folders, what is told of it, which belongs to which, and the cases that make up a run.
``preset``, ``axes``, ``score``, ``attempt``
    How scores are taken, along which axes, the scores of one image, and what becomes of one that has none.
``baselines``, ``measured``
    Interpolation and total variation; what the measurement says, and baselines made of it on the fly.
``lesions``, ``blobs``
    Synthetic lesions and what is left of them; blobs that an image shows and the truth does not.
``comparison``, ``table``, ``statistics``, ``summary``, ``differences``
    `evaluate`; all scores as one object; intervals and tests; what follows from them, case by case too.
``write``, ``markdown``
    ``cases.csv``, ``summary.json`` and ``summary.md``.
"""

from medidiff.evaluation.comparison import Seen, evaluate
from medidiff.evaluation.pairing import Pairing, pair_up
from medidiff.evaluation.preset import PRESETS, Rules
from medidiff.evaluation.score import Score, score_pair
from medidiff.evaluation.table import Row, Table

__all__ = ["PRESETS", "Pairing", "Row", "Rules", "Score", "Seen", "Table", "evaluate", "pair_up", "score_pair"]
