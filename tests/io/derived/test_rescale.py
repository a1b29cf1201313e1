"""Sixteen bits hold the values, and zero stays zero."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medidiff.io.dicom.derived import decimal
from medidiff.io.dicom.rescale import LARGEST, rescale_of, window_of

finite = st.floats(-(2.0**99), 2.0**99, width=32).filter(lambda x: x == 0 or abs(x) > 1e-30)
volumes = arrays(np.float32, (3, 4, 5), elements=finite)


@given(array=volumes)
def test_every_value_comes_back_to_half_a_step(array):
    rescale = rescale_of(array)
    shown = rescale.stored(array) * rescale.slope
    assert np.abs(shown - array.astype(np.float64)).max() <= 0.5001 * rescale.slope
    assert (shown[array == 0] == 0).all()


@given(array=volumes)
def test_a_step_is_small_against_the_largest_value(array):
    peak = float(np.abs(array).max())
    assert peak == 0 or rescale_of(array).slope <= peak / 1000


@given(array=volumes)
def test_the_slope_is_exact_in_sixteen_characters(array):
    slope = rescale_of(array).slope
    assert float(decimal(slope)) == slope


@pytest.mark.parametrize(("low", "high", "signed"), [(0, 5, False), (-1, 5, True), (-9, -2, True), (0, 0, False)])
def test_pixels_are_signed_where_a_value_is_below_zero(low, high, signed):
    array = np.linspace(low, high, 24, dtype=np.float32).reshape(2, 3, 4)
    assert rescale_of(array).signed is signed
    assert rescale_of(array).stored(array).dtype == ("<i2" if signed else "<u2")


@pytest.mark.parametrize(("peak", "slope"), [(1023, 0.0313), (1024, 1), (4095, 1), (LARGEST, 1), (65535, 2.01)])
def test_scanner_numbers_are_stored_as_they_are_where_that_is_fine_enough(peak, slope):
    assert rescale_of(np.array([[[0, peak]]], dtype=np.float32)).slope == slope


@given(array=volumes)
def test_a_window_is_legal_whatever_the_values(array):
    window = window_of(array)
    assert window.width >= 1 or (window.width > 0 and window.function == "LINEAR_EXACT")


def test_the_window_goes_from_the_dark_ground_to_all_but_the_brightest():
    array = np.zeros((40, 40, 40), dtype=np.float32)
    array[10:30, 10:30, 10:30] = np.linspace(100, 300, 8000).reshape(20, 20, 20)
    array[0, 0, 0] = 1e6
    window = window_of(array)
    assert (window.center, window.width) == pytest.approx((149.5, 299), rel=1e-3)
