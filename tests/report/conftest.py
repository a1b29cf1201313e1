"""A report of a few small heads, made once for every test of the pages."""

import numpy as np
import pytest

from medidiff.evaluation import evaluate
from medidiff.report.evaluation_pages import EvaluationPages
from medidiff.tasks import simulate_thick_slices
from medidiff.volume import Volume
from tests.evaluation.making import GRID, head, save, study


@pytest.fixture(scope="session")
def reported(tmp_path_factory):
    """The folder of a report and its table: four people, two methods and a baseline, one failure, an uncertainty."""
    root = tmp_path_factory.mktemp("reported")
    roots = study(root)
    for seed in range(4):
        name = f"sub-{seed:02}_acq-{'ab'[seed % 2]}_T1w"
        thick = simulate_thick_slices(Volume(head(seed), GRID), spacing=4, axis="z")
        save(root / "thick", name, thick.array, thick.geometry)
        save(root / "good", f"{name}_uncertainty", np.full(GRID.shape, 8.0))
    (root / "bad" / "sub-03_acq-b_T1w_enhanced.nii.gz").write_bytes(b"<script>alert(1)</script>")
    pages = EvaluationPages(root / "out", embed=2)
    table = evaluate(
        roots, root / "r", root / "out", inputs=root / "thick", baselines=["cubic"], group="acq", look=pages.add
    )
    pages.close(table)
    return root / "out", table
