"""On a Dask cluster: the same bytes as on one machine, whoever dies."""

import os
import signal
import threading
import time

import pytest

from medidiff.batch import Status, Way, run
from medidiff.errors import ResourceError
from tests.batch import odd_tasks
from tests.batch.running import lines, planned, statuses, story
from tests.batch.test_processes import named, volumes
from tests.fakes import Memory

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of others' event loops and sockets

from medidiff.batch.cluster import cluster  # noqa: E402


@pytest.fixture(scope="module")
def two_workers():
    """A scheduler and two workers with nannies."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, dashboard_address=None, scheduler_port=0, silence_logs=50
    ) as made:
        yield made


def on(address, folder, out, task, watcher=None, **way):
    engine = cluster(address, device="cpu")
    return run(planned(folder, out), task, watcher=watcher or Memory(), way=Way(engine=engine, **way))


@pytest.fixture
def alone(tmp_path):
    """What one process makes of eight scans."""
    scans = named(tmp_path / "in", *"abcdefgh")
    run(planned(scans, tmp_path / "alone"), odd_tasks.quick(), watcher=Memory())
    return volumes(tmp_path / "alone")


def test_a_cluster_makes_the_same_bytes_and_our_manifest_tells_all(two_workers, alone, tmp_path):
    watcher = Memory()
    records = on(two_workers.scheduler_address, tmp_path / "in", tmp_path / "out", odd_tasks.quick(), watcher)
    assert statuses(records) == [Status.DONE] * 8
    assert volumes(tmp_path / "out") == alone
    done = [line for line in lines(tmp_path / "out") if line.get("state") == "done"]
    assert sorted(line["case"] for line in done) == list("abcdefgh")
    assert all(line["device"].startswith("cpu of tcp://") for line in done)
    assert ("a", "compute") in watcher.stages


def test_a_worker_killed_in_the_middle_costs_nothing(two_workers, alone, tmp_path):
    """The killer waits until cases are under way."""

    def kill():
        while not (tmp_path / "out" / "a_enhanced.json").exists():
            time.sleep(0.02)
        os.kill(victim, signal.SIGKILL)

    address = two_workers.scheduler_address
    with distributed.Client(address) as client:
        victim = next(iter(client.run(os.getpid).values()))
    killer = threading.Thread(target=kill)
    killer.start()
    records = on(address, tmp_path / "in", tmp_path / "out", odd_tasks.quick(0.3))
    killer.join()
    with distributed.Client(address) as client:
        assert victim not in client.run(os.getpid).values()
    assert all(record.status.well for record in records)
    assert volumes(tmp_path / "out") == alone


@pytest.mark.slow
def test_a_case_that_hangs_is_given_up_with_its_worker(two_workers, tmp_path):
    scans = named(tmp_path / "in", "a", "hang", "z")
    records = on(two_workers.scheduler_address, scans, tmp_path / "out", odd_tasks.odd(), patience=1.0)
    assert statuses(records) == [Status.DONE, Status.FAILED, Status.DONE]
    assert "given up on a cluster (found no progress for 2 s)" in records[1].reason


def test_a_case_that_kills_every_worker_is_given_up(two_workers, tmp_path):
    scans = named(tmp_path / "in", "crash")
    with distributed.Client(two_workers.scheduler_address) as client:
        client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 1))
    records = on(two_workers.scheduler_address, scans, tmp_path / "out", odd_tasks.odd())
    assert statuses(records) == [Status.FAILED]
    assert "crashed its workers" in records[0].reason


def test_a_scheduler_that_is_lost_is_told_in_one_line_and_the_run_resumes(alone, tmp_path):
    made = distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50)

    def lose():
        while not (tmp_path / "out" / "a_enhanced.json").exists():
            time.sleep(0.02)
        made.close(timeout=5)

    loser = threading.Thread(target=lose)
    loser.start()
    with pytest.raises(ResourceError, match=r"the Dask scheduler is lost .* the same command goes on"):
        on(made.scheduler_address, tmp_path / "in", tmp_path / "out", odd_tasks.quick(0.3))
    loser.join()
    assert story(tmp_path / "out")["outcome"] == "stopped"
    records = run(planned(tmp_path / "in", tmp_path / "out"), odd_tasks.quick(), watcher=Memory())
    assert Status.DONE_BEFORE in statuses(records)
    assert volumes(tmp_path / "out") == alone


def test_a_scheduler_that_is_not_there_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("medidiff.batch.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(ResourceError, match="no Dask scheduler"):
        on("tcp://127.0.0.1:9", named(tmp_path / "in", "a"), tmp_path / "out", odd_tasks.quick())


def test_without_dask_a_cluster_is_refused_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr("medidiff.batch.cluster.find_spec", lambda name: None)
    with pytest.raises(ResourceError, match=r"pip install 'medidiff\[cluster\]'"):
        cluster("")
