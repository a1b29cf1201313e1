import pytest
import torch

from medidiff.physics import conjugate_gradients, encoding, fista
from medidiff.physics.wavelet import soft_threshold
from tests.physics.heads import coils, error, lines, measured
from tests.physics.operators import drawn
from tests.physics.test_sense import maps_of


@pytest.fixture
def small():
    """An operator, its matrix and a measurement."""
    shape = (5, 4, 1)
    operator = encoding(drawn(shape, seed=2) > 0, maps_of(shape, sets=1), axes=(0, 1))
    unit = torch.eye(20, dtype=torch.complex128).reshape(20, 1, *shape)
    matrix = operator.forward(unit).reshape(20, -1).T
    return operator, matrix, operator.forward(drawn((1, *shape), seed=3, dtype=torch.complex128))


def test_conjugate_gradients_find_the_least_squares_solution(small):
    operator, matrix, y = small
    y = y + 0.1 * operator.forward(operator.adjoint(drawn(y.shape, seed=5, dtype=torch.complex128)))
    x, _ = conjugate_gradients(operator, y, iterations=200, tolerance=1e-12)
    best = torch.linalg.lstsq(matrix, y.reshape(-1, 1), driver="gelsd").solution
    torch.testing.assert_close(operator.forward(x).flatten(), (matrix @ best).flatten())


def test_a_weight_pulls_to_the_start_as_the_normal_equations_say(small):
    operator, matrix, y = small
    start = drawn((1, 5, 4, 1), seed=9, dtype=torch.complex128)
    x, _ = conjugate_gradients(operator, y, start=start, weight=0.3, iterations=100, tolerance=1e-13)
    left = matrix.mH @ matrix + 0.3 * torch.eye(20)
    right = matrix.mH @ y.flatten() + 0.3 * start.flatten()
    torch.testing.assert_close(x.flatten(), torch.linalg.solve(left, right))


def test_iterations_stop_once_the_residual_is_the_noise():
    noise, mask = 0.05, lines(acceleration=2.0)
    image, maps, y = measured(noise=noise)
    operator = encoding(mask, maps, axes=(0, 1))
    allowed = noise * float(mask.sum() * 48 * 6) ** 0.5
    x, taken = conjugate_gradients(operator, y * mask, allowed=allowed, iterations=100)
    residual = float(torch.linalg.vector_norm(operator.forward(x) - y * mask))
    assert 0.8 * allowed < residual <= allowed
    assert taken < 100
    longer, _ = conjugate_gradients(operator, y * mask, iterations=100)
    assert error(x, image) < error(longer, image)


def test_each_element_of_a_batch_stops_by_itself():
    image, maps = coils()
    operator = encoding(lines(), maps, axes=(0, 1))
    y = operator.forward(torch.stack([image, 0 * image, 3 * image]))
    both, _ = conjugate_gradients(operator, y, allowed=1.0, iterations=40)
    alone, _ = conjugate_gradients(operator, y[2], allowed=1.0, iterations=40)
    torch.testing.assert_close(both[2], alone)
    assert not both[1].any()


def test_nothing_is_done_where_the_start_agrees_already(small):
    operator, _, y = small
    start = drawn((1, 5, 4, 1), seed=3, dtype=torch.complex128)
    x, taken = conjugate_gradients(operator, y, start=start, allowed=1e-6)
    assert taken == 0
    assert torch.equal(x, start)


def test_coils_resolve_what_is_folded():
    image, maps = coils()
    operator = encoding(lines(acceleration=2.0), maps, axes=(0, 1))
    y = operator.forward(image)
    x, _ = conjugate_gradients(operator, y, iterations=60, tolerance=1e-7)
    assert error(x, image) < 1e-3 < 0.02 < error(operator.adjoint(y), image)


def test_fista_meets_the_conditions_of_the_lasso(small):
    operator, _, y = small
    x, _ = fista(operator, y, lambda x, _: soft_threshold(x, 0.2), iterations=3000, tolerance=1e-10)
    gradient = operator.adjoint(y - operator.forward(x))
    on = x.abs() > 1e-6
    torch.testing.assert_close(gradient[on], 0.2 * x[on] / x[on].abs(), rtol=1e-4, atol=1e-4)
    assert float(gradient.abs().max()) < 0.2001
    assert on.any()
    assert not on.all()


def test_conjugate_gradients_are_those_of_sigpy():
    mri = pytest.importorskip("sigpy.mri", reason="sigpy is not installed", exc_type=ImportError)
    _, maps, y = measured(noise=0.02)
    mask = lines()
    theirs = mri.app.SenseRecon(
        (y * mask)[..., 0].numpy(),
        maps[0, ..., 0].numpy(),
        lamda=0.01,
        weights=mask.expand(1, 40, 1)[..., 0].numpy(),
        max_iter=100,
        show_pbar=False,
    ).run()
    operator = encoding(mask, maps, axes=(0, 1))
    start = torch.zeros(1, 48, 40, 1, dtype=torch.complex64)
    ours, _ = conjugate_gradients(operator, y * mask, start=start, weight=0.01, iterations=100)
    assert error(ours[0, ..., 0], torch.from_numpy(theirs)) < 1e-5
