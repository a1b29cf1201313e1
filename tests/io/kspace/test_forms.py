"""Every form of the same data is the same k-space."""

import numpy as np
import pytest

from medidiff.io.kspace import centre_offset, find_kspace, read_kspace
from medidiff.io.kspace.bart import read_cfl, write_cfl
from medidiff.kspace import KSpace
from tests.kspaces import FORMS, acquisition, as_fastmri, as_mrd, as_npy, header, kspace
from tests.physics.heads import grid


@pytest.fixture(params=FORMS, ids=str)
def form(request):
    return request.param


def test_every_form_gives_the_same_data_mask_and_axes(form, tmp_path):
    wanted = kspace()
    FORMS[form](wanted, tmp_path / f"scan{form}")
    found = read_kspace(tmp_path / f"scan{form}")
    np.testing.assert_array_equal(found.data, wanted.data)
    full = np.broadcast_to(wanted.sampled, wanted.data.shape[1:])
    np.testing.assert_array_equal(np.broadcast_to(found.sampled, full.shape), full)
    assert found.encoded == ((0, 1) if form in (".h5", ".mrd", ".npz") else (0, 1, 2))
    assert centre_offset(found)[:2] == (0, 0)


def test_what_a_file_does_not_tell_is_said_to_be_made_up(form, tmp_path):
    FORMS[form](kspace(), tmp_path / f"scan{form}")
    found = read_kspace(tmp_path / f"scan{form}")
    assert found.meta["geometry_known"] == (form in (".npz", ".mrd"))
    assert bool(found.meta["warnings"]) != found.meta["geometry_known"]
    if found.meta["geometry_known"]:
        assert found.geometry.allclose(grid((48, 40, 2)))


def test_a_single_slice_and_a_single_coil_need_fewer_axes(tmp_path):
    data = kspace((48, 40, 1)).data
    np.save(tmp_path / "slice.npy", data[..., 0])
    np.save(tmp_path / "coil.npy", data[0, ..., 0])
    assert read_kspace(tmp_path / "slice.npy").data.shape == data.shape
    assert read_kspace(tmp_path / "slice.npy").encoded == (0, 1)
    np.testing.assert_array_equal(read_kspace(tmp_path / "coil.npy").data, data[:1])


def test_the_header_of_fastmri_gives_spacing_and_the_field_to_keep(tmp_path):
    as_fastmri(kspace(), tmp_path / "a.h5", told=header((48, 40, 2), spacing=3, oversampled=2))
    found = read_kspace(tmp_path / "a.h5")
    assert found.keep == (24, 40, 2)
    assert found.geometry.spacing == pytest.approx((3, 3, 3))
    assert "Doe" not in str(found.meta)


def test_masks_of_two_dimensions_and_none_are_read(tmp_path):
    import h5py

    as_fastmri(kspace(), tmp_path / "a.h5", mask=False)
    without = read_kspace(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["mask"] = np.broadcast_to(kspace().mask, (48, 40, 2))[..., 0]
    np.testing.assert_array_equal(read_kspace(tmp_path / "a.h5").sampled, without.sampled)
    assert without.sampled.shape == (1, 40, 1)


def test_maps_and_noise_come_along(tmp_path, rng):
    known = kspace((16, 30, 1))
    maps = rng.standard_normal((1, *known.data.shape)).astype(np.complex64)
    noise = rng.standard_normal((4, 50)).astype(np.complex64)
    FORMS[".npz"](KSpace(known.data, known.geometry, (0, 1), maps=maps, noise=noise), tmp_path / "a.npz")
    found = read_kspace(tmp_path / "a.npz")
    np.testing.assert_array_equal(found.maps, maps)
    np.testing.assert_array_equal(found.noise, noise)
    FORMS[".cfl"](known, tmp_path / "b.cfl")
    write_cfl(maps.transpose(2, 3, 4, 1, 0), tmp_path / "b_maps.cfl")
    np.testing.assert_array_equal(read_kspace(tmp_path / "b.cfl").maps, maps)


def test_dimensions_of_cfl_are_those_of_bart(tmp_path, rng):
    array = rng.standard_normal((3, 4, 1, 2)).astype(np.complex64)
    write_cfl(array, tmp_path / "a.cfl")
    assert (tmp_path / "a.hdr").read_text().split()[2:8] == ["3", "4", "1", "2", "1", "1"]
    np.testing.assert_array_equal(read_cfl(tmp_path / "a.cfl"), array)


def test_averages_are_averaged_and_noise_scans_kept_apart(tmp_path, rng):
    wanted = kspace()
    noise = rng.standard_normal((4, 100)) + 1j * rng.standard_normal((4, 100))
    scans = [acquisition(noise, flag=19), acquisition(7 * noise, flag=24)]
    as_mrd(wanted, tmp_path / "a.mrd", averages=2, extra=scans)
    found = read_kspace(tmp_path / "a.mrd")
    np.testing.assert_allclose(found.data, wanted.data, atol=1e-6)
    assert found.noise is not None
    np.testing.assert_allclose(found.noise, noise, atol=1e-6)


def test_partial_fourier_lies_where_its_centre_says(tmp_path):
    wanted = kspace((48, 40, 1))
    part = KSpace(wanted.data[:, :, 8:], grid((48, 32, 1)), (0, 1))
    as_mrd(part, tmp_path / "a.mrd", told=header((48, 40, 1), centre=12))
    found = read_kspace(tmp_path / "a.mrd").data
    np.testing.assert_array_equal(found[:, :, 8:], wanted.data[:, :, 8:])
    assert not found[:, :, :8].any()


def test_asymmetric_echoes_lie_where_their_centre_says(tmp_path):
    wanted = kspace((48, 40, 1)).data
    told = [
        acquisition(wanted[:, 10:, y, 0], y=y, centre=14) for y in np.flatnonzero(wanted.any((0, 1))[:, 0]).tolist()
    ]
    import ismrmrd

    dataset = ismrmrd.Dataset(str(tmp_path / "a.mrd"), "dataset")
    dataset.write_xml_header(header((48, 40, 1)).encode())
    for each in told:
        dataset.append_acquisition(each)
    dataset.close()
    np.testing.assert_array_equal(read_kspace(tmp_path / "a.mrd").data[:, 10:], wanted[:, 10:])


def test_oversampling_and_a_finer_matrix_are_told(tmp_path):
    as_mrd(kspace(), tmp_path / "a.mrd", told=header((48, 40, 2), oversampled=2, matrix=(32, 64)))
    found = read_kspace(tmp_path / "a.mrd")
    assert (found.keep, found.matrix) == ((24, 40, 2), (32, 64, 2))


def test_slices_are_ordered_by_their_positions(tmp_path):
    wanted = kspace()
    upside_down = KSpace(wanted.data[..., ::-1], grid((48, 40, 2)).permuted((0, 1, 2)), (0, 1))
    affine = upside_down.geometry.affine.copy()
    affine[2, 2], affine[2, 3] = -4, 2
    as_mrd(KSpace(upside_down.data, type(wanted.geometry)((48, 40, 2), affine), (0, 1)), tmp_path / "a.mrd")
    found = read_kspace(tmp_path / "a.mrd")
    np.testing.assert_array_equal(found.data, wanted.data)
    assert found.geometry.allclose(wanted.geometry)


def test_folders_are_searched_and_what_is_no_kspace_is_left_out(tmp_path):
    as_npy(kspace(), tmp_path / "a.npy")
    (tmp_path / "sub").mkdir()
    as_fastmri(kspace(), tmp_path / "sub" / "b.h5")
    np.save(tmp_path / "real.npy", np.zeros((3, 3)))
    (tmp_path / "notes.txt").write_text("no")
    found, skipped = find_kspace([tmp_path])
    assert [str(item.stem) for item in found] == ["a", "sub/b"]
    assert [(item.path.name, item.reason) for item in skipped] == [("real.npy", "no complex numbers in it")]


@pytest.mark.realdata
def test_a_real_twix_file_is_read(shared):
    pytest.importorskip("twixtools", reason="twixtools is not installed")
    found = read_kspace(shared / "kspace" / "gre.dat")
    assert found.data.shape == (2, 320, 160, 1)
    assert found.keep == (160, 160, 1)
    assert found.geometry.spacing == pytest.approx((1.25, 1.25, 4.0))
    assert centre_offset(found) == (0, 0, 0)
    middle = found.geometry.world([160, 80, 0])
    np.testing.assert_allclose(middle, [2.5897, -53.9224, -53.9995], atol=1e-3)


@pytest.mark.realdata
def test_a_real_head_in_a_numpy_file_is_read(shared):
    found = read_kspace(shared / "kspace" / "cartesian_ksp.npy")
    assert found.data.shape == (8, 230, 180, 1)
    assert found.sampled.mean() == pytest.approx(0.1243, abs=1e-3)
    assert max(map(abs, centre_offset(found))) <= 1
