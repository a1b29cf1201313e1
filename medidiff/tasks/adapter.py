"""A model tuned to a scan, or to the scans of a study, by what these tell of themselves.

What was gained is told by a part of the scan that was not learnt from, in what the scanner measured there; where
nothing was, the model stays as it is.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medidiff.ahead import ahead
from medidiff.diffusion import ConditionalUNet, Noised, from_velocity, noised
from medidiff.errors import ResourceError
from medidiff.models import MAPS, NUMBERS, Model, Pairs, asked, joined
from medidiff.tasks.adaptation import Adapting
from medidiff.tasks.device import choose_device, choose_precision, with_less_memory
from medidiff.tasks.exam import Part, exam_of, parts_of, score
from medidiff.tasks.example import Example
from medidiff.tasks.inplane import Lesson, draw, edge_of
from medidiff.tasks.tuning import Tuning

__all__ = ["Adapted", "Adapter", "General", "rehearse"]

GROUPS = 4
"""Most phases and axes that the patches of one step share among them."""
JUDGED = {"cpu": 4, "cuda": 12}
"""Patches that are judged along each axis."""
SHARES = (0.25, 0.5, 0.75, 1.0)
"""Of the way from the plain network's weights to the tuned ones, judged: the best is taken. The last is all of it."""
WORTHLESS = -99.0
"""Gain, dB, of answers that are no numbers."""
LEAST, LEAST_OF_MANY = 0.1, 0.2
"""Gain, dB, from which the tuned network is used: less may be chance, the patches that are judged being few. After
`MANY` steps the second must be gained all of the way, too: where the model knows the scanner, a part of the way often
foretells gains that are none, and all of it loses them."""
MANY = 100
FEWEST = 20
"""Steps that there must be time for, or it is refused in advance."""

General = Callable[[int, int, int], Pairs]
"""Given the step, how many and their edge in voxels: pairs of other heads."""


@dataclass(frozen=True, eq=False)
class Adapted:
    """What came of it.

    Parameters
    ----------
    model
        To be used: the tuned one, or the one from before where nothing was gained.
    record
        What was done, ready for JSON: ``used`` tells whether it was worth it.
    """

    model: Model
    record: dict[str, Any]


class Adapter:
    """A model ready to be adapted: a step was rehearsed, and there is time for enough of them.

    Parameters
    ----------
    model
        On its device; it is not changed.
    how
        See `Adapting`.
    place
        The device.
    seed
        Of all that is drawn.
    half
        Whether to learn in bfloat16 on a GPU; a CPU learns in single precision, being slow at the gradients of other.
    scans
        How many there will be.

    Raises
    ------
    ResourceError
        If there is no time for enough steps.
    """

    def __init__(
        self, model: Model, how: Adapting, place: torch.device, *, seed: int = 0, half: bool = False, scans: int = 1
    ) -> None:
        self.model, self.how, self.place, self.seed = model, how, place, seed
        self.half = half and place.type == "cuda"
        knows_zeros = model.card["kind"] == "regression" or bool(model.card.get("blind_start"))
        self.blind_from = how.noisy_start if knows_zeros else math.inf
        began = time.perf_counter()
        pace = how.pace(place)
        self.tuning = Tuning(model.network, rate=pace.rate, warm_up=how.warm_up, tuned=how.tuned, loyalty=how.loyalty)
        (self.size, self.patches, self.step_seconds), _ = with_less_memory(
            self._rehearsed,
            tile=min(pace.size, int(model.card["tile"])),
            multiple=model.network.multiple,
            batch=pace.patches,
        )
        self.left = how.bound(place, scans) - (time.perf_counter() - began)
        self._refuse_haste()

    def __call__(
        self,
        examples: Sequence[Example],
        *,
        general: General | None = None,
        progress: Callable[[float], None] = lambda fraction: None,
    ) -> Adapted:
        """Learn from scans, and judge what was learnt.

        Parameters
        ----------
        examples
            The scans; those that are too small or sharp along no axis are left out.
        general
            Pairs of other heads, in place of half of the patches of each step.
        progress
            Called with the fraction done.
        """
        multiple = self.model.network.multiple
        parts = parts_of(examples, least=2 * multiple)
        if not parts:
            return Adapted(self.model, {"used": False, "reason": "too small, or no axis is sharp: nothing to learn"})
        began = time.perf_counter()
        exam = exam_of(parts, patches=JUDGED[self.place.type], size=self.size, multiple=multiple)
        before = score(exam, partial(self._answer, self.model.network))
        reserve = len(SHARES) * (time.perf_counter() - began) + self.step_seconds
        losses = self._learn(parts, began + self.left - reserve, general, progress)
        gains = {part: self._gain(exam, before, part) for part in SHARES}
        seconds = round(time.perf_counter() - began, 2)
        return self._chosen(before, gains, {"learnt_from": len(parts), "seconds": seconds, **self._told(losses)})

    def _gain(self, exam: Sequence[Lesson], before: float, share: float) -> float:
        """What a share of the way gains where it has not learnt, dB."""
        found = score(exam, partial(self._answer, self.tuning.blended(share))) - before
        return found if math.isfinite(found) else WORTHLESS

    def _chosen(self, before: float, gains: Mapping[float, float], told: dict[str, Any]) -> Adapted:
        """Take the tuned network, a share of the way, if it is better where it has not learnt."""
        share = max(gains, key=lambda part: (gains[part], part))
        scores = {"plain": round(before, 3), "adapted": round(before + gains[share], 3)}
        lacking = _lacking(gains, told["steps"])
        record = {"used": not lacking, "gain_db": round(gains[share], 3), "share": share, "held_out_psnr_db": scores}
        record |= {
            "gain_all_the_way_db": round(gains[SHARES[-1]], 3),
            **told,
            **({"reason": lacking} if lacking else {}),
        }
        chosen = self.model if lacking else Model(self.tuning.blended(share), self.model.card)
        return Adapted(chosen, record)

    def _told(self, losses: Sequence[float]) -> dict[str, Any]:
        how = self.how
        drawn = {"patches_per_step": self.patches, "size": self.size, "again": how.again}
        drawn |= {"loyalty": how.loyalty, "texture": how.texture}
        tuned = {"rate": self.tuning.rate, "parameters": self.tuning.size}
        return {"steps": len(losses), **tuned, **drawn, "seed": self.seed}

    def _learn(
        self, parts: Sequence[Part], until: float, general: General | None, progress: Callable[[float], None]
    ) -> list[float]:
        """Step by step, as many as are asked for or as there is time for; the losses."""
        began, most = time.perf_counter(), self.how.steps or math.inf
        losses: list[float] = []
        with closing(ahead(partial(self._pairs, parts, general), 0, math.inf, self.place)) as batches:
            while len(losses) < most and (not losses or time.perf_counter() < until):
                step, pairs = next(batches)
                losses.append(self.tuning.step(*self._asked(pairs, step, self.how.again), half=self.half))
                progress(max(len(losses) / most, (time.perf_counter() - began) / max(1e-9, until - began)))
        return losses

    def _pairs(self, parts: Sequence[Part], general: General | None, step: int) -> Pairs:
        """Pairs of one step, half of them of other heads where there are such."""
        others = self.patches // 2 if general else 0
        pairs = self._drawn(parts, step, self.patches - others)
        return joined([pairs, general(step, others, pairs.residual.shape[-1])]) if general and others else pairs

    def _drawn(self, parts: Sequence[Part], step: int, patches: int) -> Pairs:
        """Patches of one step, which take turns in the axes and share out the phases."""
        rng = np.random.default_rng([self.seed, step])
        edge = min(edge_of(part.learnt, self.size, self.model.network.multiple) for part in parts)
        groups = min(GROUPS, patches)
        drawn = []
        for group in range(groups):
            part = parts[int(rng.integers(len(parts)))]
            axes = part.example.lessons(part.learnt)
            axis, many = axes[(step * groups + group) % len(axes)], len(range(group, patches, groups))
            lesson = draw(part.example, part.learnt, axis, rng, patches=many, size=edge, turn=True)
            drawn.append(lesson.pairs)
        return joined(drawn)

    def _asked(self, pairs: Pairs, step: int, again: float) -> tuple[Pairs, Noised]:
        generator = torch.Generator(self.place).manual_seed(self.seed * 1_000_003 + step)
        blind = step >= self.blind_from
        return asked(
            pairs, lambda r0, pure, blind: noised(r0, generator, pure=pure, blind=blind), again=again, blind=blind
        )

    def _answer(self, network: ConditionalUNet, pairs: Pairs) -> Tensor:
        _, (x, _, t) = self._asked(pairs, self.how.noisy_start, 0.0)
        return from_velocity(x, network(x, pairs.maps, pairs.numbers, t), t)

    def _rehearsed(self, size: int, patches: int) -> tuple[int, int, float]:
        """Seconds of a step on nothing, for what fits the memory; the first one on a GPU chooses its kernels."""
        zeros = torch.zeros((patches, 1, *[size // self.model.network.multiple * self.model.network.multiple] * 3))
        numbers = torch.zeros((patches, len(NUMBERS)), device=self.place)
        pairs = Pairs(zeros.to(self.place), zeros.to(self.place).expand(-1, len(MAPS), -1, -1, -1), numbers)
        for _ in range(2 if self.place.type == "cuda" else 1):
            began = time.perf_counter()
            float(self.tuning.loss(*self._asked(pairs, 0, self.how.again), half=self.half))
            seconds = time.perf_counter() - began
        return size, patches, seconds

    def _refuse_haste(self) -> None:
        fewest = min(FEWEST, self.how.steps or FEWEST)
        needed = fewest * self.step_seconds
        if needed > self.left:
            raise ResourceError(
                "no time to adapt the model",
                found=f"{needed:.0f} s for {fewest} steps here, and {max(self.left, 0):.0f} s for them",
                hint="give more seconds to adapt, use a GPU, or do not adapt",
            )


def _lacking(gains: Mapping[float, float], steps: int) -> str:
    """Why the tuned network is not used; nothing if it is."""
    best, whole = max(gains.values()), gains[SHARES[-1]]
    if best < LEAST:
        return f"{best:+.3f} dB where it had not learnt, needed {LEAST:+}"
    if steps >= MANY and whole < LEAST_OF_MANY:
        return f"{whole:+.3f} dB all of the way where it had not learnt, needed {LEAST_OF_MANY:+} after {steps} steps"
    return ""


def rehearse(model: Model, how: Adapting, *, device: str = "auto", precision: str = "auto") -> None:
    """See in advance that there is time to adapt a model to a scan; it is put on the device.

    Raises
    ------
    ResourceError
        If there is not.
    """
    place = choose_device(device)
    model.network.to(place)
    Adapter(model, how, place, half=choose_precision(precision, place) == "bf16")
