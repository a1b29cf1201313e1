"""Pages that need nothing but themselves: one for each case, written as it comes, and one over all."""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medidiff.errors import ResourceError
from medidiff.io.atomic import make_folder, remove, replacing

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["NOTICE", "Pages", "remove_pages", "slug_of"]

NOTICE = "Research use only. Not a medical device; not for diagnosis or treatment."
OURS = b'<meta name="generator" content="medidiff">'
BEGIN, END = "<!--case-->", "<!--/case-->"


class Pages:
    """Writes ``cases/NAME.html`` for each case and ``report.html`` over all; keeps names alone in memory.

    Parameters
    ----------
    output
        The folder for both.
    title
        Of the pages.

    Raises
    ------
    ResourceError
        If what draws pages is not installed.
    """

    def __init__(self, output: Path, title: str) -> None:
        self._environment, self._output, self._title = _environment(), output, title
        self._slugs: dict[str, str] = {}

    def write(self, name: str, told: Mapping[str, Any]) -> None:
        """Write the page of a case from what the template ``case.html`` takes.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        from markupsafe import Markup

        slug = slug_of(name)
        fragment = self._environment.get_template("case.html").render(name=name, slug=slug, **told)
        page = {"fragment": Markup(fragment), "title": f"{name}: {self._title}"}  # noqa: S704 - rendered with escapes
        self._stream("single.html", page, self._output / "cases" / f"{slug}.html")
        self._slugs[name] = slug

    def remove_others(self) -> None:
        """Remove the pages of cases that an earlier run left and this one does not have."""
        remove_pages(self._output, kept={self._output / self.place(name) for name in self._slugs})

    def place(self, name: str) -> str:
        """Where the page of a case lies, relative to the report; empty if it has none."""
        return f"cases/{self._slugs[name]}.html" if name in self._slugs else ""

    def anchor(self, name: str) -> str:
        """Name of the case's place in a page."""
        return f"case-{slug_of(name)}"

    def finish(self, template: str, told: Mapping[str, Any], embedded: list[str]) -> Path:
        """Write ``report.html`` with the cases named in it, read back one by one."""
        path = self._output / "report.html"
        cases = (self._fragment(name) for name in embedded if name in self._slugs)
        self._stream(template, {**told, "fragments": cases, "title": self._title}, path)
        return path

    def _fragment(self, name: str) -> Any:
        from markupsafe import Markup

        page = (self._output / self.place(name)).read_text(encoding="utf-8")
        return Markup(page.split(BEGIN, 1)[1].rsplit(END, 1)[0])  # noqa: S704 - our own page

    def _stream(self, template: str, told: Mapping[str, Any], path: Path) -> None:
        pieces: Iterator[str] = self._environment.get_template(template).generate(notice=NOTICE, **told)
        make_folder(path.parent)
        with replacing(path) as stream:
            for piece in pieces:
                stream.write(piece.encode(errors="backslashreplace"))


def remove_pages(output: Path, *, kept: Collection[Path] = ()) -> None:
    """Remove the pages that an earlier run wrote into a folder; what something else wrote stays.

    Raises
    ------
    OutputError
        If one cannot be removed.
    """
    for path in (output / "report.html", *sorted((output / "cases").glob("*.html"))):
        if path not in kept and path.is_file() and _is_ours(path):
            remove(path)
    with suppress(OSError):  # it is there no longer, or holds what is not ours
        (output / "cases").rmdir()


def _is_ours(path: Path) -> bool:
    with path.open("rb") as stream:
        return OURS in stream.read(500)


def slug_of(name: str) -> str:
    """Turn a case's name into one that files and addresses can have; different names stay different.

    >>> slug_of("sub-01_T1w"), slug_of("a/b c")
    ('sub-01_T1w', 'a-b-c-0af99a60')
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip(".-")[:80]
    if plain == name and plain:
        return plain
    return f"{plain or 'case'}-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:8]}"


def _environment() -> "Environment":
    try:
        import matplotlib  # noqa: F401 - its palettes are needed later; better told now
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        hint = "pip install 'medidiff[report]'"
        raise ResourceError(f"pages need {error.name}", found="not installed", hint=hint) from error
    loader = PackageLoader("medidiff.report", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
