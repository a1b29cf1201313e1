"""Folders that appear whole or not at all."""

import pytest

from medidiff.errors import OutputError
from medidiff.io.atomic import replacing_folder


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
