"""Which slices of a series make one volume, and what the volumes are called."""

from typing import Any

import numpy as np
import pytest

from medidiff.errors import GeometryError
from medidiff.io.dicom import read_stack
from tests.dicoms import Plan, changed, enhanced, private, slices, values, write
from tests.io.dicom.reading import stacks, volume

SHAPE = (5, 4, 3)


def series(folder, *kinds, layout=slices, spoil=lambda ds, kind: ds):
    """Write one volume per kind (elements of its slices), all on the same positions, and return their values."""
    objects, truth = [], []
    for place, tags in enumerate(kinds):
        plan = Plan(values(SHAPE, seed=place))
        objects += [spoil(ds, tags) for ds in layout(plan, instance=1 + 100 * place, **tags)]
        truth.append(plan.values)
    write(objects, folder, order=np.random.default_rng(0).permutation(len(objects)))
    return truth


def assert_split(folder, truth, names):
    found = stacks(folder)
    assert sorted(found) == sorted(names)
    for name, expected in zip(names, truth, strict=True):
        np.testing.assert_array_equal(read_stack(found[name]).array, expected)


PHASE = ["ORIGINAL", "PRIMARY", "P", "ND"]


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        ([{"EchoTime": 10}, {"EchoTime": 12.46}], ["e1", "e2"]),
        ([{"ImageType": ["ORIGINAL", "PRIMARY", "M"]}, {"ImageType": PHASE}], ["mag", "ph"]),
        ([{"EchoTime": 5}, {"EchoTime": 7}, {"EchoTime": 7, "ImageType": PHASE}], ["mag_e1", "mag_e2", "ph"]),
        ([{"TemporalPositionIdentifier": n} for n in (1, 2, 3)], ["t1", "t2", "t3"]),
        ([{"TemporalPositionIdentifier": n} for n in range(1, 13)], [f"t{n:02d}" for n in range(1, 13)]),
        ([{"DiffusionBValue": 0.0}, {"DiffusionBValue": 1000.0}], ["b0", "b1000"]),
        ([{"TriggerTime": 0}, {"TriggerTime": 50}], ["p1", "p2"]),
        ([{"InversionTime": 300}, {"InversionTime": 900}], ["i1", "i2"]),
        ([{"FlipAngle": 5}, {"FlipAngle": 20}], ["f1", "f2"]),
        ([{"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}], ["a1", "a2"]),
    ],
)
def test_classic_volumes_are_told_apart_and_named(kinds, names, tmp_path):
    assert_split(tmp_path, series(tmp_path, *kinds), names)


def test_directions_of_diffusion_are_counted_within_their_weighting(tmp_path):
    kinds: list[dict[str, Any]] = [{"DiffusionBValue": 0.0}]
    kinds += [{"DiffusionBValue": 1000.0, "DiffusionGradientOrientation": d} for d in ([1, 0, 0], [0, 1, 0])]
    assert_split(tmp_path, series(tmp_path, *kinds), ["b0", "b1000_d2", "b1000_d1"])


VENDORS = {
    "siemens": lambda ds, b: private(ds, 0x0019, "SIEMENS MR HEADER", IS_0C=b),
    "ge": lambda ds, b: private(ds, 0x0043, "GEMS_PARM_01", IS_39=[1_000_000_000 + b, 8, 0, 0]),
    "philips": lambda ds, b: private(ds, 0x2001, "Philips Imaging DD 001", FL_03=b),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_vendors_tell_diffusion_weighting_in_elements_of_their_own(vendor, tmp_path):
    kinds = [{"ImageComments": "0"}, {"ImageComments": "800"}]
    truth = series(tmp_path, *kinds, spoil=lambda ds, tags: VENDORS[vendor](ds, int(tags["ImageComments"])))
    assert_split(tmp_path, truth, ["b0", "b800"])


def test_ge_tells_phase_by_a_number(tmp_path):
    def coded(ds, tags):
        return private(ds, 0x0043, "GEMS_PARM_01", SS_2F=1 if tags["ImageComments"] == "ph" else 0)

    assert_split(
        tmp_path, series(tmp_path, {"ImageComments": "mag"}, {"ImageComments": "ph"}, spoil=coded), ["mag", "ph"]
    )


def test_slices_of_one_volume_may_differ_in_time_trigger_and_acquisition(tmp_path):
    plan = Plan(values())
    objects = slices(plan)
    for place, ds in enumerate(objects):
        changed(ds, TriggerTime=place * 7, AcquisitionNumber=1 + place % 2, TemporalPositionIdentifier=1 + place % 2)
    write(objects, tmp_path)
    np.testing.assert_array_equal(volume(tmp_path).array, plan.values)


def test_a_trait_that_differs_in_one_repeated_slice_explains_nothing(tmp_path):
    plan = Plan(values())
    objects = slices(plan, AcquisitionNumber=1)
    objects.append(slices(plan, instance=50, AcquisitionNumber=2)[2])
    write(objects, tmp_path)
    with pytest.raises(GeometryError, match="duplicate slices"):
        volume(tmp_path)


def test_a_volume_that_lacks_a_slice_fails_alone(tmp_path):
    objects = [ds for n in (1, 2) for ds in slices(Plan(values((5, 4, 6))), instance=100 * n, EchoTime=10 * n)]
    del objects[8]
    write(objects, tmp_path)
    found = stacks(tmp_path)
    assert read_stack(found["e1"]).array.shape == (5, 4, 6)
    with pytest.raises(GeometryError, match="missing slices"):
        read_stack(found["e2"])


def test_enhanced_volumes_are_told_apart_by_their_functional_groups(tmp_path):
    kinds = [{"echo": echo, "component": part} for echo in (2.3, 4.6) for part in ("MAGNITUDE", "PHASE")]
    plans = [Plan(values(SHAPE, seed=place), tags=tags) for place, tags in enumerate(kinds)]
    write([enhanced(plans)], tmp_path)
    assert_split(tmp_path, [plan.values for plan in plans], ["mag_e1", "ph_e1", "mag_e2", "ph_e2"])


def test_enhanced_volumes_in_time_and_diffusion(tmp_path):
    kinds = [{"b": 0}, {"b": 500, "time": 1}, {"b": 500, "time": 2}]
    plans = [Plan(values(SHAPE, seed=place), tags=tags) for place, tags in enumerate(kinds)]
    write([enhanced(plans)], tmp_path)
    assert_split(tmp_path, [plan.values for plan in plans], ["b0", "b500_t1", "b500_t2"])


def test_echoes_in_objects_of_their_own_are_one_series(tmp_path):
    plans = [Plan(values(SHAPE, seed=place), tags={"echo": echo}) for place, echo in enumerate((10, 12.46))]
    objects = [enhanced([plan]) for plan in plans]
    changed(objects[1], SOPInstanceUID=objects[0].SOPInstanceUID + ".2", InstanceNumber=2)
    write(objects, tmp_path)
    assert_split(tmp_path, [plan.values for plan in plans], ["e1", "e2"])


def test_repetitions_that_nothing_explains_are_refused_as_duplicates(tmp_path):
    series(tmp_path, {}, {})
    with pytest.raises(GeometryError, match="duplicate slices"):
        volume(tmp_path)
