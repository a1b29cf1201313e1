"""Every value lies where the patient's anatomy was: any orientation, order, layout, spacing and size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import LegacyConvertedEnhancedMRImageStorage

from medidiff.io.dicom import read_stack
from tests import strategies
from tests.dicoms import AXIAL, CORONAL, SAGITTAL, Plan, enhanced, slices, values, write
from tests.io.dicom.reading import only, volume

ORDERS = {
    "ascending": lambda n: range(n),
    "descending": lambda n: range(n)[::-1],
    "interleaved": lambda n: [*range(1, n, 2), *range(0, n, 2)],
    "shuffled": lambda n: np.random.default_rng(3).permutation(n),
}


def in_ras(lps):
    return np.asarray(lps) * [-1, -1, 1]


def value_at(read, lps):
    """The value of the volume at a patient position, LPS mm, which must be the centre of a voxel."""
    index = read.geometry.index(in_ras(lps))
    np.testing.assert_allclose(index, np.rint(index), atol=0.02)
    assert (np.rint(index) >= 0).all()
    return read.array[tuple(np.rint(index).astype(int))]


def assert_in_place(read, plan):
    """Each voxel's value, rescaled, is found where equation C.7.6.2.1-1 puts it."""
    assert read.array.size == plan.values.size
    for i, j, k in np.ndindex(plan.values.shape):
        expected = plan.values[i, j, k] * plan.slope + plan.inter
        assert value_at(read, plan.patient_position(i, j, k)) == pytest.approx(expected, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, CORONAL, (-1, 0, 0, 0, -1, 0), (0, 0, 1, 0, 1, 0)])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("layout", ["classic", "enhanced", "legacy"])
def test_all_orientations_orders_and_layouts(layout, order, orientation, tmp_path):
    plan = Plan(values((4, 3, 5)), orientation=orientation)
    if layout == "classic":
        write(slices(plan), tmp_path, order=ORDERS[order](5))
    else:
        kind = {"legacy": {"kind": LegacyConvertedEnhancedMRImageStorage}}.get(layout, {})
        whole = enhanced([plan], **kind)
        stored = np.frombuffer(whole.PixelData, "<u2").reshape(5, 3, 4)
        sequence = [int(k) for k in ORDERS[order](5)]
        whole.PixelData = stored[sequence].tobytes()
        groups = whole.PerFrameFunctionalGroupsSequence
        whole.PerFrameFunctionalGroupsSequence = type(groups)([groups[k] for k in sequence])
        write([whole], tmp_path)
    read = volume(tmp_path)
    assert_in_place(read, plan)
    assert np.linalg.det(np.diag([-1, -1, 1]) @ read.geometry.affine[:3, :3]) > 0
    assert read.geometry.spacing == pytest.approx(plan.spacing)


@settings(max_examples=40)
@given(
    directions=strategies.directions(),
    spacing=strategies.spacings,
    shape=strategies.shapes(2, 6),
    origin=st.tuples(*[st.floats(-200, 200)] * 3),
    order=st.sampled_from(sorted(ORDERS)),
    layout=st.sampled_from(["classic", "enhanced"]),
)
def test_double_oblique_grids_of_any_spacing(directions, spacing, shape, origin, order, layout, tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    plan = Plan(values(shape), (*directions[:, 0], *directions[:, 1]), origin, spacing)
    objects = slices(plan) if layout == "classic" else [enhanced([plan])]
    write(objects, folder, order=ORDERS[order](len(objects)))
    assert_in_place(volume(folder), plan)


def test_the_headers_for_a_derived_series_come_in_the_order_of_the_slices(tmp_path):
    plan = Plan(values())
    write(slices(plan), tmp_path, order=ORDERS["shuffled"](5))
    origin = volume(tmp_path).meta["dicom"]
    assert [header.InstanceNumber for header in origin.sources] == [1, 2, 3, 4, 5]
    assert origin.frames == (0,) * 5
    assert not any("PixelData" in header for header in origin.sources)
    assert origin.sources[0].PatientName == "Doe^Jane"
    assert origin.sources[0].file_meta.TransferSyntaxUID


def test_the_slices_of_an_enhanced_object_share_its_header_and_tell_their_frames(tmp_path):
    plan = Plan(values((4, 3, 5)), spacing=(1, 1, -4.0))
    write([enhanced([plan])], tmp_path)
    origin = volume(tmp_path).meta["dicom"]
    assert origin.frames == (4, 3, 2, 1, 0)
    assert len({id(header) for header in origin.sources}) == 1


def test_slice_thickness_and_spacing_are_told_apart(tmp_path):
    write(slices(Plan(values()), SliceThickness=3.0), tmp_path)
    read = volume(tmp_path)
    assert (read.meta["sidecar"]["SliceThickness"], read.meta["sidecar"]["SpacingBetweenSlices"]) == (3, 4)
    assert read.meta["slice_axis"] == 2


def test_positions_are_believed_before_the_stated_spacing_and_it_is_told(tmp_path):
    write(slices(Plan(values()), SpacingBetweenSlices=1.0), tmp_path)
    read = volume(tmp_path)
    assert read.geometry.spacing[2] == pytest.approx(4)
    assert "header states 1 mm" in read.meta["warnings"][0]


def test_a_single_slice_is_as_thick_as_its_header_says(tmp_path):
    write(slices(Plan(values((4, 3, 1)))), tmp_path)
    assert volume(tmp_path).geometry.spacing[2] == 4


def test_highdicom_finds_the_same_spacing_and_order(tmp_path):
    spatial = pytest.importorskip("highdicom.spatial")
    plan = Plan(values((4, 3, 9)), CORONAL, spacing=(1, 1, 3.3))
    write(slices(plan), tmp_path, order=ORDERS["shuffled"](9))
    stack = only(tmp_path)
    arranged = stack.arrangement()
    spacing, places = spatial.get_volume_positions([frame.position for frame in stack.frames], plan.orientation)
    assert spacing == pytest.approx(arranged.geometry.spacing[2])
    in_order = [arranged.frames.index(frame) for frame in stack.frames]
    assert in_order in (places, [8 - place for place in places])


def test_reading_gives_one_volume_whatever_the_file_names(tmp_path):
    plan = Plan(values())
    for place, names in enumerate(("a{:05d}", "{:05d}.IMA", "z{}.dcm")):
        write(slices(plan), tmp_path / str(place), order=ORDERS["shuffled"](5), names=names)
    first, *others = [read_stack(only(tmp_path / str(place))) for place in range(3)]
    assert all((first.array == other.array).all() for other in others)
