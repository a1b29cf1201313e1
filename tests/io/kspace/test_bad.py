"""Whatever is wrong with k-space is told in one clear line."""

import builtins
import gc
import importlib.util

import h5py
import numpy as np
import pytest

from medidiff.errors import InputError, ResourceError
from medidiff.io.kspace import read_kspace
from medidiff.kspace import KSpace
from tests.kspaces import acquisition, as_cfl, as_fastmri, as_mrd, as_npy, header, kspace
from tests.physics.heads import grid


def saved(array, path):
    np.save(path, array)
    return path


def wrong_axes(folder):
    return saved(kspace((300, 40, 2), number=2).data.transpose(1, 2, 3, 0), folder / "a.npy")


def coils_last(folder):
    return saved(kspace((120, 100, 1)).data[..., 0].transpose(1, 2, 0), folder / "a.npy")


def not_centred(folder):
    return saved(np.fft.ifftshift(kspace().data, (1, 2)), folder / "a.npy")


def an_image(folder):
    return saved(np.fft.ifft2(kspace((300, 40, 1)).data, axes=(1, 2)).astype(np.complex64) + 1e-9, folder / "a.npy")


def not_a_number(folder):
    data = kspace().data.copy()
    data[0, 3, 20, 0] = np.nan
    return saved(data, folder / "a.npy")


def all_zero(folder):
    return saved(np.zeros((2, 8, 8, 1), np.complex64), folder / "a.npy")


def real_numbers(folder):
    return saved(np.ones((2, 8, 8, 1)), folder / "a.npy")


def one_line(folder):
    return saved(np.ones((2, 8, 1, 1), np.complex64), folder / "a.npy")


def five_axes(folder):
    return saved(np.ones((1, 1, 2, 8, 8), np.complex64), folder / "a.npy")


def pickled(folder):
    np.save(folder / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return folder / "a.npy"


def empty(folder):
    (folder / "a.h5").touch()
    return folder / "a.h5"


def cut_short(folder):
    as_fastmri(kspace(), folder / "a.h5")
    whole = (folder / "a.h5").read_bytes()
    (folder / "a.h5").write_bytes(whole[: len(whole) // 2])
    return folder / "a.h5"


def other_hdf5(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        file["image"] = np.ones((3, 3))
    return folder / "a.h5"


def disagreeing_mask(folder):
    as_fastmri(kspace(), folder / "a.h5")
    with h5py.File(folder / "a.h5", "a") as file:
        file["mask"][...] = 0
        file["mask"][10:20] = 1
    return folder / "a.h5"


def short_mask(folder):
    as_fastmri(kspace(), folder / "a.h5", mask=False)
    with h5py.File(folder / "a.h5", "a") as file:
        file["mask"] = np.ones(7)
    return folder / "a.h5"


def trap_in_the_header(folder):
    as_fastmri(kspace(), folder / "a.h5", told="<!DOCTYPE a [<!ENTITY b 'c'>]>" + header((48, 40, 2)))
    return folder / "a.h5"


def no_header(folder):
    as_fastmri(kspace(), folder / "a.h5", told="<html/>")
    return folder / "a.h5"


def spiral(folder):
    as_mrd(kspace(), folder / "a.mrd", told=header((48, 40, 2), trajectory="spiral"))
    return folder / "a.mrd"


def only_noise(folder):
    part = KSpace(kspace().data[..., :1], grid((48, 40, 1)), (0, 1))
    as_mrd(part, folder / "a.mrd", told=header((48, 40, 1)))
    with h5py.File(folder / "a.mrd", "a") as file:
        rows = file["dataset/data"][()]
        rows["head"]["flags"] = 1 << 18
        file["dataset/data"][...] = rows
    return folder / "a.mrd"


def two_contrasts(folder):
    other = acquisition(kspace().data[:, :, 20, 0], y=20)
    other.idx.contrast = 1
    as_mrd(kspace(), folder / "a.mrd", extra=[other])
    return folder / "a.mrd"


def outside(folder):
    as_mrd(kspace(), folder / "a.mrd", extra=[acquisition(kspace().data[:, :, 20, 0], y=70)])
    return folder / "a.mrd"


def no_bart_header(folder):
    as_cfl(kspace(), folder / "a.cfl")
    (folder / "a.hdr").unlink()
    return folder / "a.cfl"


def cut_cfl(folder):
    as_cfl(kspace(), folder / "a.cfl")
    (folder / "a.cfl").write_bytes((folder / "a.cfl").read_bytes()[:-8])
    return folder / "a.cfl"


def cut_npz(folder):
    np.savez(folder / "a.npz", kspace=kspace().data)
    (folder / "a.npz").write_bytes((folder / "a.npz").read_bytes()[:-500])
    return folder / "a.npz"


def nameless(folder):
    np.savez(folder / "a.npz", data=kspace().data)
    return folder / "a.npz"


def no_twix(folder):
    (folder / "a.dat").write_bytes(b"this is no raw data" * 100)
    return folder / "a.dat"


def other_suffix(folder):
    (folder / "a.xyz").write_text("a")
    return folder / "a.xyz"


BAD = {
    wrong_axes: "axes are in another order",
    coils_last: "axes are in another order",
    not_centred: "k-space is not centred",
    an_image: "k-space is not centred",
    not_a_number: "1 NaN or Inf",
    all_zero: "every sample is zero",
    real_numbers: "needed complex",
    one_line: "fewer than two encoded axes",
    five_axes: "other axes",
    pickled: "NumPy file cannot be read",
    empty: "file is empty",
    cut_short: "HDF5 file is cut short",
    other_hdf5: "holds no k-space",
    disagreeing_mask: "mask disagrees with the data",
    short_mask: "mask does not fit",
    trap_in_the_header: "not to be trusted",
    no_header: "ISMRMRD header",
    spiral: "not a Cartesian scan",
    only_noise: "no image acquisitions",
    two_contrasts: "2 of contrast",
    outside: "lies outside k-space",
    no_bart_header: "no BART header",
    cut_cfl: "cfl and hdr do not fit",
    cut_npz: "NumPy file cannot be read",
    nameless: "no array called kspace",
    no_twix: "not a Siemens twix file",
    other_suffix: "holds no k-space",
}


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_bad_kspace_is_told_in_one_line(make, tmp_path):
    path = make(tmp_path)
    with pytest.raises(InputError, match=BAD[make]) as told:
        read_kspace(path)
    line = str(told.value)
    assert line.count("\n") == 0
    assert str(tmp_path) in line


def test_silent_coils_are_left_out_with_a_warning(tmp_path):
    data = kspace().data.copy()
    data[2] = 0
    found = read_kspace(saved(data, tmp_path / "a.npy"))
    assert len(found.data) == 3
    assert any("coils [2] hold zeros alone" in line for line in found.meta["warnings"])


def test_a_mask_may_claim_lines_that_were_zero_filled(tmp_path):
    known = kspace()
    as_fastmri(known, tmp_path / "a.h5", mask=False)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["mask"] = np.ones(40)
    assert np.array_equal(read_kspace(tmp_path / "a.h5").sampled, known.sampled)


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kept", [3000, 900_000])
def test_a_twix_file_that_is_cut_short_is_told(shared, tmp_path, kept):
    pytest.importorskip("twixtools", reason="twixtools is not installed")
    (tmp_path / "cut.dat").write_bytes((shared / "kspace" / "gre.dat").read_bytes()[:kept])
    with pytest.raises(InputError, match=r"twix file (cannot be read|is cut short)"):
        read_kspace(tmp_path / "cut.dat")
    gc.collect()


@pytest.mark.parametrize(
    ("suffix", "extra"), [(".h5", r"medidiff\[kspace\]"), (".dat", r"medidiff\[twix\]")], ids=["HDF5", "twix"]
)
def test_a_missing_extra_is_told_with_the_command_that_installs_it(suffix, extra, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("medidiff.io.kspace.hdf5.find_spec", lambda name: None)
    monkeypatch.setattr("medidiff.io.kspace.twix.find_spec", lambda name: None)
    (tmp_path / f"a{suffix}").write_bytes(b"something")
    with pytest.raises(ResourceError, match=extra):
        read_kspace(tmp_path / f"a{suffix}")


def test_numpy_files_need_no_extra(tmp_path, monkeypatch):
    as_npy(kspace(), tmp_path / "a.npy")
    real = builtins.__import__

    def without(name, *rest):
        if name in ("h5py", "ismrmrd", "twixtools"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert read_kspace(tmp_path / "a.npy").data.shape == (4, 48, 40, 2)
