"""Whether the uncertainty of reconstructions holds what it promises.

    python -m benchmarks.kspace_coverage --data VAL --calibration CALIBRATION --output DIR --device cuda
    python -m benchmarks.kspace_coverage --output DIR --summarise

The cases are those of `benchmarks.reconstruction`. Of each the mean and samples are drawn; errors and spreads in the
head are kept. One factor c is fitted on the heads for calibration, so that the mean +- 1.645 c SD holds 90 % of the
truth there; the summary tells how much it holds on the other heads, by head, mask, acceleration, noise and tenths of
the SD, and how the SD goes with the error.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare import Clock, recorded
from benchmarks.coverage import Spread, coverage, decile_coverage, fit_factor, load_spreads, save_spread, spread_of
from benchmarks.reconstruction import SLICES, Case, cases_of, scored
from medidiff.models import Model, load_model
from medidiff.tasks import reconstruct

__all__ = ["agreement_of", "main"]

SAMPLES = 8
KINDS = ("head", "mask", "acceleration", "noise")
COLUMNS = (*KINDS, "slices", "role", "method", "psnr_head", "residual_over_noise", "gradient")
BINS = 12

Kept = list[tuple[dict[str, Any], Spread]]


def main(arguments: Sequence[str] | None = None) -> Path:
    """Draw samples and keep spreads, or print what they say; return the folder."""
    given = _arguments(arguments)
    if given.summarise:
        for line in summary(load_spreads(given.output, "calibration"), load_spreads(given.output, "scored")):
            print(line)
        _picture(load_spreads(given.output, "scored"), given.output / "uncertainty.png")
        return Path(given.output)
    given.output.mkdir(parents=True, exist_ok=True)
    model = load_model(given.model)
    folders = {"calibration": given.calibration, "scored": given.data}
    heads = {role: sorted(folder.glob("*.nii*")) for role, folder in folders.items()}
    work = [(role, spec) for role, paths in heads.items() for spec in cases_of(paths, slices=given.slices)]
    with recorded(given.output / f"samples-{given.part}.csv", COLUMNS) as rows:
        for role, spec in Clock(given.budget).within(work[given.part - 1 :: given.parts], "samples"):
            for row in _drawn(spec.measured(), role, model, given):
                rows.append(row)
    return Path(given.output)


def _drawn(case: Case, role: str, model: Model, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Keep the spread of a case; give the scores of its mean and of one sample."""
    found = reconstruct(case.scan, "diffusion", model=model, samples=given.samples, device=given.device)
    assert found.uncertainty is not None  # noqa: S101 - for the type checker
    spread = (found.uncertainty.array / float(model.card.get("spread_factor", 1.0))).astype(np.float32)
    facts = {**case.facts(), "role": role}
    save_spread(
        given.output, facts, role, spread_of(found.volume.array, spread, case.truth.array, case.region), named=KINDS
    )
    results = {"mean": found}
    if not given.mean_only:
        results["one sample"] = reconstruct(case.scan, "diffusion", model=model, detail=1.0, device=given.device)
    for name, result in results.items():
        scores = {"psnr_head": scored(case, result.volume.array)["psnr_head"], "gradient": _gradient(case, result)}
        over = result.provenance["data_residual"]["over_noise"]
        yield {**facts, "method": name, **scores, "residual_over_noise": over}


def _gradient(case: Case, result: Any) -> float:
    """Energy of the in-plane gradient in the head, over the truth's."""

    def energy(image: Any) -> float:
        return float(sum(np.square(np.diff(image, axis=a))[case.region.take(range(1, image.shape[a]), a)].mean()
                         for a in (0, 1)))  # fmt: skip

    return energy(result.volume.array) / energy(case.truth.array)


def summary(calibration: Kept, kept: Kept) -> Iterator[str]:
    """Lines of Markdown: the factor, what it covers of each kind, and how SD and error go together."""
    factor = fit_factor([spread for _, spread in calibration])
    yield f"c = {factor:.3f}, from {len(calibration)} cases of {_named(calibration, 'head')}"
    yield "| kind | cases | covered | SD and error, correlation |\n| --- | --- | --- | --- |"
    for key in KINDS:
        for value in sorted({str(facts[key]) for facts, _ in kept}):
            some = [spread for facts, spread in kept if str(facts[key]) == value]
            yield _line(f"{key} {value}", some, factor)
    everything = [spread for _, spread in kept]
    yield _line("all", everything, factor)
    yield f"each case: {min(covered := [coverage(s, factor) for s in everything]):.3f} to {max(covered):.3f}"
    yield "tenths of the SD: " + ", ".join(f"{share:.3f}" for share in decile_coverage(everything, factor))


def _line(name: str, some: Sequence[Spread], factor: float) -> str:
    covered = np.mean([coverage(spread, factor) for spread in some])
    return f"| {name} | {len(some)} | {covered:.3f} | {np.mean([agreement_of(spread) for spread in some]):.2f} |"


def agreement_of(spread: Spread) -> float:
    """Correlation of the predicted SD with the root mean square error among voxels of like SD, in 100 bins."""
    order = np.argsort(spread.sd, kind="stable")
    bins = [
        (spread.sd[some].mean(), np.sqrt(np.square(spread.error[some]).mean())) for some in np.array_split(order, 100)
    ]
    return float(np.corrcoef(np.array(bins).T)[0, 1])


def _named(kept: Kept, key: str) -> str:
    return ", ".join(sorted({str(facts[key]) for facts, _ in kept}))


def _picture(kept: Kept, path: Path) -> None:
    """Draw the root mean square error against the SD, both over the brightest SD, for each acceleration."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4.5, 4))
    for acceleration in sorted({facts["acceleration"] for facts, _ in kept}):
        points = [_binned(spread) for facts, spread in kept if facts["acceleration"] == acceleration]
        x, y = np.mean(points, axis=0)
        axes.plot(x, y, "o-", label=f"{acceleration:g}x, mean of {len(points)} cases")
    limit = axes.get_xlim()[1]
    axes.plot([0, limit], [0, limit], "k:", lw=1)
    axes.set(xlabel="predicted SD before c (share of the case's mean error)", ylabel="true RMS error (same share)")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def _binned(spread: Spread) -> list[list[float]]:
    unit = float(np.sqrt(np.square(spread.error).mean()))
    parts = np.array_split(np.argsort(spread.sd, kind="stable"), BINS)
    sd = [float(spread.sd[part].mean()) / unit for part in parts]
    return [sd, [float(np.sqrt(np.square(spread.error[part]).mean())) / unit for part in parts]]


def _arguments(arguments: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="heads to score")
    parser.add_argument("--calibration", type=Path, help="other heads, on which c is fitted")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", default="recon-brain")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--slices", type=int, default=SLICES, help="of each head")
    parser.add_argument("--mean-only", action="store_true", help="do not score single samples")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--part", default="1/1", help="this share of the cases, such as 2/3")
    parser.add_argument("--summarise", action="store_true", help="print what was kept")
    given = parser.parse_args(None if arguments is None else list(arguments))
    given.part, given.parts = map(int, given.part.split("/"))
    if not given.summarise and not (given.data and given.calibration):
        parser.error("--data and --calibration are needed")
    return given


if __name__ == "__main__":
    main()
