"""What looks best at equal loss: samplers that are right, dials that lose what they should, tables and pictures."""

import csv
import math

import matplotlib.image
import numpy as np
import pytest
import torch

from benchmarks import perception
from benchmarks.perception import LOSSES, SAMPLERS, dial_for, first_order
from medidiff.diffusion import times
from medidiff.io import write_nifti
from tests.diffusion.gaussians import denoiser_of_gaussian
from tests.test_adaptation_benchmark import brain
from tests.toy import make_model

NOISE = torch.randn((1, 1, 20, 20, 20), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("variance", [0.3, 2.0])
def test_many_steps_of_every_sampler_return_the_distribution(name, variance):
    x = SAMPLERS[name](denoiser_of_gaussian(0.5, variance), NOISE, 400, 1)
    assert float(x.mean()) == pytest.approx(0.5, abs=0.05)
    assert float(x.var()) == pytest.approx(variance, rel=0.08)


def test_one_step_is_the_mean_and_fresh_noise_is_seeded():
    denoiser = denoiser_of_gaussian(0.5, 0.3)
    torch.testing.assert_close(
        first_order(denoiser, NOISE, times(1), 0, fresh=0.0), denoiser(NOISE, torch.ones(1)), atol=1e-5, rtol=0
    )
    told = (denoiser, NOISE, times(4))
    first, again, other = (first_order(*told, seed, fresh=1.0) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(first_order(*told, 1, fresh=0.0), first_order(*told, 2, fresh=0.0))


@pytest.mark.parametrize("loss", [0.1, 0.5, 3.0])
def test_a_dial_loses_what_it_should(loss):
    wrong, detail = torch.randn((2, 500), generator=torch.Generator().manual_seed(3))
    dial = dial_for(wrong, detail, loss)
    assert dial > 0
    lost = 10 * math.log10(float((wrong + dial * detail).square().sum() / wrong.square().sum()))
    assert lost == pytest.approx(loss, rel=1e-4)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("perception")
    (folder / "val").mkdir()
    write_nifti(brain(0), folder / "val" / "niimath_T1w.nii.gz", description="test")
    model = make_model(folder / "toy", blind_start=True)
    told = ["--data", folder / "val", "--output", folder / "out", "--model", model, "--steps", 2, "--device", "cpu"]
    return perception.main([str(word) for word in told])


def test_every_sampler_is_scored_as_a_sample_and_at_equal_losses(run):
    with (run / "perception.csv").open() as file:
        rows = list(csv.DictReader(file))
    mean = float(rows[0]["psnr"])
    assert rows[0]["method"] == "mean"
    assert len(rows) == 1 + len(LOSSES) + len(SAMPLERS) * (1 + len(LOSSES))
    at_equal_loss = [row for row in rows[1:] if row["loss"] != "nan"]
    for row in at_equal_loss:
        assert mean - float(row["psnr"]) == pytest.approx(float(row["loss"]), abs=0.05), row["method"]


def test_the_summary_and_the_picture_show_them(run):
    text = (run / "summary.md").read_text()
    assert all(f"| {name} | 2 | 1 |" in text for name in SAMPLERS)
    assert text.count("| sharpened |") == len(LOSSES)
    picture = matplotlib.image.imread(run / "niimath_T1w.png")
    assert picture.shape[0] > 200
    assert np.ptp(picture[..., 0]) > 0.9
