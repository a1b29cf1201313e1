"""NIfTI in and out: what is written is read again, and nothing moves."""

import contextlib
import gzip
from dataclasses import replace
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medidiff.errors import InputError, MedidiffError, OutputError
from medidiff.io.nifti import check_content, read_header, read_nifti, write_nifti
from medidiff.volume import Geometry, Volume
from tests.bad_files import BAD_FILES, edited_header, good, stored
from tests.strategies import affines, geometries, shapes, volumes

STORED_TYPES = ("u1", "i1", "<i2", ">i2", "u2", "i4", "u4", "i8", "u8", "<f4", ">f4", "f8")


@given(volume=volumes(), suffix=st.sampled_from((".nii", ".nii.gz")))
def test_what_is_written_is_read_again(volume, suffix, tmp_path):
    path = tmp_path / f"image{suffix}"
    write_nifti(volume, path, description="medidiff test")
    again = read_nifti(path)
    np.testing.assert_array_equal(again.array, volume.array)
    np.testing.assert_allclose(again.geometry.affine, volume.geometry.affine, atol=1e-4)


@given(geometry=geometries())
def test_sform_and_qform_are_both_written_and_equal(geometry, tmp_path):
    path = tmp_path / "image.nii"
    write_nifti(Volume(np.zeros(geometry.shape), geometry, {"xform_code": 4}), path, description="")
    header = stored(path).header
    assert int(header["sform_code"]) == int(header["qform_code"]) == 4
    far = np.array([*geometry.shape, 1])
    apart = header.get_sform() @ far - header.get_qform() @ far
    assert np.linalg.norm(apart) < 2e-3 * max(geometry.extent) + 1e-3
    np.testing.assert_allclose(header.get_zooms(), geometry.spacing, rtol=1e-5)


@given(
    affine=affines(),
    shape=shapes(1, 6),
    kind=st.sampled_from(STORED_TYPES),
    scaling=st.sampled_from([(1.0, 0.0), (0.25, -3.0), (-2.0, 10.0)]),
    version=st.sampled_from((nib.Nifti1Image, nib.Nifti2Image)),
    trailing=st.integers(0, 3),
    suffix=st.sampled_from((".nii", ".nii.gz")),
)
def test_reads_as_nibabel_does(affine, shape, kind, scaling, version, trailing, suffix, tmp_path):
    kind = np.dtype(kind)
    values = np.random.default_rng(0).integers(0, 100, (*shape, *[1] * trailing)).astype(kind)
    header = version.header_class(endianness=kind.byteorder if kind.byteorder in "<>" else "<")
    header.set_data_dtype(kind)
    image = version(values, affine, header)
    image.header.set_slope_inter(*scaling)
    image.to_filename(tmp_path / f"image{suffix}")
    expected = stored(tmp_path / f"image{suffix}")
    volume = read_nifti(tmp_path / f"image{suffix}")
    assert volume.array.dtype == np.float32
    assert volume.array.shape == shape
    np.testing.assert_allclose(volume.array, expected.get_fdata().reshape(shape), rtol=1e-6)
    np.testing.assert_array_equal(volume.geometry.affine, expected.affine)


def test_content_not_name_decides_whether_it_is_zipped(tmp_path):
    good(tmp_path / "a.nii.gz")
    (tmp_path / "b.nii").write_bytes((tmp_path / "a.nii.gz").read_bytes())
    (tmp_path / "c.nii.gz").write_bytes(gzip.decompress((tmp_path / "a.nii.gz").read_bytes()))
    one, two, three = (read_nifti(tmp_path / name).array for name in ("a.nii.gz", "b.nii", "c.nii.gz"))
    assert (one == two).all()
    assert (one == three).all()


def test_sform_comes_before_qform_before_pixdim(tmp_path):
    path = good(tmp_path / "a.nii.gz")
    assert read_header(path).form == "sform"
    edited_header(path, sform_code=0, qform_code=1)
    assert read_header(path).form == "qform"
    edited_header(path, sform_code=0, qform_code=0)
    header = read_header(path)
    assert (header.form, header.code, header.geometry.spacing) == ("pixdim", 0, (1, 1, 3))
    assert "orientation is unknown" in read_nifti(path).meta["warnings"][0]


def test_unknown_orientation_stays_unknown_on_the_same_field_of_view(tmp_path):
    path = tmp_path / "a.nii.gz"
    edited_header(path, sform_code=0, qform_code=0)
    volume = read_nifti(path)
    fine = volume.geometry.refined(1.0)
    write_nifti(Volume(np.ones(fine.shape), fine, volume.meta), path, description="")
    assert read_header(path).form == "pixdim"
    assert read_header(path).geometry.allclose(fine)


def test_unknown_orientation_is_not_claimed_where_it_would_move_the_grid(tmp_path):
    geometry = Geometry((4, 5, 6), [[1, 0, 0, 40], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    write_nifti(Volume(np.ones((4, 5, 6)), geometry, {"xform_code": 0}), tmp_path / "a.nii", description="")
    assert read_header(tmp_path / "a.nii").geometry.allclose(geometry)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"qform_code": 1, "sform_code": 1, "qoffset_x": 9}, "sform and qform differ by up to 9"),
        ({"srow_y": [0.3, 1, 0, 0]}, "not at right angles"),
        ({"xyzt_units": 3}, "not mm"),
    ],
)
def test_odd_headers_are_told(fields, told, tmp_path):
    path = tmp_path / "a.nii.gz"
    edited_header(path, **fields)
    assert told in " ".join(read_nifti(path).meta["warnings"])


def test_micrometres_become_millimetres(tmp_path):
    edited_header(tmp_path / "a.nii.gz", xyzt_units=3)
    np.testing.assert_allclose(read_header(tmp_path / "a.nii.gz").geometry.spacing, (0.001, 0.001, 0.003))


def test_a_sheared_grid_keeps_its_sform_and_claims_no_qform(tmp_path):
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    affine[0, 1] = 0.2
    geometry = Geometry((4, 5, 3), affine)
    write_nifti(Volume(np.zeros((4, 5, 3)), geometry), tmp_path / "a.nii", description="")
    assert int(stored(tmp_path / "a.nii").header["qform_code"]) == 0
    assert read_header(tmp_path / "a.nii").geometry.allclose(geometry)


def test_one_frame_of_many_is_read_on_request(tmp_path):
    path = good(tmp_path / "a.nii.gz", (6, 7, 4, 3))
    np.testing.assert_array_equal(read_nifti(path, frame=2).array, stored(path).get_fdata()[..., 2])
    with pytest.raises(InputError, match=r"no frame 3 \(found 3 frames\)"):
        read_nifti(path, frame=3)


def test_the_same_volume_gives_the_same_bytes_at_any_time(tmp_path, monkeypatch):
    volume = read_nifti(good(tmp_path / "in.nii.gz"))
    for now, name in enumerate(("a.nii.gz", "b.nii.gz")):
        monkeypatch.setattr("time.time", lambda now=now: 1e9 + now)
        write_nifti(volume, tmp_path / name, description="medidiff")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: bad.__name__)
def test_bad_files_are_refused_in_one_line(bad, tmp_path):
    path = tmp_path / "bad.nii.gz"
    bad(path)
    with pytest.raises(MedidiffError) as refusal:
        check_content(read_nifti(path))
    line = str(refusal.value)
    assert "\n" not in line
    assert line.startswith(str(path))
    assert BAD_FILES[bad] in line


@given(data=st.binary(min_size=1, max_size=700), header=st.booleans())
def test_noise_is_refused_never_a_crash(data, header, tmp_path):
    path = tmp_path / "noise.nii"
    start = (348).to_bytes(4, "little") + data[:340].ljust(340, b"\0") + b"n+1\0" if header else b""
    path.write_bytes(start + data)
    with pytest.raises(MedidiffError):
        read_nifti(path, max_voxels=1000)


@given(data=st.data())
def test_a_damaged_header_is_refused_or_read_never_a_crash(data, tmp_path):
    raw = bytearray(gzip.decompress(good(tmp_path / "a.nii.gz").read_bytes()))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, 351))] = data.draw(st.integers(0, 255))
    (tmp_path / "b.nii").write_bytes(raw)
    with contextlib.suppress(MedidiffError):
        assert np.isfinite(read_nifti(tmp_path / "b.nii", max_voxels=10**6).array).all()


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = good(tmp_path / "a.nii.gz")
    before = path.read_bytes()
    full = OSError(28, "No space left on device")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(full))
    volume = read_nifti(path)
    with pytest.raises(OutputError, match="No space left on device"):
        write_nifti(replace(volume, array=volume.array + 1), path, description="")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    volume = read_nifti(good(tmp_path / "in" / "a.nii.gz"))
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    (tmp_path / "out").mkdir()
    with pytest.raises(KeyboardInterrupt):
        write_nifti(volume, tmp_path / "out" / "a.nii.gz", description="")
    assert list((tmp_path / "out").iterdir()) == []


def test_complex_volumes_keep_both_parts(tmp_path):
    rng = np.random.default_rng(0)
    array = (rng.normal(size=(3, 4, 5)) + 1j * rng.normal(size=(3, 4, 5))).astype(np.complex64)
    write_nifti(Volume(array, Geometry((3, 4, 5), np.diag([1, 2, 3, 1]))), tmp_path / "c.nii.gz", description="test")
    image: Any = nib.load(tmp_path / "c.nii.gz")
    assert image.get_data_dtype() == np.complex64
    np.testing.assert_array_equal(np.asarray(image.dataobj), array)
    with pytest.raises(InputError, match="complex"):
        read_nifti(tmp_path / "c.nii.gz")


@pytest.mark.realdata
def test_real_thick_slices_come_back_voxel_by_voxel(shared, tmp_path):
    path = min((shared / "structural" / "thick_slice").glob("*.nii.gz"))
    volume = read_nifti(path)
    np.testing.assert_array_equal(volume.array, stored(path).get_fdata(dtype=np.float32))
    write_nifti(volume, tmp_path / "a.nii.gz", description="medidiff")
    assert (read_nifti(tmp_path / "a.nii.gz").array == volume.array).all()
