"""Lesions are what they say, and what becomes of them is told truly; blobs count where the truth has none."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from medidiff.errors import InputError
from medidiff.evaluation.blobs import Detector, blob_contrast, invented, response
from medidiff.evaluation.lesions import APART, DEPTH, SIZES, SOFT, Lesion, painted, recovered, scattered, tissue
from medidiff.volume import Geometry, Volume

GRID = Geometry((56, 60, 52), np.diag([1.0, 1.0, 1.2, 1]))
SPACING = np.array(GRID.spacing)


def brain(seed=0):
    """Tissue of brightness about 1, with texture."""
    texture = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=GRID.shape), 1.5)
    return Volume((1 + 0.3 * texture).astype(np.float32), GRID)


def inner(margin=8):
    allowed = np.zeros(GRID.shape, bool)
    allowed[margin:-margin, margin:-margin, margin:-margin] = True
    return allowed


def middle(diameter=6.0, amplitude=0.3, centre=(28.0, 30.0, 25.0)):
    return Lesion(centre, diameter, amplitude)


@pytest.mark.parametrize("diameter", SIZES)
@pytest.mark.parametrize("amplitude", [0.3, -0.3])
def test_a_lesion_has_half_its_height_at_its_edge_and_nothing_outside(diameter, amplitude):
    image = painted(GRID, [middle(diameter, amplitude)]) / amplitude
    assert image[28, 30, 25] == pytest.approx(1, abs=0.05)
    assert image[28 + round(diameter / 2), 30, 25] == pytest.approx(0.5)
    assert image[28, 30, 25 + round(diameter / 2 + 5)] == 0
    volume = np.pi * diameter**3 / 6 * (1 + (np.pi * SOFT / (diameter / 2)) ** 2)  # of a Fermi distribution
    assert image.sum() * np.prod(SPACING) == pytest.approx(volume, rel=0.05)


def test_a_lesion_that_is_wholly_there_is_wholly_recovered():
    lesion = middle(amplitude=-0.3)
    found = recovered(painted(GRID, [lesion]), GRID, lesion)
    assert (found.contrast, found.volume, found.shift) == pytest.approx((1, 1, 0), abs=1e-5)


def test_less_contrast_a_smaller_size_and_another_place_are_told():
    lesion = middle()
    half = recovered(0.4 * painted(GRID, [lesion]), GRID, lesion)
    assert (half.contrast, half.volume, half.shift) == pytest.approx((0.4, 0, 0), abs=1e-5)
    moved = recovered(painted(GRID, [middle(centre=(28.0, 30.0, 26.0))]), GRID, lesion)
    assert moved.shift == pytest.approx(1.2, rel=0.02)
    assert moved.contrast < 0.95
    small = recovered(painted(GRID, [middle(diameter=3.0)]), GRID, lesion)
    assert small.volume < 0.3


def test_what_has_the_wrong_sign_or_is_not_there_is_no_lesion():
    lesion = middle()
    wrong, absent = (recovered(share * painted(GRID, [lesion]), GRID, lesion) for share in (-1, 0))
    assert wrong.contrast == pytest.approx(-1)
    assert absent.contrast == 0
    assert wrong.volume == absent.volume == 0
    assert np.isnan(absent.shift)


def test_places_are_random_allowed_well_apart_and_the_same_for_a_seed():
    volume, allowed = brain(), inner()
    first, again, other = (scattered(volume, allowed, contrast=0.3, each=1, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert {(lesion.diameter, lesion.sign) for lesion in first} == {(d, s) for d in SIZES for s in (1, -1)}
    centres = np.array([lesion.centre for lesion in first])
    assert all(allowed[tuple(np.rint(centre).astype(int))] for centre in centres)
    apart = np.linalg.norm((centres[:, None] - centres[None]) * SPACING, axis=-1)
    assert apart[~np.eye(len(centres), dtype=bool)].min() >= APART


def test_contrast_is_a_share_of_the_tissue_around():
    volume = brain()
    lesions = scattered(Volume(10 * volume.array, GRID), inner(), contrast=0.2, each=1, seed=0)
    assert [abs(lesion.amplitude) for lesion in lesions] == pytest.approx([2.0] * len(lesions), rel=0.25)


def test_no_room_is_said():
    with pytest.raises(InputError, match="too little tissue"):
        scattered(brain(), inner(25), contrast=0.3, each=1, seed=0)


def test_tissue_is_deep_high_and_not_dark():
    place = (np.indices(GRID.shape) - np.array([28, 30, 26]).reshape(3, 1, 1, 1)) * SPACING.reshape(3, 1, 1, 1)
    r = np.sqrt((place**2).sum(0))
    ventricle = np.sqrt((place[0] - 4) ** 2 + place[1] ** 2 + (place[2] - 4) ** 2) < 5
    image = np.where(r < 28, np.where(ventricle, 0.1, 1.0), 0).astype(np.float32)
    allowed = tissue(Volume(image, GRID), r < 28)
    assert allowed.any()
    assert r[allowed].max() <= 28 - DEPTH + 2
    assert place[2][allowed].min() > -2
    assert not (allowed & ventricle).any()


def test_blob_contrast_is_the_amplitude_of_a_sphere_on_any_constant():
    image = painted(GRID, [middle(4.0, 0.3)]) + 5
    assert blob_contrast(image, GRID, 4.0)[28, 30, 25] == pytest.approx(0.3, rel=1e-3)
    assert np.abs(blob_contrast(np.full(GRID.shape, 7, np.float32), GRID, 4.0)).max() < 1e-4
    assert response(image, GRID, middle(4.0, 0.3)) == pytest.approx(0.3, rel=1e-3)
    assert response(image, GRID, middle(4.0, -0.3)) == pytest.approx(-0.3, rel=1e-3)


def test_nothing_is_invented_by_the_truth_itself():
    truth = brain()
    assert [invented(truth.array, truth, inner(), diameter=d, contrast=0.15) for d in SIZES] == [(0, 0)] * len(SIZES)


@pytest.mark.parametrize("diameter", SIZES)
@pytest.mark.parametrize("sign", [1, -1])
def test_an_invented_blob_counts_once_with_its_sign(diameter, sign):
    truth = brain()
    image = truth.array + painted(GRID, [middle(diameter, 0.5 * sign)])
    assert invented(image, truth, inner(), diameter=diameter, contrast=0.25) == ((1, 0) if sign > 0 else (0, 1))
    outside = inner() & (np.indices(GRID.shape)[0] < 16)
    assert invented(image, truth, outside, diameter=diameter, contrast=0.25) == (0, 0)


def test_what_both_show_and_what_is_lost_is_not_invented():
    flat, lesion = np.ones(GRID.shape, np.float32), painted(GRID, [middle(4.0, 0.5)])
    both = invented(flat + lesion, Volume(flat + 0.8 * lesion, GRID), inner(), diameter=4.0, contrast=0.2)
    lost = invented(flat, Volume(flat + lesion, GRID), inner(), diameter=4.0, contrast=0.2)
    assert both == lost == (0, 0)


def test_a_detector_finds_what_exceeds_its_errors_and_errs_as_seldom_as_it_says():
    error = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=GRID.shape), 1).astype(np.float32) * 0.5
    allowed = inner()
    detector = Detector(error, GRID, allowed, SIZES)
    threshold = detector.thresholds[4.0][1]
    strong, weak = middle(4.0, 10 * threshold), middle(4.0, 1e-6)
    assert detector.finds(painted(GRID, [strong]), strong)
    places = np.random.default_rng(1).permutation(np.argwhere(allowed))[:1500]
    false = [detector.finds(np.zeros_like(error), Lesion((p[0], p[1], p[2]), 4.0, 1e-6)) for p in places]
    assert 0 < np.mean(false) < 0.03
    assert weak.sign == 1


def test_larger_lesions_are_easier_to_find():
    error = np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32)
    thresholds = [Detector(error, GRID, inner(), SIZES).thresholds[size][1] for size in SIZES]
    assert all(large < small for small, large in pairwise(thresholds))
