"""Series that make no regular volume are refused with the places named, or resampled when asked for."""

import numpy as np
import pytest

from medidiff.errors import GeometryError, InputError, MedidiffError
from medidiff.io.dicom import read_stack
from tests.dicoms import AXIAL, SAGITTAL, Plan, changed, slices, uid, values, write
from tests.io.dicom.reading import only, stacks, volume

PLAN = Plan(values((8, 7, 7)))
"""Slices at -40, -36, ... -16 mm."""


def moved(ds, **axes):
    position = [float(each) for each in ds.ImagePositionPatient]
    for axis, distance in axes.items():
        position["xyz".index(axis)] += distance
    return changed(ds, ImagePositionPatient=position)


def missing(objects):
    del objects[2]


def two_missing(objects):
    del objects[2:4]


def duplicate(objects):
    again = slices(PLAN, instance=100)[3]
    objects.append(again)


def nearly_duplicate(objects):
    duplicate(objects)
    moved(objects[-1], z=0.004)


def uneven(objects):
    moved(objects[3], z=0.5)


def turned(objects):
    changed(objects[4], ImageOrientationPatient=[0.9848, 0.17365, 0, -0.17365, 0.9848, 0])


def another_plane(objects):
    changed(objects[0], ImageOrientationPatient=list(SAGITTAL))


def shifted(objects):
    moved(objects[5], x=3)


def sheared(objects):
    for place, ds in enumerate(objects):
        moved(ds, y=0.3 * place)


def another_size(objects):
    objects[1] = slices(Plan(values((6, 7, 7))))[1]


def another_spacing(objects):
    changed(objects[1], PixelSpacing=[1.25, 1.1])


def nowhere(objects):
    changed(objects[1], ImagePositionPatient=None)


def skewed(objects):
    for ds in objects:
        changed(ds, ImageOrientationPatient=[1, 0, 0, 0.1, 0.995, 0])


FAULTS = {
    missing: "missing slices (found 1 lacking between -36.00 and -28.00 mm, others 4 mm apart)",
    two_missing: "missing slices (found 2 lacking between -36.00 and -24.00 mm, others 4 mm apart)",
    duplicate: "duplicate slices (found several at -28.00 mm)",
    nearly_duplicate: "duplicate slices (found several at -28.00 mm)",
    uneven: "irregular spacing (found -32.00 and -27.50, -27.50 and -24.00 mm are not 4 mm apart as others are)",
    turned: "mixed orientation (found 1 of 7 slices turned, at -24.00 mm)",
    another_plane: "mixed orientation (found 1 of 7 slices turned, at -40.00 mm)",
    shifted: "shifted against their normal (found 3 mm within the plane, at -20.00 mm)",
    sheared: "shifted against their normal (found 1.8 mm within the plane, at -16.00 mm)",
    another_size: "slices differ in shape (found 7x6 and 7x8)",
    another_spacing: "slices differ in pixel spacing (found 1.25x1 and 1.25x1.1)",
    nowhere: "no position in the header (found 1 of 7 slices without)",
    skewed: "rows and columns are not at right angles",
}
RESAMPLED = (missing, two_missing, duplicate, nearly_duplicate, uneven)


def spoiled(fault, folder):
    objects = slices(PLAN)
    fault(objects)
    write(objects, folder)
    return folder


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_refused_with_its_place(fault, tmp_path):
    with pytest.raises(MedidiffError) as refused:
        volume(spoiled(fault, tmp_path))
    assert FAULTS[fault] in str(refused.value)
    assert str(refused.value).startswith(only(tmp_path).label)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in RESAMPLED])
def test_what_no_resampling_mends_is_refused_though_irregular_is_allowed(fault, tmp_path):
    with pytest.raises(MedidiffError):
        volume(spoiled(fault, tmp_path), allow_irregular=True)


@pytest.mark.parametrize("fault", RESAMPLED)
def test_irregular_series_are_resampled_on_request_and_it_is_recorded(fault, tmp_path):
    read = volume(spoiled(fault, tmp_path), allow_irregular=True)
    assert read.geometry.shape == (8, 7, 7)
    assert read.geometry.spacing[2] == pytest.approx(4)
    np.testing.assert_allclose(read.geometry.affine[:3, 3], [20, 30, -40])
    assert "resampled along the slice axis onto 7 slices" in read.meta["warnings"][0]
    assert read.meta["dicom"].resampled
    assert len(read.meta["dicom"].sources) == 7
    untouched = 3 if fault is duplicate else 0
    np.testing.assert_array_equal(read.array[..., untouched], PLAN.values[..., untouched])


def test_a_missing_slice_becomes_the_mean_of_its_neighbours(tmp_path):
    read = volume(spoiled(missing, tmp_path), allow_irregular=True)
    np.testing.assert_allclose(read.array[..., 2], PLAN.values[..., [1, 3]].mean(axis=2))
    np.testing.assert_array_equal(read.array[..., 3], PLAN.values[..., 3])


def test_a_shifted_slice_is_weighed_by_its_distance(tmp_path):
    read = volume(spoiled(uneven, tmp_path), allow_irregular=True)
    expected = PLAN.values[..., 2] + (PLAN.values[..., 3] - PLAN.values[..., 2]) * 4 / 4.5
    np.testing.assert_allclose(read.array[..., 3], expected, rtol=1e-5)


@pytest.mark.parametrize("digits", [2, 3])
def test_positions_rounded_by_the_scanner_are_regular(digits, tmp_path):
    objects = slices(Plan(values((4, 3, 30)), AXIAL, spacing=(1, 1, 3.3333333)))
    for ds in objects:
        ds.ImagePositionPatient = [round(float(each), digits) for each in ds.ImagePositionPatient]
    write(objects, tmp_path)
    assert volume(tmp_path).geometry.spacing[2] == pytest.approx(3.33333, abs=1e-3)


def test_a_localizer_among_the_slices_is_set_apart_by_its_type(tmp_path):
    objects = slices(PLAN)
    localizer = changed(slices(Plan(values((8, 7, 1)), SAGITTAL), instance=50)[0])
    localizer.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write([*objects, localizer], tmp_path)
    found = {stack.refusal: stack for stack in stacks(tmp_path).values()}
    assert found.keys() == {"", "a localizer"}
    np.testing.assert_array_equal(read_stack(found[""]).array, PLAN.values)


def test_the_same_object_found_twice_is_read_once(tmp_path):
    for copy in ("a", "b"):
        write(slices(PLAN), tmp_path / copy)
    stack = only(tmp_path)
    assert stack.series.copies == 7
    np.testing.assert_array_equal(read_stack(stack).array, PLAN.values)


def test_objects_that_wrongly_share_an_identifier_are_not_lost(tmp_path):
    write(slices(PLAN, SOPInstanceUID=uid(7)), tmp_path)
    np.testing.assert_array_equal(volume(tmp_path).array, PLAN.values)


def test_more_voxels_than_allowed_are_refused_before_pixels_are_read(tmp_path, monkeypatch):
    write(slices(PLAN), tmp_path)
    monkeypatch.setattr("medidiff.io.dicom.pixels._planes", lambda _: pytest.fail("pixels were read"))
    with pytest.raises(InputError, match="too many voxels"):
        volume(tmp_path, max_voxels=391)


def test_a_header_that_claims_a_huge_image_is_refused(tmp_path):
    write(slices(PLAN, Rows=60000, Columns=60000), tmp_path)
    with pytest.raises(InputError, match=r"too many voxels .found 60000x60000x7"):
        volume(tmp_path)


def test_a_geometry_fault_is_a_geometry_error(tmp_path):
    with pytest.raises(GeometryError):
        volume(spoiled(missing, tmp_path))
