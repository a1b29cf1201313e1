"""Planes hold the same images and the same measurement as the volume that they are cut from."""

import numpy as np
import pytest
import torch

from medidiff.kspace import KSpace
from medidiff.tasks.measurement import measure
from medidiff.tasks.planes import first_estimate, planes_of
from tests.physics.heads import grid, lines, measured

SHAPES = {
    "slices": ((24, 20, 3), (0, 1)),
    "slices across x": ((3, 24, 20), (1, 2)),
    "volume": ((10, 24, 20), (0, 1, 2)),
}


def made(name, mask=None):
    shape, axes = SHAPES[name]
    _, _, y = measured(shape, number=4, noise=0.01, axes=axes)
    places = [1, 1, 1]
    places[axes[-1]] = shape[axes[-1]]
    mask = lines(shape[axes[-1]], calibration=8).reshape(places) if mask is None else mask
    scan = KSpace((y * mask).numpy(), grid(shape), axes, np.broadcast_to(mask.numpy(), shape))
    return measure(scan, coils=12, kernel=4, crop=0.8, noise=0.01, seed=0, device=torch.device("cpu"))


def points(shape, seed=0):
    """A mask of points that lets no axis be separated."""
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.6
    mask[:, shape[1] // 2 - 4 : shape[1] // 2 + 4, shape[2] // 2 - 4 : shape[2] // 2 + 4] = True
    return mask


@pytest.fixture(params=[*SHAPES, "points"])
def measurement(request):
    if request.param == "points":
        return made("volume", points(SHAPES["volume"][0]))
    return made(request.param)


def random_images(measurement):
    sets = len(measurement.y) if measurement.maps.maps is None else len(measurement.maps.maps)
    return torch.randn((sets, *measurement.y.shape[1:]), dtype=torch.complex64)


def test_images_go_and_come_back(measurement):
    planes, images = planes_of(measurement), random_images(measurement)
    taken = planes.taken(images)
    assert torch.equal(planes.given(taken), images)
    assert torch.equal(planes.unlisted(planes.listed(taken)), taken)
    assert torch.equal(planes.given(torch.stack([taken, 2 * taken]))[1], 2 * images)


def test_listed_planes_are_cuts_of_the_volume(measurement):
    planes, images = planes_of(measurement), random_images(measurement)
    listed = planes.listed(planes.taken(images))
    a, b, across = planes.order
    for place in range(images.shape[1 + across]):
        assert torch.equal(listed[:, place], images.select(1 + across, place))
    assert (a, b) == tuple(sorted((a, b)))


def test_planes_are_measured_as_the_volume_is(measurement):
    planes, images = planes_of(measurement), random_images(measurement)
    whole = measurement.operator.forward(images)
    parts = planes.operator.forward(planes.taken(images))
    assert torch.linalg.vector_norm(parts) == pytest.approx(float(torch.linalg.vector_norm(whole)), rel=1e-5)
    back = planes.given(planes.operator.adjoint(planes.y))
    torch.testing.assert_close(back, measurement.operator.adjoint(measurement.y), atol=1e-5, rtol=1e-4)


def test_planes_stand_apart_unless_data_join_them():
    assert planes_of(made("slices")).apart
    assert planes_of(made("volume")).apart
    assert not planes_of(made("volume", points(SHAPES["volume"][0]))).apart


def test_noise_is_shared_out(measurement):
    planes = planes_of(measurement)
    assert planes.allowed * len(planes.y) ** 0.5 == pytest.approx(measurement.allowed)


def test_the_first_estimate_explains_the_data_no_worse_than_zeros_do(measurement):
    planes = planes_of(measurement)
    x = first_estimate(planes.operator, planes.y, allowed=planes.allowed)
    plain = planes.operator.adjoint(planes.y)
    left, before = (torch.linalg.vector_norm(planes.operator.forward(image) - planes.y) for image in (x, plain))
    assert left <= before
