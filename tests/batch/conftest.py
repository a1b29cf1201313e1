"""A disk that fills up."""

import shutil
import subprocess

import pytest


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
