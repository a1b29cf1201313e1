"""ESPIRiT against the truth, and against other people's, where these are installed."""

import shutil
import subprocess

import numpy as np
import pytest
import torch

from medidiff.physics.espirit import espirit
from tests.physics.heads import coils, head, measured


def centre(data, width=16, depth=None):
    """The middle of k-space ``(coil, x, y, z)``."""
    _, x, y, z = data.shape
    box = [slice(n // 2 - w // 2, n // 2 - w // 2 + w) for n, w in ((x, width), (y, width), (z, depth or z))]
    return data[(slice(None), *box)]


def agreement(maps, others):
    """``|<a, b>|`` of unit maps ``(coil, x, y, z)`` where both are: 1 is the same up to phase."""
    both = (maps.abs().sum(0) > 0) & (others.abs().sum(0) > 0)
    return (maps.conj() * others).sum(0).abs()[both]


def test_maps_are_the_coils_that_made_the_data():
    _, truth, y = measured()
    maps, values = espirit(centre(y), (48, 40, 1), axes=(0, 1))
    inside = (maps[0].abs().sum(0) > 0) & (head() > 0)
    assert inside.sum() > 0.99 * (head() > 0).sum()
    assert float((maps[0].conj() * truth[0]).sum(0).abs()[inside].min()) > 0.99
    assert float(values.max()) < 1.001


def test_maps_are_orthonormal_over_sets_or_zero():
    _, _, y = measured()
    maps, _ = espirit(centre(y), (48, 40, 1), axes=(0, 1), sets=2, crop=0.0)
    gram = torch.einsum("scxyz,tcxyz->xyzst", maps.conj(), maps)
    torch.testing.assert_close(gram, torch.eye(2, dtype=gram.dtype).expand_as(gram), atol=1e-4, rtol=0)


def test_air_has_no_maps():
    _, _, y = measured(noise=0.02)
    maps, _ = espirit(centre(y), (48, 40, 1), axes=(0, 1), crop=0.95)
    assert not maps[:, :, :2, :2].any()


def test_one_set_is_enough_where_nothing_is_folded_and_two_where_it_is():
    image, maps = coils((48, 80, 1))
    whole = image * maps[0]
    folded = whole[..., :40, :] + whole[..., 40:, :]
    from medidiff.physics import Fourier

    found = [espirit(centre(Fourier((0, 1)).forward(x)), x.shape[1:], axes=(0, 1), sets=2)[0] for x in (whole, folded)]
    second = [float((each[1].abs().sum(0) > 0).float().mean()) for each in found]
    assert second[0] < 0.02 < 0.1 < second[1]


def test_a_volume_has_the_maps_of_its_coils():
    shape = (24, 20, 16)
    _, truth, y = measured(shape, axes=(0, 1, 2))
    maps, _ = espirit(centre(y, 12, 12), shape, axes=(0, 1, 2), kernel=4)
    inside = (maps[0].abs().sum(0) > 0) & (head(shape) > 0)
    assert inside.sum() > 0.95 * (head(shape) > 0).sum()
    assert float(agreement(maps[0] * inside, truth[0]).min()) > 0.98


def test_volumes_are_the_same_in_chunks(monkeypatch):
    _, _, y = measured((12, 10, 8), axes=(0, 1, 2))
    whole, _ = espirit(centre(y, 8, 8), (12, 10, 8), axes=(0, 1, 2), kernel=3)
    monkeypatch.setattr("medidiff.physics.espirit.CHUNK", {"cpu": 70})
    parts, _ = espirit(centre(y, 8, 8), (12, 10, 8), axes=(0, 1, 2), kernel=3)
    torch.testing.assert_close(parts, whole, atol=2e-4, rtol=1e-3)


def test_slices_of_a_stack_are_calibrated_one_by_one():
    _, _, y = measured((24, 20, 3))
    maps, _ = espirit(centre(y), (24, 20, 3), axes=(0, 1))
    one, _ = espirit(centre(y)[..., 1:2], (24, 20, 1), axes=(0, 1))
    torch.testing.assert_close(maps[..., 1:2], one)


def test_two_dimensions_are_three_with_one_slice():
    _, _, y = measured()
    flat, _ = espirit(centre(y), (48, 40, 1), axes=(0, 1))
    deep, _ = espirit(centre(y), (48, 40, 1), axes=(0, 1, 2))
    torch.testing.assert_close(flat, deep)


def real_slice(shared):
    return torch.from_numpy(np.load(shared / "kspace" / "cartesian_ksp.npy"))[..., None]


@pytest.mark.realdata
def test_maps_of_a_real_head_are_those_of_sigpy(shared):
    mri = pytest.importorskip("sigpy.mri", reason="sigpy is not installed", exc_type=ImportError)
    k = real_slice(shared)
    theirs = mri.app.EspiritCalib(k[..., 0].numpy(), calib_width=24, crop=0.8, show_pbar=False).run()
    maps, _ = espirit(centre(k, 24), k.shape[1:], axes=(0, 1), kernel=6)
    same = agreement(maps[0], torch.from_numpy(theirs)[..., None])
    assert len(same) > 0.999 * int((maps[0].abs().sum(0) > 0).sum())
    assert float(same.min()) > 0.995
    assert float(same.mean()) > 0.9999


@pytest.mark.realdata
@pytest.mark.skipif(shutil.which("bart") is None, reason="BART is not installed")
def test_maps_of_a_real_head_are_those_of_bart(shared, tmp_path):
    from medidiff.io.kspace.bart import read_cfl, write_cfl

    k = real_slice(shared)
    write_cfl(k.permute(1, 2, 3, 0).numpy(), tmp_path / "k.cfl")
    command = ["bart", "ecalib", "-m1", "-r24", "-k6", "-c0.8", "-t0.0004", "k", "maps"]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    theirs = torch.from_numpy(read_cfl(tmp_path / "maps.cfl").squeeze().transpose(2, 0, 1)[..., None].copy())
    maps, _ = espirit(centre(k, 24), k.shape[1:], axes=(0, 1), kernel=6)
    size = torch.linalg.vector_norm(theirs, dim=0).clamp_min(1e-12)
    same = agreement(maps[0], theirs / size)
    assert float(same.quantile(0.01)) > 0.99
    assert float(same.mean()) > 0.999
