"""What is run on a case, and the row of scores that each result gives."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks.cases import Case, noisy
from benchmarks.coverage import Spread, spread_of
from benchmarks.scoring import Scorer
from benchmarks.tables import OURS
from medidiff.evaluation.baselines import cubic, cubic_dc, trilinear, tv
from medidiff.models import Model
from medidiff.physics import relative_residual
from medidiff.physics.noise import head_brightness
from medidiff.tasks import Result, super_resolve

__all__ = [
    "Weights",
    "compare",
    "enhanced",
    "image_of",
    "row",
    "sampled_spread",
    "sampling",
    "stepping",
    "two_seeds",
    "with_noise",
]

Keep = Callable[[dict[str, Any]], None]
Weights = Mapping[tuple[str, str], tuple[float, float]]
"""Kind of a case to the weights of cubic + DC and of TV."""


def compare(case: Case, model: Model, regression: Model | None, weights: Weights, keep: Keep) -> None:
    """Score the peers and our mean on one case."""
    dc, variation = weights[case.spec.kind]
    methods: dict[str, Callable[[], Tensor]] = {
        "trilinear": lambda: trilinear(case.y, case.operator),
        "cubic": lambda: cubic(case.y, case.operator),
        "cubic+DC": lambda: cubic_dc(case.y, case.operator, weight=dc),
        "TV": lambda: tv(case.y, case.operator, weight=variation),
    }
    if regression is not None:
        methods["regression"] = lambda: image_of(enhanced(case, regression), case)
    methods[OURS] = lambda: image_of(enhanced(case, model), case)
    scorer = Scorer(case.truth, case.region)
    for name, method in methods.items():
        keep(row(case, scorer, name, method))


def sampling(case: Case, model: Model, samples: int, keep: Keep) -> Spread:
    """Score one sample and the mean of several; return how error and SD compare."""
    scorer = Scorer(case.truth, case.region)
    keep(row(case, scorer, "one sample", _sampler(case, model, detail=1.0)))
    several: list[Result] = []

    def mean() -> Tensor:
        several.append(enhanced(case, model, samples=samples))
        return image_of(several[0], case)

    keep(row(case, scorer, f"mean of {samples}", mean))
    return _spread(several[0], case)


def stepping(case: Case, model: Model, steps: Sequence[int], keep: Keep) -> None:
    """Score single samples at several step counts."""
    scorer = Scorer(case.truth, case.region)
    for count in steps:
        keep(row(case, scorer, f"sample, {count} steps", _sampler(case, model, steps=count, detail=1.0)))


def two_seeds(case: Case, model: Model) -> dict[str, float]:
    """Tell where two samples differ: in what was measured, in what was not, and where the mean is wrong."""
    mean, first, second = (
        _sampler(case, model, seed=seed, detail=detail)() for seed, detail in ((0, 0.0), (0, 1.0), (1, 1.0))
    )
    apart, error = first - second, (mean - case.truth)
    pair = torch.stack([apart[case.region].abs(), error[case.region].abs()]).double()
    return {
        "rms difference": float(apart[case.region].square().mean().sqrt()),
        "rms error of the mean": float(error[case.region].square().mean().sqrt()),
        "difference in the data": float(relative_residual(first, case.operator.forward(second), case.operator)),
        "correlation with the error": float(torch.corrcoef(pair)[0, 1]),
    }


def with_noise(clean: Case, model: Model, sd: float, weights: Weights) -> dict[str, float]:
    """Tell what white noise of ``sd`` (over the head's brightness) leaves: PSNR, and the residual over the noise."""
    case = noisy(clean, sd)
    scorer = Scorer(case.truth, case.region)
    images = {
        "cubic": cubic(case.y, case.operator),
        "cubic+DC": cubic_dc(case.y, case.operator, weight=weights[case.spec.kind][0]),
        OURS: image_of(enhanced(case, model), case),
    }
    psnr = {name: float(scorer(image, case.spec.axes)["psnr"]) for name, image in images.items()}
    left = float((case.operator.forward(images[OURS]) - case.y).square().mean().sqrt())
    return {"noise": sd, **psnr, "residual over noise": left / case.noise}


def sampled_spread(case: Case, model: Model, samples: int) -> Spread:
    """How error and SD compare for the mean of several samples, in units of the head's brightness."""
    return _spread(enhanced(case, model, samples=samples), case)


def _spread(result: Result, case: Case) -> Spread:
    if result.uncertainty is None:
        raise ValueError("coverage needs two samples or more")
    head, unit = case.spec.head, head_brightness(case.volume.array)
    mean, sd, truth = (a / unit for a in (result.volume.array, result.uncertainty.array, head.volume.array))
    return spread_of(mean, sd, truth, head.region)


def enhanced(case: Case, model: Model, **how: Any) -> Result:
    """Enhance a case onto the grid of its reference, told its noise."""
    return super_resolve(
        case.volume,
        model,
        like=case.spec.head.volume.geometry,
        axis="auto" if case.spec.axis is None else "xyz"[case.spec.axis],
        profile=case.spec.profile,
        noise=case.noise,
        device=str(case.y.device),
        **how,
    )


def _sampler(case: Case, model: Model, **how: Any) -> Callable[[], Tensor]:
    return lambda: image_of(enhanced(case, model, **how), case)


def image_of(result: Result, case: Case) -> Tensor:
    """Take the volume of a result to where its case is scored."""
    return torch.from_numpy(result.volume.array).to(case.y.device)


def row(case: Case, scorer: Scorer, name: str, method: Callable[[], Tensor]) -> dict[str, Any]:
    """Run a method, and give its row of scores."""
    started = time.perf_counter()
    image = method()
    if image.is_cuda:
        torch.cuda.synchronize(image.device)
    seconds = time.perf_counter() - started
    residual = relative_residual(image, case.y, case.operator)
    scores = scorer(image, case.spec.axes)
    return {**case.spec.facts, "method": name, **scores, "residual": residual, "seconds": seconds}
