"""Two processes train as one: the same weights in both, made of both their gradients."""

import os
import socket
import subprocess
import sys

import pytest
import torch
from torch import nn

from medidiff.errors import UsageError
from medidiff.models import load_model
from medidiff.training.team import Team, join

MEMBER = """
import sys, hashlib, pathlib, time
from medidiff.training import loop

states = []

class Watched(loop._State):
    def __init__(self, *given):
        super().__init__(*given)
        states.append(self)

def slowly(*given, save=loop.save_model):
    time.sleep(1)
    save(*given)

loop._State, loop.save_model = Watched, slowly
folder = loop.train(pathlib.Path(sys.argv[1]), device="cpu")
done = (folder / "model.safetensors").exists()
weights = b"".join(value.numpy().tobytes() for value in states[0].network.state_dict().values())
assert not loop.torch.distributed.is_initialized()
print(states[0].team.rank, states[0].step, hashlib.sha256(weights).hexdigest(), done)
"""
CPU = torch.device("cpu")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def trained_together(path, size=2):
    """What each process says at the end: rank, steps, hash of its weights."""
    shared = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    members = [
        subprocess.Popen(
            [sys.executable, "-c", MEMBER, path],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    told = [member.communicate(timeout=120) for member in members]
    assert [member.returncode for member in members] == [0] * size, told
    return [out.split() for out, _ in told]


def test_two_processes_end_with_the_same_weights_and_one_writes_them(recipe):
    path = recipe("team", steps=3)
    (rank, steps, first, _), (other, _, second, done) = trained_together(path)
    assert (rank, steps, other) == ("0", "3", "1")
    assert done == "True", "the other left before the model was there"
    assert first == second
    model = load_model(path.parent / "run")
    assert model.card["training_steps"] == 3
    assert len((path.parent / "run" / "curves.jsonl").read_text().splitlines()) == 1


def test_gradients_are_averaged(monkeypatch):
    network = nn.Linear(2, 1)
    for weights in network.parameters():
        weights.grad = torch.full_like(weights, 3.0)
    monkeypatch.setattr("torch.distributed.all_reduce", lambda flat: flat.add_(1.0))  # the other's gradient is 1
    Team(CPU, 0, 2).average(network)
    Team(CPU).average(network)  # alone, nothing changes
    for weights in network.parameters():
        torch.testing.assert_close(weights.grad, torch.full_like(weights, 2.0))


def test_alone_there_is_no_team(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    team = join("cpu")
    assert (team.rank, team.size, team.leads) == (0, 1, True)
    assert team.seed(7, 3) == (7, 3)


def test_each_draws_a_share_of_its_own():
    first, second = Team(CPU, 0, 2), Team(CPU, 1, 2)
    assert first.share(8) == second.share(8) == 4
    assert first.seed(7, 3) != second.seed(7, 3)
    assert not second.leads
    with pytest.raises(UsageError, match="3 groups, 2 processes"):
        first.share(3)
