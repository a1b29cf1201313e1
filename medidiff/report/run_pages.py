"""The report of a run of ``enhance`` or ``reconstruct``: before and after, uncertainty, data residual, warnings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medidiff.errors import InputError
from medidiff.metrics import head_region
from medidiff.report.pages import Pages
from medidiff.report.scene import Colours, Scene, compose
from medidiff.volume import Volume

__all__ = ["RunPages"]

UNIT = "in the image's own units"


class RunPages:
    """Draws the cases of a run one by one, and a page over all of them.

    Parameters
    ----------
    output
        Folder for ``report.html`` and ``cases/``.
    title
        Of the pages.
    embed
        How many cases are contained in ``report.html``; all have a page of their own.

    Raises
    ------
    ResourceError
        If what draws pages is not installed.
    """

    def __init__(self, output: Path, title: str, *, embed: int = 12) -> None:
        self._pages, self._embed = Pages(output, title), embed

    def add(
        self, name: str, facts: Mapping[str, Any], before: Mapping[str, Volume], after: Volume, spread: Volume | None
    ) -> None:
        """Draw a case.

        Parameters
        ----------
        name
            Of the case.
        facts
            What its sidecar says.
        before
            What there was: by name, the last of them on the grid of the result.
        after, spread
            The result and its standard deviation.
        """
        told = {
            "scene": _scene(before, after, spread),
            "left": 0,
            "right": len(before),
            "crops_at": f"largest {'change' if spread is None else 'uncertainty'}",
            "scores": None,
            "facts": told_of(facts),
            "warnings": list(facts.get("warnings", ())),
        }
        self._pages.write(name, told)

    def close(self, rows: Sequence[Mapping[str, str]], settings: Mapping[str, Any]) -> Path:
        """Write the page over all; ``rows`` have ``name``, ``status``, ``residual``, ``seconds`` and ``note``."""
        names = [row["name"] for row in rows]
        drawn = [name for name in names if self._pages.place(name)]
        embedded = drawn[: self._embed]
        links = {n: f"#{self._pages.anchor(n)}" if n in embedded else self._pages.place(n) for n in drawn}
        told = {"rows": [{**row, "link": links.get(row["name"], "")} for row in rows], "settings": _shown(settings)}
        return self._pages.finish("run.html", {**told, "embedded": len(embedded), "drawn": len(drawn)}, embedded)


def _scene(before: Mapping[str, Volume], after: Volume, spread: Volume | None) -> Scene:
    plain = list(before.values())[-1]
    change = Volume(after.array - plain.array, after.geometry)
    maps = {f"result minus {list(before)[-1]}": Colours(change, UNIT, signed=True)}
    maps |= {"uncertainty": Colours(spread, f"SD, {UNIT}", signed=False)} if spread is not None else {}
    return compose(
        {**before, "result": after},
        maps,
        frame=after.geometry,
        window_of="result",
        region=_head(after),
        errors=change if spread is None else spread,
    )


def _head(volume: Volume) -> NDArray[np.bool_] | None:
    try:
        return head_region(volume.array)
    except InputError:
        return None


def told_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """Choose from a sidecar what a person wants to see, in words."""
    residual, model = facts.get("data_residual", {}), facts.get("model", {})
    grids = facts.get("geometry", {})
    told = {
        "data residual": _residual(residual),
        "grid": " to ".join(_grid(grids[side]) for side in ("input", "output") if side in grids),
        "model": f"{model['name']} {model['version']}" if "name" in model else "",
        "method": facts.get("method", ""),
        "samples": facts.get("samples", ""),
        "seed": facts.get("seed", ""),
        "assumed": ", ".join(facts.get("acquisition", {}).get("assumed", ())),
        "noise": _noise(facts.get("noise", {})),
        "time": f"{facts['seconds']:.1f} s on {facts.get('device', 'cpu')}" if "seconds" in facts else "",
        "versions": ", ".join(f"{name} {number}" for name, number in facts.get("versions", {}).items()),
    }
    return {key: str(value) for key, value in told.items() if value != ""}


def _residual(told: Mapping[str, Any]) -> str:
    if told.get("before") is None:
        return ""
    line = f"||A x - y|| / ||y|| {told['before']:.2g} before, {told['after']:.2g} after"
    return line if told.get("over_noise") is None else f"{line}, {told['over_noise']:.2g} times the noise"


def _grid(told: Mapping[str, Any]) -> str:
    shape = " x ".join(map(str, told["shape"]))
    return f"{shape} of {' x '.join(f'{mm:.3g}' for mm in told['spacing_mm'])} mm"


def _noise(told: Any) -> str:
    return f"SD {told['sd']:.3g} ({told['origin']})" if isinstance(told, Mapping) and told else ""


def _shown(settings: Mapping[str, Any]) -> dict[str, str]:
    kept = {key.replace("_", " "): value for key, value in settings.items() if value not in (None, "", (), {})}
    return {key: _grid(value) if isinstance(value, Mapping) else str(value) for key, value in kept.items()}
