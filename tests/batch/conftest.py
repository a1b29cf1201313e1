"""Scans to work on, and a disk that fills up."""

import shutil
import subprocess

import pytest

from tests.bad_files import good


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 128 KiB; skipped where one cannot be mounted."""
    folder, mount, umount = tmp_path / "disk", shutil.which("mount"), shutil.which("umount")
    folder.mkdir()
    if not (mount and umount):
        pytest.skip("no mount program")
    command = [mount, "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted")
    yield folder
    subprocess.run([umount, folder], check=True)


@pytest.fixture
def scans(tmp_path):
    """Three thick-slice scans in folders."""
    for place, name in enumerate(("a.nii", "sub/b.nii.gz", "sub/c.nii.gz")):
        good(tmp_path / "in" / name, seed=place)
    return tmp_path / "in"
