"""Peers are run as their authors mean them to be: better than zeros, and on the same data."""

import numpy as np
import pytest
import torch

from benchmarks.kspace_peers import bart_wavelet, dds, has_bart
from medidiff.kspace import KSpace
from medidiff.models import load_model
from medidiff.tasks import reconstruct
from medidiff.tasks.measurement import measure
from medidiff.tasks.refinement import Asked, prior_of
from tests.physics.heads import grid, head, lines, measured
from tests.toy import PLANE_CARD, make_model

SHAPE = (48, 40, 2)


@pytest.fixture(scope="module")
def scan():
    _, _, y = measured(SHAPE, number=6, noise=0.01)
    mask = lines(SHAPE[1], acceleration=2, calibration=12)
    return KSpace((y * mask).numpy(), grid(SHAPE), (0, 1), np.broadcast_to(mask.numpy(), SHAPE))


def error(image):
    return float(np.linalg.norm(image - head(SHAPE).numpy()))


@pytest.mark.skipif(not has_bart(), reason="no bart")
def test_bart_is_better_than_zeros_in_our_scale(scan):
    plain = reconstruct(scan, "zero-filled", device="cpu").volume.array
    assert error(bart_wavelet(scan, weight=0.002)) < 0.7 * error(plain)


def test_dds_agrees_with_the_data_whatever_the_network_says(scan, tmp_path):
    cpu = torch.device("cpu")
    prior = prior_of(load_model(make_model(tmp_path, **PLANE_CARD)), Asked(), device=cpu, progress=lambda share: None)
    known = measure(scan, coils=12, kernel=6, crop=0.8, noise=None, seed=0, device=cpu)
    images = dds(known, prior, evaluations=3)
    assert images.shape == (1, *SHAPE)
    assert known.residual(images) < 0.2 * float(torch.linalg.vector_norm(known.y))
