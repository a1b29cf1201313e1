"""What looks best at equal loss: ``python -m benchmarks.perception --data VAL --output DIR --crop 96``.

Samplers and steps are compared where they cost the same: of each the dial ``mean + a (sample - mean)`` is turned to
the very ``a`` that loses 0.5 or 1 dB of the mean's PSNR, and what is gained for it is scored: gradient energy, power
spectrum, HFEN. A mean that is merely sharpened, ``mean + a (mean - blurred)``, stands beside. Pictures of all.
"""

import argparse
import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.cases import Case, Spec, cropped, load_heads, measure
from benchmarks.scoring import Scorer
from medidiff.diffusion import Denoiser, alpha_sigma, posterior_mean, sample, times
from medidiff.models import Model, condition_on, denoiser_of, load_model
from medidiff.physics.blur import blurred
from medidiff.posterior import agreeing, settled
from medidiff.tasks.device import choose_device, choose_precision
from medidiff.tasks.posing import posed
from medidiff.tasks.problem import back

__all__ = ["dial_for", "first_order", "main"]

SAMPLERS: dict[str, Callable[[Denoiser, Tensor, int, int], Tensor]] = {
    "DPM-Solver++ 2M": lambda denoiser, noise, steps, seed: sample(denoiser, noise, times(steps)),
    "DDIM": lambda denoiser, noise, steps, seed: first_order(denoiser, noise, times(steps), seed, fresh=0.0),
    "ancestral": lambda denoiser, noise, steps, seed: first_order(denoiser, noise, times(steps), seed, fresh=1.0),
}
LOSSES = (0.5, 1.0)
SHOWN = 8
"""Steps of the samples in the pictures."""
SOFT = 1.0
"""SD, in voxels, of the blur that a mean is sharpened against."""
SCORES = ("psnr", "hfen", "gradient_energy_ratio", "power_spectrum_error")
COLUMNS = ("head", "axis", "slices", "profile", "method", "steps", "loss", "dial", *SCORES)


def main(arguments: Sequence[str] | None = None) -> Path:
    """Write ``perception.csv``, ``summary.md`` and a picture of each case; return the folder."""
    options = _parser().parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    model, device = load_model(options.model), choose_device(options.device)
    model.network.to(device)
    rows: list[dict[str, Any]] = []
    for spec in _specs(options):
        case = measure(spec, device)
        found = list(_looked_at(case, model, options))
        rows += [row for row, _ in found]
        _picture(case, [(row, image) for row, image in found if _shown(row)], options.output)
        _write(rows, options.output)
    return Path(options.output)


def first_order(denoiser: Denoiser, noise: Tensor, when: Tensor, seed: int, *, fresh: float) -> Tensor:
    """Sample in steps of first order (Song et al. 2021, eq. 12 and 16).

    Parameters
    ----------
    denoiser, noise, when
        As `medidiff.diffusion.sample` takes them.
    seed, fresh
        Of the noise that is drawn anew, and its share: 0 is DDIM, 1 DDPM's ancestral sampling.
    """
    generator, x = torch.Generator(noise.device).manual_seed(seed), noise
    for now, after in pairwise(when):
        x0 = denoiser(x, now.to(x.device).expand(x.shape[0]))
        (alpha, sigma), (alpha_after, sigma_after) = alpha_sigma(now), alpha_sigma(after)
        old = (x - alpha.to(x) * x0) / sigma.to(x)
        drawn = fresh * float(sigma_after / sigma * torch.sqrt((1 - (alpha / alpha_after) ** 2).clamp_min(0)))
        new = torch.randn(x.shape, generator=generator, device=x.device)
        kept = math.sqrt(max(0.0, float(sigma_after) ** 2 - drawn**2))
        x = alpha_after.to(x) * x0 + kept * old + drawn * new
    return x


def dial_for(wrong: Tensor, detail: Tensor, loss: float) -> float:
    """How much of a detail may be added to an image that is wrong by so much, for a loss of PSNR in dB."""
    power, along, size = (float(part.double().sum()) for part in (wrong.square(), wrong * detail, detail.square()))
    allowed = (10 ** (loss / 10) - 1) * power
    return (-along + math.sqrt(along**2 + size * allowed)) / max(size, 1e-30)


@dataclass(frozen=True)
class _Asked:
    """A case as the network meets it: the mean and samples, in the truth's units and axes."""

    case: Case
    problem: Any
    denoiser: Denoiser
    base: Tensor
    scale: float
    grid: Any

    def image(self, residual: Tensor) -> Tensor:
        """Agreeing with the measurement to the end."""
        x = settled(self.base + self.scale * residual, self.problem.y, self.problem.operator, noise=self.problem.noise)
        straight = back(x, self.problem, self.grid, self.case.volume)
        return torch.from_numpy(straight.array).to(self.case.truth)


def _looked_at(case: Case, model: Model, options: argparse.Namespace) -> Iterator[tuple[dict[str, Any], Tensor]]:
    """Scores and images of the mean, and of every method at every loss."""
    asked, scorer = _ask(case, model, options), Scorer(case.truth, case.region)
    noise = torch.randn(asked.base.shape, generator=torch.Generator().manual_seed(0)).to(asked.base)
    mean = posterior_mean(asked.denoiser, noise)

    def told(image: Tensor, method: str, steps: int = 0, loss: float = 0.0, dial: float = 0.0) -> dict[str, Any]:
        scores = scorer(image, case.spec.axes)
        facts = {"method": method, "steps": steps, "loss": loss, "dial": dial}
        return {**case.spec.facts, **facts, **{name: scores[name] for name in SCORES}}

    first = asked.image(mean)
    yield told(first, "mean"), first
    wrong = (first - case.truth)[case.region]
    for method, steps, end in _ends(asked, mean, noise, options.steps):
        full = asked.image(end)
        if steps:
            yield told(full, method, steps, float("nan"), 1.0), full
        for loss in LOSSES:
            dial = dial_for(wrong, (full - first)[case.region], loss)
            image = asked.image(mean + dial * (end - mean))
            yield told(image, method, steps, loss, dial), image


def _ends(asked: _Asked, mean: Tensor, noise: Tensor, steps: Sequence[int]) -> Iterator[tuple[str, int, Tensor]]:
    """What the dial turns to: samples, and the sharpened mean."""
    image = asked.base / asked.scale + mean
    yield "sharpened", 0, mean + image - blurred(image, SOFT)
    for many in steps:
        for name, sampler in SAMPLERS.items():
            yield name, many, sampler(asked.denoiser, noise, many, 1)


def _ask(case: Case, model: Model, options: argparse.Namespace) -> _Asked:
    told = {"axis": "xyz"[case.spec.axes[0]], "profile": case.spec.profile, "noise": 0.0}
    grid = case.spec.head.volume.geometry
    problem = posed(case.volume, case.y.device, like=grid, **told).problem  # type: ignore[arg-type]
    condition = condition_on(problem.quiet, problem.operator)
    precision = choose_precision(options.precision, case.y.device)
    prior = denoiser_of(model, condition, precision=precision)
    whole = {"noise": problem.noise, "base": condition.base, "scale": condition.scale}
    denoiser = torch.inference_mode()(agreeing(prior, problem.operator, problem.y, **whole))  # type: ignore[arg-type]
    return _Asked(case, problem, denoiser, condition.base, condition.scale, grid)


def _specs(options: argparse.Namespace) -> list[Spec]:
    heads = [cropped(head, options.crop) for head in load_heads(options.data, limit=options.limit)]
    turns = ((5.0, "gaussian"), (3.0, "rect"))
    return [Spec(head, head.sharp[-1], *turns[number % 2]) for number, head in enumerate(heads)]


def _write(rows: Sequence[dict[str, Any]], folder: Path) -> None:
    with (folder / "perception.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n", extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    (folder / "summary.md").write_text(_summary(rows))


def _summary(rows: Sequence[dict[str, Any]]) -> str:
    """Means over cases of every method, its steps and loss, in Markdown."""
    titles = ("loss, dB", "method", "steps", "n", "dial", "PSNR", "HFEN", "gradient energy", "spectrum error, dB")
    lines = [f"| {' | '.join(titles)} |", "|" + " --- |" * len(titles)]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        loss = "a sample" if math.isnan(row["loss"]) else f"{row['loss']:g}"
        groups.setdefault((loss, row["method"], row["steps"]), []).append(row)
    for (loss, method, steps), some in sorted(groups.items(), key=lambda item: (item[0][0], item[0][2], item[0][1])):
        dial, *scores = (float(np.mean([row[name] for row in some])) for name in ("dial", *SCORES))
        figures = (f"{dial:.2f}", *(f"{score:.{places}f}" for score, places in zip(scores, (2, 3, 2, 2), strict=True)))
        lines.append(f"| {' | '.join((loss, method, str(steps or ''), str(len(some)), *figures))} |")
    return "\n".join(lines) + "\n"


def _shown(row: dict[str, Any]) -> bool:
    """The mean, what loses as much as the other, and one whole sample."""
    whole = math.isnan(row["loss"]) and row["method"] == next(iter(SAMPLERS))
    return row["steps"] in (0, SHOWN) and (row["method"] == "mean" or whole or row["loss"] == LOSSES[-1])


def _picture(case: Case, shown: Sequence[tuple[dict[str, Any], Tensor]], folder: Path) -> None:
    """Write the truth and what was shown, cut through the middle with slices one above the other."""
    from matplotlib.figure import Figure

    panels = [("truth", case.truth)] + [(_title(row), image) for row, image in shown]
    across = case.spec.axes[0]
    through = next(axis for axis in range(3) if axis != across)
    columns = min(4, len(panels))
    figure = Figure(figsize=(2.6 * columns, 2.9 * -(-len(panels) // columns)), layout="constrained")
    cells = figure.subplots(-(-len(panels) // columns), columns, squeeze=False).ravel()
    for cell in cells:
        cell.axis("off")
    for cell, (title, image) in zip(cells, panels, strict=False):
        plane = image.select(through, image.shape[through] // 2).cpu().numpy()
        plane = plane.T if across > 3 - through - across else plane
        cell.imshow(plane[::-1], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        cell.set_title(title, fontsize=8)
    figure.savefig(folder / f"{case.spec.head.name}.png", dpi=110)


def _title(row: dict[str, Any]) -> str:
    steps = f", {row['steps']}" if row["steps"] else ""
    return f"{row['method']}{steps}: {row['psnr']:.1f} dB, energy {row['gradient_energy_ratio']:.2f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.perception", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the heads to look at")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", default="sr-brain")
    parser.add_argument("--steps", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--crop", type=int, default=96, help="edge of the middle of the heads, voxels")
    parser.add_argument("--limit", type=int, help="so many heads only")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    return parser


if __name__ == "__main__":
    main()
