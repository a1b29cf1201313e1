"""Networks of planes and of stacks learn from the same draws, and are scored on those of other heads."""

import json
import shutil

import pytest
import torch
from torch import nn

from benchmarks.kspace_networks import NETWORKS, RECIPE, PlanesAlone, Stacks, main, table
from medidiff.training import read_recipe

ALONE, BESIDE, _ = NETWORKS
HEADS = ("ds002748_sub-98_T1w", "ds000011_sub-99_T1w", "niivue_M2208_T2w")


@torch.no_grad()
def asked(network, maps, *, planes=8, edge=16):
    """An answer to zeros, shown these maps."""
    return network(torch.zeros(planes, 2, edge, edge), maps, torch.zeros(planes, 4), torch.ones(planes))


def lively(network):
    """One whose last layer is not born as zero."""
    torch.manual_seed(1)
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.05)
    return network.eval()


@pytest.fixture
def maps():
    return torch.randn((8, 10, 16, 16), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def alone(kspace_recipe):
    return lively(PlanesAlone(read_recipe(kspace_recipe()).card))


@pytest.fixture
def stacks():
    return lively(Stacks(8, maps=6, numbers=4, channels=(16, 32), blocks=(1, 1)))


def changed(maps, planes, parts):
    """The same but for these maps of these planes."""
    other = maps.clone()
    other[planes, parts] += 1
    return other


def test_a_network_of_planes_alone_does_not_see_their_neighbours(alone, maps):
    assert torch.equal(asked(alone, maps), asked(alone, changed(maps, slice(None), slice(2, 6))))
    assert not torch.equal(asked(alone, maps), asked(alone, changed(maps, slice(None), slice(6, 8))))


def test_a_network_of_stacks_sees_the_planes_beside_a_plane(stacks, maps):
    wrong = (asked(stacks, maps) - asked(stacks, changed(maps, 5, slice(0, 2)))).abs().amax((1, 2, 3))
    assert float(wrong.min()) > 0


class Echo(nn.Module):
    """Answers what it is shown first."""

    def forward(self, x, maps, numbers, t):
        assert maps.shape == (len(numbers), 6, 16, 16, 8)
        return maps[:, :2]


def test_planes_of_stacks_keep_their_order(stacks, maps):
    stacks.inner = Echo()
    two = torch.cat([maps, maps + 1])
    assert torch.equal(asked(stacks, two, planes=16), two[:, :2])


def test_stacks_do_not_see_one_another(stacks, maps):
    two = asked(stacks, torch.cat([maps, changed(maps, 3, slice(0, 2))]), planes=16)
    torch.testing.assert_close(two[:8], asked(stacks, maps))


def test_the_networks_are_of_about_one_size():
    recipe = read_recipe(RECIPE)
    sizes = [sum(weights.numel() for weights in make(recipe).parameters()) for make in NETWORKS.values()]
    assert max(sizes) < 1.1 * min(sizes)


def test_what_was_found_is_told_for_each_network(kspace_recipe, data, tmp_path):
    val = tmp_path / "val"
    val.mkdir()
    for name in HEADS:
        shutil.copy(data / "head_0.nii.gz", val / f"{name}.nii.gz")
    told = {"--data": data, "--val": val, "--output": tmp_path / "out", "--recipe": kspace_recipe(), "--steps": 2}
    small = ["--groups", "1", "--draws", "1", "--passes", "2", "--device", "cpu", "--only", ALONE, BESIDE]
    folder = main([*(str(part) for pair in told.items() for part in pair), *small])
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert [row["network"] for row in rows] == [ALONE, BESIDE]
    assert all(len(row["gained"]) == 2 and row["steps"] == 2 for row in rows)
    assert (folder / "table.md").read_text() == table(rows)
