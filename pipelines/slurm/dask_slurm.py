"""A Dask cluster of SLURM jobs for medidiff: ``python dask_slurm.py --jobs 8 -- enhance -i INPUT -o OUTPUT``.

Starts the scheduler here and up to so many jobs with a worker and a GPU each, runs medidiff on them, and ends the jobs
with it. ``--dry-run`` prints the job script and the command, and submits nothing. Needs ``medidiff[cluster]``, a folder
that all machines see, and the same environment on all of them.
"""

import argparse
import logging
import shlex
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from dask_jobqueue import SLURMCluster

__all__ = ["command", "job_cluster", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code of medidiff."""
    given = _parser().parse_args(arguments)
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with job_cluster(given) as cluster:
        run = command(cluster.scheduler_address, given.medidiff)
        if given.dry_run:
            sys.stdout.write(f"{cluster.job_script()}\n# {given.jobs} of these, and here:\n{shlex.join(run)}\n")
            return 0
        sys.stderr.write(f"the cluster is shown at {cluster.dashboard_link}\n")
        cluster.adapt(minimum=0, maximum=given.jobs)
        return subprocess.run(run, check=False).returncode  # noqa: S603 - what was asked for


def job_cluster(given: argparse.Namespace) -> Any:
    """Make the cluster; nothing is submitted before it is scaled."""
    return SLURMCluster(
        queue=given.partition,
        account=given.account,
        cores=given.cores,
        processes=1,
        memory=given.memory,
        walltime=given.time,
        job_name="medidiff",
        interface=given.interface,
        job_extra_directives=[f"--gpus={given.gpus}"] if given.gpus else [],
        worker_extra_args=["--nthreads", "3", "--lifetime-stagger", "2m"],
        scheduler_options={"dashboard_address": ":0"},
    )


def command(address: str, medidiff: Sequence[str]) -> list[str]:
    """Return what is run here: medidiff with the cluster's scheduler."""
    words = [word for word in medidiff if word != "--"]
    return ["medidiff", *words, "--scheduler", address]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=4, help="at most so many jobs at once (4)")
    parser.add_argument("--gpus", type=int, default=1, help="for each job (1)")
    parser.add_argument("--cores", type=int, default=4, help="for each job (4)")
    parser.add_argument("--memory", default="16GB", help="for each job (16GB)")
    parser.add_argument("--time", default="08:00:00", help="of a job (08:00:00)")
    parser.add_argument("--partition", help="by default the cluster's")
    parser.add_argument("--account", help="by default yours")
    parser.add_argument("--interface", help="network interface that the jobs reach, such as ib0")
    parser.add_argument("--dry-run", action="store_true", help="print the job script and the command, submit nothing")
    parser.add_argument("medidiff", nargs=argparse.REMAINDER, help="-- and then what medidiff is to do")
    return parser


if __name__ == "__main__":
    sys.exit(main())
