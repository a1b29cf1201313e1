"""What is known of an acquisition."""

import numpy as np
import pytest

from medidiff.tasks.acquisition import acquisition_of
from medidiff.volume import Geometry, Volume

SPACING = (1.0, 1.25, 4.0)


def volume(**meta):
    return Volume(np.ones((4, 4, 4)), Geometry((4, 4, 4), np.diag([*SPACING, 1])), meta)


@pytest.mark.parametrize(("axis", "thickness"), [(2, 3.0), (1, 1.25), (0, 1.0)])
def test_the_thickness_of_dicom_slices_belongs_to_the_slice_axis_alone(axis, thickness):
    source = volume(sidecar={"SliceThickness": 3.0}, slice_axis=2)
    known = acquisition_of(source, axis=axis, slice_thickness=None, profile=None)
    assert known.thickness[axis] == thickness
    assert ("slice_thickness_mm" in known.assumed) == (axis != 2)


@pytest.mark.parametrize("axis", range(3))
def test_without_a_stated_axis_the_sidecars_thickness_belongs_to_the_one_chosen(axis):
    source = volume(sidecar={"SliceThickness": 3.0})
    assert acquisition_of(source, axis=axis, slice_thickness=None, profile=None).thickness[axis] == 3


def test_a_thickness_that_is_given_counts_most():
    source = volume(sidecar={"SliceThickness": 3.0}, slice_axis=2)
    assert acquisition_of(source, axis=1, slice_thickness=2.0, profile=None).thickness == (1, 2, 4)
