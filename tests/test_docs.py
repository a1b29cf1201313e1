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


def leaves(command, *words):
    """All commands below ``command`` that do something, with the words that call them."""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from leaves(child, *words, name)
    else:
        yield words, command


def resolve(words):
    """The command that ``words`` call, and the words left over for it."""
    command = main
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


@pytest.mark.parametrize(
    ("words", "command"), list(leaves(main)), ids=lambda item: " ".join(item) if isinstance(item, tuple) else ""
)
def test_every_command_has_help_and_a_page_with_every_option(words, command):
    page = (ROOT / "docs" / "commands" / f"{words[0]}.md").read_text(encoding="utf-8")
    options = {max(option.opts, key=len) for option in command.params if isinstance(option, click.Option)} - {"--help"}
    assert command.help
    assert {option for option in options if f"`{option}`" not in page} == set()
    assert set(re.findall(r"^\| `(--[a-z-]+)`", page, re.M)) <= options
    assert f"# medidiff {' '.join(words)}" in page


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
def test_the_python_of_the_readme_uses_names_that_exist(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "medidiff":
            assert node.attr in medidiff.__all__
        if isinstance(node, ast.Call) and getattr(node.func, "value", None) is not None:
            called = getattr(medidiff, node.func.attr, None)
            if called is not None and getattr(node.func.value, "id", "") == "medidiff":
                known = inspect.signature(called).parameters
                assert {keyword.arg for keyword in node.keywords} <= set(known)


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
