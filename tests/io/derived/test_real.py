"""Series from scanners, made twice as fine across their slices, come back at their places."""

import gzip
import io
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medidiff.io.dicom.output import template_sources, write_result
from medidiff.io.dicom.parent import parent_of
from medidiff.io.dicom.privacy import discreet
from medidiff.volume import Volume
from tests.fakes import FakeResult
from tests.io.derived.readers import by_dcm2niix, by_pydicom, value_at

pytestmark = pytest.mark.realdata
FACTS = {"model": {"name": "linear", "version": "0"}, "seed": 0}

CLASSIC = [
    *("dicom2nifti/ge", "dicom2nifti/siemens", "dicom2nifti/philips", "dicom2nifti/hitachi"),
    *("dicom2nifti/generic/anatomical/002_non_isotropic", "dcm_qa_xa30i/In", "dcm_qa_canon_61/In/cl"),
]
ENHANCED = [
    *("dcm_qa_xa30/In/9*", "dcm_qa_philips_enh/In/1901*", "dcm_qa_canon_61/In/enh"),
    *("dicom2nifti/philips_enhanced", "dicom2nifti/siemens_multiframe", "dicom2nifti/hyperfine"),
]


def objects(folder):
    for path in sorted(Path(folder).rglob("*")) if Path(folder).is_dir() else [Path(folder)]:
        if path.is_file() and ".nii" not in path.name:
            stored = path.read_bytes()
            plain = gzip.decompress(stored) if stored[:2] == b"\x1f\x8b" else stored
            yield pydicom.dcmread(io.BytesIO(plain))


def one_per_place(pieces):
    """The first of what lies at one place, ascending along the normal."""
    normal = np.cross(pieces[0][2][:3], pieces[0][2][3:])
    places = defaultdict(list)
    for piece in pieces:
        places[round(float(np.dot(normal, piece[1])), 2)].append(piece)
    return [places[place][0] for place in sorted(places)]


def classic_series(folder):
    """Headers and ``(column, row, slice)`` values of the slices of one volume."""
    read = sorted(objects(folder), key=lambda each: int(each.InstanceNumber))
    pieces = one_per_place([(each, each.ImagePositionPatient, each.ImageOrientationPatient) for each in read])
    sources = [piece[0] for piece in pieces]
    array = np.stack([each.pixel_array.T * float(each.get("RescaleSlope", 1)) for each in sources], axis=-1)
    return sources, (), array


def enhanced_series(folder):
    read = next(objects(folder))
    shared = (read.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    pieces = []
    for i, groups in enumerate(read.PerFrameFunctionalGroupsSequence):
        plane = groups.get("PlaneOrientationSequence") or shared.PlaneOrientationSequence
        position = groups.PlanePositionSequence[0].ImagePositionPatient
        pieces.append((i, position, plane[0].ImageOrientationPatient))
    frames = [piece[0] for piece in one_per_place(pieces)]
    return [read], frames, read.pixel_array[frames].transpose(2, 1, 0).astype(float)


def twice_as_fine(array, grid):
    x, y, z = array.shape
    at = ((np.arange(2 * z) + 0.5) / 2 - 0.5).clip(0, z - 1)
    low = np.minimum(at.astype(int), z - 2)
    weight = (at - low).astype(np.float32)
    values = array[..., low] * (1 - weight) + array[..., low + 1] * weight
    return Volume(values.astype(np.float32), grid.reshaped((x, y, 2 * z)))


def series(shared, name):
    (folder,) = (shared / "dicom").glob(name)
    with discreet("cannot be read"):
        sources, frames, array = (classic_series if name in CLASSIC else enhanced_series)(folder)
    return sources, frames, twice_as_fine(array, parent_of(sources, frames=frames).geometry)


@pytest.mark.parametrize("name", [*CLASSIC, *ENHANCED])
def test_every_voxel_is_found_at_its_place_and_no_validator_objects(name, shared, tmp_path, rng):
    sources, frames, volume = series(shared, name)
    assert template_sources(sources, volume, frames=frames) is sources
    *paths, uncertainty = write_result(
        FakeResult(volume, volume), sources, tmp_path / "out", facts=FACTS, frames=frames
    )
    index = rng.integers(0, volume.geometry.shape, (2000, 3))
    for read in (by_pydicom, by_dcm2niix):
        array, affine = read(paths)
        found = value_at(array, affine, volume.geometry.world(index))
        peak = float(np.abs(volume.array).max())
        step = 1.0 if peak >= 1024 else peak / 32000
        assert np.abs(found - volume.array[tuple(index.T)]).max() <= 0.51 * step, read.__name__
    assert not complaints(paths, uncertainty)


def complaints(paths, uncertainty):
    """Errors that validators find, but for what the publisher wrote into the patient's age."""
    if not shutil.which("dciodvfy"):
        return []
    lines: list[str] = []
    for command in (["dciodvfy", paths[0]], ["dciodvfy", uncertainty], ["dcentvfy", *paths, uncertainty]):
        told = subprocess.run([*map(str, command)], capture_output=True, text=True, errors="replace")
        lines += (told.stdout + told.stderr).splitlines()
    known = ("Patient's Age", "contains invalid data values")
    return [line for line in lines if line.startswith("Error") and not any(each in line for each in known)]
