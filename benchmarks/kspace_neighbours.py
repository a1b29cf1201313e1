"""Whether planes should see their neighbours: ``python -m benchmarks.kspace_neighbours --data VAL``.

The same model, shown each plane alone and with the ones beside it (it was trained on both), on stacks of planes that
touch and on stacks of planes 6 mm apart. PSNR in the head and, in fastMRI's convention, everywhere: means over heads.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks import reconstruction
from benchmarks.reconstruction import Case, cases_of, scored
from medidiff.models import Model, load_model, plane_view
from medidiff.tasks import reconstruct

__all__ = ["main"]

NUMBERS = (0, 2, 4, 6)
"""Of the cases of each head: random lines and Gaussian masks, 4- and 8-fold."""
SHOWN = {"alone": True, "with neighbours": False}
HEADINGS = ("apart, mm", "acceleration", "mask", *(f"{where}, {how}" for where in ("head", "all") for how in SHOWN))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each distance and mask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="recon-brain")
    parser.add_argument("--slices", type=int, default=6)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(arguments)
    heads, model = sorted(given.data.glob("*.nii*")), load_model(given.model)
    print(f"| {' | '.join(HEADINGS)} |\n|{' --- |' * len(HEADINGS)}")
    for apart in (0.0, reconstruction.APART):
        for number in NUMBERS:
            cases = _cases(heads, number, given.slices, apart)
            scores = np.mean([_scores(case, model, given.device) for case in cases], 0)
            told = (f"{apart:g}", f"{cases[0].acceleration:g}", cases[0].mask, *(f"{score:.2f}" for score in scores))
            print(f"| {' | '.join(told)} |", flush=True)


def _cases(heads: Sequence[Path], number: int, slices: int, apart: float) -> list[Case]:
    reconstruction._stack.cache_clear()
    with patch.object(reconstruction, "APART", apart):
        return [spec.measured() for spec in cases_of(heads, slices=slices) if spec.number == number]


def _scores(case: Case, model: Model, device: str) -> list[float]:
    images = []
    for alone in SHOWN.values():
        with _showing(alone):
            images.append(scored(case, reconstruct(case.scan, "diffusion", model=model, device=device).volume.array))
    return [image[name] for name in ("psnr_head", "psnr") for image in images]


@contextmanager
def _showing(alone: bool) -> Iterator[None]:
    with patch("medidiff.tasks.refinement.plane_view", partial(plane_view, alone=alone)):
        yield


if __name__ == "__main__":
    main()
