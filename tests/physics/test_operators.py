"""What every operator holds."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medidiff.physics import PROFILES, SliceProfile
from medidiff.volume import Geometry
from tests.physics.operators import OPERATORS, drawn
from tests.strategies import seeds, thick_and_fine


@pytest.fixture(params=OPERATORS, ids=str)
def operator(request):
    return OPERATORS[request.param]


def inner(a, b):
    return torch.vdot(a.flatten(), b.flatten())


def check_adjoint(operator, dtype, seed=0):
    x, y = drawn(operator.fine.shape, seed=seed, dtype=dtype), drawn(operator.coarse.shape, seed=seed + 1, dtype=dtype)
    torch.testing.assert_close(inner(operator.forward(x), y), inner(x, operator.adjoint(y)), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
def test_the_adjoint_is_the_adjoint(operator, dtype):
    check_adjoint(operator, dtype)


@given(thick_and_fine(), st.sampled_from(sorted(PROFILES)), st.floats(0.3, 2), seeds)
def test_the_adjoint_is_the_adjoint_on_any_two_grids(grids, profile, relative, seed):
    thick, fine = grids
    x, y, z = (relative * s for s in thick.spacing)
    operator = SliceProfile(fine, thick, thickness=(x, y, z), profile=profile)
    check_adjoint(operator, torch.float64, seed)
    constant = operator.forward(torch.full(fine.shape, 7.0, dtype=torch.float64))
    torch.testing.assert_close(constant, torch.full(thick.shape, 7.0, dtype=torch.float64))


def test_it_is_linear(operator):
    a, b = drawn(operator.fine.shape, seed=1), drawn(operator.fine.shape, seed=2)
    both = operator.forward(2 * a - 3 * b)
    torch.testing.assert_close(both, 2 * operator.forward(a) - 3 * operator.forward(b))


def test_the_parts_of_a_complex_image_are_measured_alike(operator):
    x = drawn(operator.fine.shape, dtype=torch.complex128)
    parts = torch.complex(operator.forward(x.real), operator.forward(x.imag))
    torch.testing.assert_close(operator.forward(x), parts)


def test_rows_sum_to_one_and_are_not_negative(operator):
    for matrix in (m for m in operator.matrices if m is not None):
        torch.testing.assert_close(matrix.sum(1), torch.ones(len(matrix), dtype=torch.float64))
        assert matrix.min() >= 0


def test_a_constant_stays_constant_down_and_up(operator):
    y = operator.forward(torch.full(operator.fine.shape, 5.0))
    torch.testing.assert_close(y, torch.full(operator.coarse.shape, 5.0))
    torch.testing.assert_close(operator.upsample(y), torch.full(operator.fine.shape, 5.0))


def test_a_batch_is_measured_one_by_one(operator):
    x = drawn((2, 3, *operator.fine.shape))
    y = operator.forward(x)
    assert y.shape == (2, 3, *operator.coarse.shape)
    torch.testing.assert_close(y[1, 2], operator.forward(x[1, 2]))


def test_normal_is_forward_then_adjoint(operator):
    x = drawn(operator.fine.shape)
    torch.testing.assert_close(operator.normal(x), operator.adjoint(operator.forward(x)))


def test_the_norm_is_what_power_iteration_finds(operator):
    x = torch.rand(operator.fine.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for _ in range(1000):
        x = operator.normal(x / torch.linalg.vector_norm(x))
    found = torch.linalg.vector_norm(x).sqrt()
    assert operator.norm == pytest.approx(float(found), rel=1e-3)


def test_the_adjoint_of_a_composition_goes_back_through_both():
    whole, slices = OPERATORS["every axis"], OPERATORS["z"]
    first = SliceProfile(whole.coarse.refined(0.9), whole.coarse, thickness=whole.coarse.spacing)
    both = first @ SliceProfile(whole.coarse.refined(0.4), first.fine, thickness=(1, 1, 1))
    x, y = drawn(whole.coarse.refined(0.4).shape), drawn(whole.coarse.shape, seed=1)
    torch.testing.assert_close(inner(both.forward(x), y), inner(x, both.adjoint(y)), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(both.normal(x), both.adjoint(both.forward(x)))
    assert slices.axes == (2,)


def test_slices_along_two_axes_are_two_operators_composed():
    both = OPERATORS["every axis"]
    between = both.fine.reshaped((both.coarse.shape[0], *both.fine.shape[1:]))
    along_x = SliceProfile(both.fine, between, thickness=both.thickness)
    rest = SliceProfile(between, both.coarse, thickness=both.thickness)
    x = drawn(both.fine.shape)
    torch.testing.assert_close((rest @ along_x).forward(x), both.forward(x))


def test_only_the_axes_that_differ_are_averaged():
    assert [OPERATORS[name].axes for name in ("x", "y", "z", "every axis", "same grid")] == [
        (0,),
        (1,),
        (2,),
        (0, 1, 2),
        (),
    ]
    x = drawn(OPERATORS["same grid"].fine.shape)
    assert torch.equal(OPERATORS["same grid"].forward(x), x)


def test_the_same_slices_are_measured_along_any_axis():
    x = drawn((12, 12, 12))
    fine = np.diag([1.0, 1.0, 1.0, 1.0])
    measured = []
    for axis in range(3):
        grid = Geometry(x.shape, fine)
        coarse = grid.reshaped([4 if a == axis else 12 for a in range(3)])
        operator = SliceProfile(grid, coarse, thickness=(3, 3, 3))
        measured.append(operator.forward(x.movedim(2, axis)).movedim(axis, 2))
    torch.testing.assert_close(measured[0], measured[1])
    torch.testing.assert_close(measured[1], measured[2])
