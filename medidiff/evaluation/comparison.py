"""``evaluate``: every method on every case, one case in memory at a time."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from medidiff.errors import InputError, OutputError, UsageError
from medidiff.evaluation.attempt import attempt, failed, measured
from medidiff.evaluation.listing import Who, read_listing
from medidiff.evaluation.pairing import RULES
from medidiff.evaluation.plan import Plan, Planned, plan_cases
from medidiff.evaluation.preset import PRESETS, Rules
from medidiff.evaluation.score import Score, Truth, prepared
from medidiff.evaluation.table import Row, Table
from medidiff.evaluation.write import write_cases, write_table
from medidiff.io.atomic import make_folder
from medidiff.volume import Volume

__all__ = ["Look", "Seen", "evaluate"]


@dataclass(frozen=True, eq=False)
class Seen:
    """A case as it was scored, for whoever draws it; gone from memory after that.

    Parameters
    ----------
    case
        Its name.
    truth
        Reference and region; None if it could not be read.
    source
        The measurement, if it is known, as an image.
    images, spreads
        Volumes and standard deviations by method, on the reference's grid.
    rows
        The scores by method.
    """

    case: str
    truth: Truth | None
    source: Volume | None
    images: Mapping[str, Volume]
    spreads: Mapping[str, Volume]
    rows: Sequence[Row]


Look = Callable[[Seen], None]


def evaluate(
    predictions: str | Path | Mapping[str, str | Path],
    references: str | Path,
    output: str | Path | None = None,
    *,
    preset: str = "volume",
    region: str | Path = "",
    data_range: float | None = None,
    resample: bool = False,
    slice_axis: str = "auto",
    pair: str = "auto",
    inputs: str | Path | None = None,
    baselines: Sequence[str] = (),
    group: str = "",
    about: str | Path | None = None,
    seed: int = 0,
    look: Look | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Table:
    """Score one method or several against references, and compare them. Research use only.

    Parameters
    ----------
    predictions
        A file or folder, or one for each method by name. The first is compared with each of the others.
    references
        A file or folder.
    output
        Folder for ``cases.csv``, ``summary.json`` and ``summary.md``; nothing is written without.
    preset
        ``volume`` or ``fastmri``; see `medidiff.evaluation.preset.PRESETS`.
    region
        ``head``, ``all``, or a mask or a folder of masks; by default the preset's.
    data_range
        In the references' units; by default the preset's rule, from the reference alone.
    resample
        Bring predictions onto the references' grids where these differ, and say so; otherwise such a case fails.
    slice_axis
        Axis of the references' arrays that slices lie across; ``auto`` is the coarsest, or the first of arrays without
        a grid under ``fastmri``.
    pair
        How images are paired; see `medidiff.evaluation.pair_up`.
    inputs
        The measurements, paired like predictions: gives the data residual, and baselines.
    baselines
        Names of `medidiff.evaluation.measured`, made of the inputs on the fly: ``cubic``, ``tv:0.001``.
    group, about
        Sub-groups: a column of the table ``about`` (by default the table of ``pair``), ``folder`` or a BIDS entity. A
        column ``subject`` (or ``participant_id`` beside ``case``) says whose image a case is.
    seed
        Of the bootstrap.
    look
        Called with each case while its volumes are in memory.
    progress
        Called with the number of cases done, of all, and the name of the case that begins.

    Returns
    -------
    Table
        Scores, means, intervals, comparisons. A case that cannot be scored is a row with its reason.

    Raises
    ------
    InputError
        If nothing can be paired.
    UsageError
        If options contradict each other.
    OutputError
        If ``output`` cannot be written.
    """
    if preset not in PRESETS:
        raise UsageError("unknown preset", found=preset, needed=" or ".join(PRESETS))
    rules = Rules(PRESETS[preset], region or PRESETS[preset].region, data_range, resample, slice_axis)
    named = {"prediction": predictions} if isinstance(predictions, str | Path) else predictions
    roots = {name: Path(root) for name, root in named.items()}
    measured = None if inputs is None else Path(inputs)
    plan = plan_cases(roots, Path(references), by=pair, inputs=measured, baselines=baselines, region=rules.region)
    who = _who(group, None if about is None else Path(about), pair, plan)
    output = None if output is None else Path(output)
    if output is not None:
        make_folder(output)
    run = _Run(plan, rules, who, look)
    table = partial(Table, methods=plan.methods, settings=_settings(rules, plan, pair, seed, group), seed=seed)
    try:
        for done, case in enumerate(plan.cases):
            if progress:
                progress(done, len(plan.cases), case.name)
            run.add(case)
        if progress:
            progress(len(plan.cases), len(plan.cases), "")
    except BaseException:
        if output is not None:
            with suppress(OutputError):
                write_cases(table(run.rows, unpaired=plan.unpaired), output)
        raise
    whole = table(run.rows, unpaired=plan.unpaired)
    if output is not None:
        write_table(whole, output)
    return whole


def _who(group: str, about: Path | None, pair: str, plan: Plan) -> Who:
    """Read what is told of the cases."""
    path = about or (Path(pair) if pair not in RULES else None)
    who = Who(group, read_listing(path) if path else None)
    if about and who.about and not (group or who.about.subject_column):
        needed = "a sub-group, or a column subject"
        raise UsageError("the table about cases says nothing that is asked for", where=str(about), needed=needed)
    who.check(case.name for case in plan.cases)
    return who


def _settings(rules: Rules, plan: Plan, pair: str, seed: int, group: str) -> dict[str, object]:
    methods = {name: str(plan.roots.get(name, "made of the input")) for name in plan.methods}
    return {**rules.told(), "pair": pair, "methods": methods, "group": group, "bootstrap_seed": seed}


@dataclass
class _Run:
    """Rows so far, and what is needed to add those of a case."""

    plan: Plan
    rules: Rules
    who: Who
    look: Look | None
    rows: list[Row] = field(default_factory=list)

    def add(self, case: Planned) -> None:
        """Score every method on a case, and show it."""
        images: dict[str, Volume] = {}
        spreads: dict[str, Volume] = {}
        truth, source, scores = None, None, {}
        try:
            if case.error:
                raise InputError(case.error, where=case.name)
            truth = prepared(case.reference.read(), self.rules, case.region.read() if case.region else None)
            source = measured(case)
        except Exception as error:
            scores = {method: failed(error) for method in case.methods}
        for method in case.methods:
            if truth is not None and method not in scores:
                scores[method] = attempt(case, method, truth, source, self.rules, images, spreads)
        rows = [self._row(case, method, scores[method]) for method in case.methods]
        place = len(self.rows)
        self.rows += rows
        if not self.look:
            return
        try:
            self.look(Seen(case.name, truth, source.shown if source else None, images, spreads, rows))
        except Exception as error:
            why = f"no page: {failed(error).error}"
            self.rows[place:] = [replace(row, score=row.score.noted(why)) for row in rows]

    def _row(self, case: Planned, method: str, told: Score) -> Row:
        group, subject = self.who.group(case.name), self.who.subject(case.name)
        image = case.images.get(method)
        origin = image.path if image else "made of the input"
        return Row(case.name, method, subject, group, told, origin, case.reference.path)
