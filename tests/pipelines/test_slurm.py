"""The recipes for SLURM, as far as they go without one."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

RECIPES = ROOT / "pipelines" / "slurm"
ARRAY = {"SLURM_ARRAY_TASK_COUNT": "8", "SLURM_ARRAY_TASK_ID": "12", "SLURM_ARRAY_TASK_MIN": "10"}


def array(tmp_path, **environment):
    """Run the script of the array with a medidiff that prints what it is told."""
    stub = tmp_path / "medidiff"
    stub.write_text('#!/bin/sh\necho "$@"\n')
    stub.chmod(0o755)
    command = ["bash", str(RECIPES / "array.sbatch"), "in put", "out", "--samples", "2"]
    settings = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", **environment}
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_each_job_of_an_array_does_its_share(tmp_path):
    told = array(tmp_path, **ARRAY)
    assert told.stdout == "enhance -i in put -o out --num-parts 8 --part-id 2 --samples 2\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_a_job_that_is_no_array_is_refused(tmp_path):
    told = array(tmp_path)
    assert told.returncode != 0
    assert "not a job array" in told.stderr


def test_the_job_script_of_the_cluster_asks_for_what_it_is_told():
    pytest.importorskip("dask_jobqueue")
    options = ["--dry-run", "--jobs", "5", "--gpus", "2", "--memory", "24GB", "--partition", "gpu"]
    command = [sys.executable, str(RECIPES / "dask_slurm.py"), *options, "--", "enhance", "-i", "in", "-o", "out"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in ("#SBATCH -p gpu", "#SBATCH --gpus=2", "#SBATCH --mem=23G", "#SBATCH -t 08:00:00"):
        assert line in told, told
    assert "--nthreads 3" in told
    assert told.splitlines()[-1].startswith("medidiff enhance -i in -o out --scheduler tcp://")
