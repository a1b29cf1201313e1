"""Folders that appear whole or not at all."""

import signal
import subprocess
import sys

import pytest

from medidiff.errors import OutputError
from medidiff.io.atomic import replacing, replacing_folder, sweep_folder


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_a_folder_appears_with_all_that_was_written_into_it(tmp_path):
    with replacing_folder(tmp_path / "a" / "b") as part:
        (part / "one").write_text("1")
        assert not (tmp_path / "a" / "b").exists()
    assert names(tmp_path) == ["a", "b", "one"]


def test_an_earlier_folder_is_replaced_as_a_whole(tmp_path):
    for name in ("one", "two"):
        with replacing_folder(tmp_path / "a") as part:
            (part / name).touch()
    assert names(tmp_path) == ["a", "two"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_an_interruption_leaves_the_earlier_one(interruption, tmp_path):
    with replacing_folder(tmp_path / "a") as part:
        (part / "one").touch()
    with pytest.raises(interruption):
        _begin(tmp_path / "a", interruption)
    assert names(tmp_path) == ["a", "one"]


def test_a_rename_that_fails_brings_the_earlier_one_back(tmp_path):
    with replacing_folder(tmp_path / "a") as part:
        (part / "one").touch()
    with pytest.raises(OutputError), replacing_folder(tmp_path / "a") as part:
        part.rmdir()
    assert names(tmp_path) == ["a", "one"]


def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), replacing_folder(tmp_path / "file" / "a"):
        pass


def _begin(folder, interruption):
    with replacing_folder(folder) as part:
        (part / "two").touch()
        raise interruption


KILLED = """
import os, signal, sys
from pathlib import Path
from medidiff.io.atomic import replacing, replacing_folder, sweep_folder
path = Path(sys.argv[1])
with (replacing_folder if sys.argv[2] == "folder" else replacing)(path) as part:
    (part / "00001.dcm").write_bytes(b"half") if sys.argv[2] == "folder" else part.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_a_killed_process_left_goes_when_it_is_written_again(kind, tmp_path):
    for name in (".other.0a1b2c3d.part", ".a.txt", ".a.0a1b2c3d.part.txt"):
        (tmp_path / name).touch()
    others = names(tmp_path)
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a", kind], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) > len(others)
    assert not (tmp_path / "a").exists()
    with replacing_folder(tmp_path / "a") if kind == "folder" else replacing(tmp_path / "a"):
        pass
    assert names(tmp_path) == sorted([*others, "a"])


def test_what_was_set_aside_when_a_process_was_killed_goes_too(tmp_path):
    (tmp_path / ".a.0a1b2c3d.old").mkdir()
    (tmp_path / ".a.0a1b2c3d.old" / "one").touch()
    with replacing_folder(tmp_path / "a") as part:
        (part / "two").touch()
    assert names(tmp_path) == ["a", "two"]


def test_a_folder_is_swept_of_fragments_and_of_nothing_else(tmp_path):
    left = [".a.nii.gz.0123abcd.part", ".deadbeef.part", ".a_dicom.0123abcd.old"]
    kept = [".0123abcd.txt", "a.0123abcd.part", ".a.nii.gz.0123abcg.part", ".hidden"]
    for name in (*left[:2], *kept):
        (tmp_path / name).touch()
    (tmp_path / left[2]).mkdir()
    sweep_folder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
