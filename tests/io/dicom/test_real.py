"""Real series against the reference NIfTI beside them and against dcm2niix: values and world coordinates.

Tolerances: 0.02 mm, since positions are often rounded to 0.01 mm, and the rounding of NIfTI's scale.
"""

from typing import Any

import numpy as np
import pytest

from tests.io.dicom.real import DICOM, REFUSED, SERIES, converted, matched, read, references_of

pytestmark = pytest.mark.realdata

WORLD_MM, VALUES = 0.02, 2e-4


@pytest.fixture(scope="module")
def volumes():
    """Each folder is read once."""
    known: dict[str, list[Any]] = {}
    return lambda folder: known[folder] if folder in known else known.setdefault(folder, read(folder))


def assert_same(ours, references, factor=1.0):
    """Every volume agrees with one reference, and every reference with one volume."""
    told = list(matched(ours, references, factor))
    for stack, _, apart, values in told:
        assert (apart < WORLD_MM, values < VALUES) == (True, True), stack.label
    assert len({best for _, best, _, _ in told}) == len(ours) == len(references)


@pytest.mark.parametrize("folder", SERIES)
def test_values_lie_where_the_reference_has_them(folder, volumes):
    references, factor = references_of(folder)
    assert len(references) == SERIES[folder][1]
    assert_same(volumes(folder), references, factor)


@pytest.fixture(scope="module")
def dcm2niix():
    package = pytest.importorskip("dcm2niix")
    return package.bin


@pytest.mark.parametrize("folder", SERIES)
def test_values_lie_where_dcm2niix_puts_them(folder, volumes, dcm2niix, tmp_path):
    assert_same(volumes(folder), converted(folder, tmp_path, dcm2niix))


@pytest.mark.parametrize("folder", SERIES)
def test_only_what_was_listed_is_refused(folder, volumes):
    refused = {f"{stack.series.number} {named(stack)}" for stack, _ in volumes(folder) if stack.refusal}
    assert refused == REFUSED.get(folder, set())


def named(stack):
    return stack.name or stack.frames[0].traits["component"]


def test_canon_twins_agree(volumes):
    classic, enhanced = (
        {stack.name: volume for stack, volume in volumes(f"dcm_qa_canon_61/In/{kind}")} for kind in ("cl", "enh")
    )
    assert classic.keys() == enhanced.keys()
    for name, volume in classic.items():
        assert volume.geometry.allclose(enhanced[name].geometry)
        np.testing.assert_array_equal(volume.array, enhanced[name].array)


@pytest.mark.parametrize(
    "folder", [folder for folder in SERIES if folder.startswith("dcm_qa") and "philips" not in folder]
)
def test_the_sidecar_has_the_fields_and_figures_of_dcm2niix(folder, volumes, shared):
    import json

    path = sorted(DICOM.glob(SERIES[folder][0].replace(".nii.gz", ".json")))[0]
    theirs, ours = json.loads(path.read_text()), volumes(folder)[0][1].meta["sidecar"]
    common = ours.keys() & theirs.keys() - {"ImageType", "ScanOptions"}
    assert {"RepetitionTime", "EchoTime", "SliceThickness", "FlipAngle", "Manufacturer", "Modality"} <= common
    for name in common:
        expected = pytest.approx(theirs[name], rel=1e-3) if isinstance(theirs[name], int | float) else theirs[name]
        assert ours[name] == expected, name
