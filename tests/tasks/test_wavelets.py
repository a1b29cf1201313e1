"""Images that are sparse in wavelets, and when to end."""

import pytest
import torch

from medidiff.tasks import wavelets
from medidiff.tasks.trial import trial_of
from medidiff.tasks.wavelets import MOST, amount_of, sparse, sparse_in_trial
from tests.physics.heads import error
from tests.tasks.test_trial import measurement_of

SLICE = (48, 40, 1)


def told(measurement):
    return {"amount": amount_of(measurement, 0.003), "seed": 0}


def test_what_is_sparse_is_nearer_to_the_truth_than_zeros_are():
    image, measurement = measurement_of(SLICE, noise=0.02)
    found, taken = sparse(measurement, **told(measurement))
    assert 0 < taken <= MOST
    assert error(found, image) < 0.3 * error(measurement.operator.adjoint(measurement.y), image)


def test_progress_goes_up_to_the_end():
    _, measurement = measurement_of(SLICE)
    shares: list[float] = []
    sparse(measurement, **told(measurement), iterations=5, progress=shares.append)
    assert shares == pytest.approx([0.2, 0.4, 0.6, 0.8, 1])


def test_no_iterations_leave_the_zero_filled_image():
    _, measurement = measurement_of(SLICE)
    found, taken = sparse(measurement, **told(measurement), iterations=0)
    assert taken == 0
    assert torch.equal(found, measurement.operator.adjoint(measurement.y))


def test_right_maps_mislead_nobody():
    _, measurement = measurement_of(SLICE, noise=0.02)
    trial = trial_of(measurement, 0)
    iterations, image = sparse_in_trial(trial, **told(measurement))
    assert iterations == MOST
    assert torch.equal(image, sparse(trial.shown, **told(measurement))[0])


def test_where_the_last_images_predict_worse_the_best_one_is_taken(monkeypatch):
    _, measurement = measurement_of(SLICE, noise=0.02)
    trial = trial_of(measurement, 0)
    monkeypatch.setattr(
        "medidiff.tasks.trial.trial_errors", lambda images, *_: (abs(i - 6) for i, _ in enumerate(images))
    )
    monkeypatch.setattr(wavelets, "misled", lambda errors: True)
    iterations, image = sparse_in_trial(trial, **told(measurement))
    assert iterations == 7
    assert torch.equal(image, sparse(trial.shown, **told(measurement), iterations=7)[0])


@pytest.mark.parametrize(("number", "ended"), [(6, 0), (1, MOST)])
def test_coils_that_no_maps_link_and_wavelets_do_not_predict_stay_as_they_were_measured(number, ended, monkeypatch):
    _, measurement = measurement_of(SLICE, number=number)
    trial = trial_of(measurement.without_maps("for the sake of it"), 0)
    monkeypatch.setattr("medidiff.tasks.trial.trial_errors", lambda images, *_: (0.95 for _ in images))
    iterations, _ = sparse_in_trial(trial, **told(measurement))
    assert iterations == ended
