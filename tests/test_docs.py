"""What the documentation says exists: commands, options, links, names."""

import ast
import inspect
import re
import shlex

import click
import pytest

import medidiff
from medidiff.cli import main
from tests.conftest import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "sample_data").glob("*.md"),
    *(ROOT / "pipelines").rglob("*.md"),
]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text, language):
    """The fenced code blocks of a page in one language."""
    return [code for tongue, code in FENCE.findall(text) if tongue == language]


def command_lines():
    """Each line of a shell block that calls medidiff, with its page."""
    for page in PAGES:
        for block in blocks(page.read_text(encoding="utf-8"), "sh"):
            yield from ((page.name, line) for line in block.splitlines() if line.startswith("medidiff "))


def resolve(words):
    """The command that ``words`` call, and the words left over for it."""
    command: click.Command = main
    while isinstance(command, click.Group):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def anchors(text):
    """The headings of a page as links name them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)", text, re.M)
    }


@pytest.mark.parametrize(("page", "line"), list(command_lines()))
def test_every_command_line_names_options_that_exist(page, line):
    command, words = resolve(shlex.split(line, comments=True)[1:])
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        place = page.parent / path if path else page
        assert place.exists(), target
        assert not anchor or anchor in anchors(place.read_text(encoding="utf-8")), target


def test_the_make_targets_of_the_readme_exist():
    named = set(re.findall(r"\bmake ([a-z-]+)", " ".join(blocks(README, "sh"))))
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert {"demo", "test"} <= named <= rules


@pytest.mark.parametrize("code", blocks(README, "python"))
def test_the_python_of_the_readme_uses_names_and_options_that_exist(code):
    tree = ast.parse(code)
    assert {name for node in ast.walk(tree) if (name := name_in_medidiff(node))} <= set(medidiff.__all__)
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and (name := name_in_medidiff(call.func)):
            known = inspect.signature(getattr(medidiff, name)).parameters
            assert {keyword.arg for keyword in call.keywords} <= set(known)


def name_in_medidiff(node):
    """What ``something`` is if a piece of code says ``medidiff.something``, else nothing."""
    said = isinstance(node, ast.Attribute) and ast.unparse(node.value) == "medidiff"
    return node.attr if said else ""


@pytest.mark.slow
@pytest.mark.parametrize("code", blocks(README, "python"))
def test_the_python_of_the_readme_runs(code, tmp_path, monkeypatch):
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own page
    assert (tmp_path / "sharp.nii.gz").exists()


def test_every_public_name_is_in_the_documentation():
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert {name for name in medidiff.__all__ if name not in text} <= {"__version__"}


def test_the_sample_data_readme_describes_every_scan():
    text = (ROOT / "sample_data" / "README.md").read_text(encoding="utf-8")
    scans = (ROOT / "sample_data" / "scans").glob("*.nii.gz")
    assert all(scan.name.removesuffix(".nii.gz") in text for scan in scans)
