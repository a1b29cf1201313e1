import numpy as np
import pytest
import torch

from medidiff.physics import Fourier, Sensitivities
from medidiff.physics.antenna import coil_maps, smooth_phase
from medidiff.physics.coils import calibration, choose_maps, low_resolution_maps
from medidiff.physics.masks import poisson_disc
from tests.physics.heads import coils, grid, head, lines, measured
from tests.physics.operators import drawn


def chosen(y, mask, axes=(0, 1)):
    return choose_maps(y * mask, mask, axes=axes)


def test_the_calibration_region_is_the_widest_full_block_in_the_middle():
    _, _, y = measured()
    mask = lines(calibration=13)
    region = calibration(y * mask, mask, axes=(0, 1))
    assert region is not None
    assert region.shape[1] == 24
    assert region.shape[2] >= 13
    assert torch.equal(region[:, 12], (y * mask)[:, 24, 20 - region.shape[2] // 2 :][:, : region.shape[2]])


def test_an_empty_centre_is_no_calibration_region():
    _, _, y = measured()
    mask = lines(calibration=0, acceleration=3)
    assert calibration(y * mask, mask, axes=(0, 1)) is None
    found = chosen(y, mask)
    assert found.maps is None
    assert "too few calibration lines" in found.kind


def test_espirit_is_chosen_for_a_head_that_fits():
    _, _, y = measured(noise=0.01)
    found = chosen(y, lines(acceleration=2))
    assert found.kind == "ESPIRiT"
    assert found.errors["ESPIRiT"] < 0.3 < found.errors["coil by coil"] == 1


def test_two_sets_are_chosen_for_a_head_that_is_folded():
    image, maps = coils((48, 80, 1), number=8)
    whole = image * maps[0]
    y = Fourier((0, 1)).forward(whole[..., :40, :] + whole[..., 40:, :])
    found = chosen(y, lines(acceleration=1.6, calibration=20))
    assert found.kind == "ESPIRiT, two sets"
    assert len(found.maps) == 2


def test_coils_that_no_maps_explain_are_taken_one_by_one():
    y = drawn((6, 48, 40, 1), dtype=torch.complex64)
    found = chosen(y, lines(acceleration=2))
    assert found.maps is None
    assert min(found.errors.values()) > 0.85


def test_one_coil_needs_no_maps():
    _, _, y = measured(number=1)
    assert chosen(y, lines()).kind == "one coil"


def test_a_fully_sampled_measurement_has_maps_too():
    _, _, y = measured()
    assert chosen(y, torch.ones(1, 1, 1, dtype=torch.bool)).maps is not None


def test_points_in_two_phase_directions_are_calibrated():
    shape = (20, 32, 30)
    _, _, y = measured(shape, axes=(0, 1, 2))
    mask = torch.from_numpy(poisson_disc(shape[1:], acceleration=2, calibration=12))[None]
    found = choose_maps(y * mask, mask, axes=(0, 1, 2), kernel=4)
    assert found.kind.startswith("ESPIRiT")
    assert found.errors["ESPIRiT"] < 0.2


def test_low_resolution_maps_have_unit_norm():
    _, _, y = measured()
    maps = low_resolution_maps(y[:, 18:30, 14:26], (48, 40, 1), axes=(0, 1))
    torch.testing.assert_close(torch.linalg.vector_norm(maps, dim=1), torch.ones(1, 48, 40, 1))


@pytest.mark.parametrize("number", [1, 8, 12])
def test_simulated_coils_have_unit_norm_and_differ(number):
    maps = coil_maps(grid((20, 24, 16)), coils=number, seed=3)
    torch.testing.assert_close(torch.linalg.vector_norm(maps, dim=0), torch.ones(20, 24, 16))
    _, values, _ = torch.linalg.svd(maps.flatten(1), full_matrices=False)
    assert values[-1] > 0.01 * values[0]


def test_simulated_coils_are_strong_on_their_own_side_and_smooth():
    maps = coil_maps(grid((40, 40, 1)), coils=8).abs() * (head((40, 40, 1)) > 0)
    peaks = np.array([np.unravel_index(int(m.argmax()), m.shape)[:2] for m in maps])
    angles = np.sort(np.arctan2(*(peaks - 19.5).T))
    assert np.diff(angles).max() < 2
    assert float(maps[:, 12:28, 12:28].diff(dim=1).abs().max()) < 0.1


def test_coils_and_phase_follow_the_seed():
    geometry = grid((12, 10, 8))
    assert torch.equal(coil_maps(geometry, coils=4, seed=1), coil_maps(geometry, coils=4, seed=1))
    assert not torch.equal(coil_maps(geometry, coils=4, seed=1), coil_maps(geometry, coils=4, seed=2))
    assert torch.equal(smooth_phase(geometry, seed=5), smooth_phase(geometry, seed=5))
    assert float(smooth_phase(geometry, seed=5).abs().max()) == pytest.approx(1.5, rel=1e-3)


def test_combining_what_the_coils_see_gives_the_image_back():
    image, maps = coils((16, 14, 6))
    seen = Sensitivities(maps)
    torch.testing.assert_close(seen.normal(image), image, atol=1e-5, rtol=1e-4)
    assert float(head((16, 14, 6)).max()) > 0
