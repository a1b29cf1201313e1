"""The program as a shell sees it: light to start, tidy when interrupted, and documented to the last option."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from medidiff.cli import main
from medidiff.cli.guard import Exit
from tests.bad_files import good
from tests.batch.running import RECORDS, table

ROOT = Path(__file__).resolve().parents[2]

LIGHT = """
import sys
from click.testing import CliRunner
from medidiff.cli import main
for arguments in {commands}:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, (arguments, result.output)
heavy = {{"torch", "monai", "nibabel", "numpy", "scipy", "skimage", "pydicom", "highdicom"}} & set(sys.modules)
assert not heavy, heavy
"""


def commands(group=main, path=()):
    """Every command and group below ``medidiff``: the words that call it, and the command."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands())


def options(command):
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def start(*arguments):
    """Start it as a terminal does; in the background a shell tells its children to ignore Ctrl-C, and those theirs."""
    program = [sys.executable, "-m", "tests.cli.slow_enhance", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(program, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, preexec_fn=_hear_ctrl_c)


def _hear_ctrl_c():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("request_to_stop", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupt_leaves_whole_files_whole_records_and_code_130(request_to_stop, tmp_path):
    for name in ("a.nii", "b.nii", "c.nii"):
        good(tmp_path / "in" / name)
    with start(
        "enhance", "-i", tmp_path / "in", "-o", tmp_path / "out", "--device", "cpu", "--in-flight", 1
    ) as program:
        while not ((tmp_path / "in the middle").exists() and (tmp_path / "out" / "a_enhanced.json").exists()):
            assert program.poll() is None, "the program ended early"
            time.sleep(0.02)
        program.send_signal(request_to_stop)
        rest = program.communicate(timeout=60)[1]
    assert program.returncode == Exit.INTERRUPTED
    assert "Traceback" not in rest
    assert rest.splitlines()[-1].startswith("interrupted: ")
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert left == [".medidiff.lock", "a_enhanced.json", "a_enhanced.nii.gz", *RECORDS]
    assert [row["status"] for row in table(tmp_path / "out")] == ["done", "interrupted", "not run"]


def test_help_version_and_info_load_nothing_heavy():
    called = [[*path, "--help"] for path in COMMANDS] + [["--help"], ["--version"], ["info"], ["info", "--json"]]
    script = LIGHT.format(commands=called)
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_python_m_is_the_same_program():
    command = [sys.executable, "-m", "medidiff.cli", "--version"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("medidiff, version ")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_examples(path, cli):
    told = cli(*path, "--help").stdout
    assert f"medidiff {' '.join(path)}" in told
    assert "Examples:" in told
    assert all(option.help for option in options(COMMANDS[path]))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_option_has_its_place_in_the_docs(path):
    heading = f"## `medidiff {' '.join(path)}`"
    page = (ROOT / "docs" / "cli.md").read_text()
    assert heading in page
    section = re.split(r"^## ", page.split(heading, 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    for option in options(COMMANDS[path]):
        for name in option.opts:
            assert re.search(rf"`[^`]*(?<![\w-]){re.escape(name)}(?![\w-])[^`]*`", section), f"{name} is not documented"


def test_the_docs_tell_of_no_option_that_is_not_there():
    page = (ROOT / "docs" / "cli.md").read_text()
    known = {name for command in COMMANDS.values() for option in options(command) for name in option.opts}
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page))
    assert told - known - {"--help", "--version"} == set()


def test_the_docs_give_every_exit_code():
    page = (ROOT / "docs" / "cli.md").read_text()
    assert all(f"| {code.value} |" in page for code in Exit)


def test_the_choices_are_those_of_the_physics_and_the_models():
    from medidiff.models import PRECISIONS
    from medidiff.physics import PROFILES

    choices = {option.name: list(option.type.choices) for option in options(COMMANDS["enhance",]) if _chooses(option)}
    assert choices["profile"] == list(PROFILES)
    assert choices["precision"] == ["auto", *PRECISIONS]


def _chooses(option):
    return isinstance(option.type, click.Choice)
