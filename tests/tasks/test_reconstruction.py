"""What every method holds, on a head whose truth is known, and on real k-space."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from medidiff.errors import InputError, UsageError
from medidiff.io.kspace import read_kspace
from medidiff.kspace import KSpace
from medidiff.physics import Fourier
from medidiff.tasks import reconstruct, simulate_kspace
from medidiff.tasks.belief import believable, calibrated
from medidiff.tasks.measurement import measure
from medidiff.tasks.methods import METHODS as ALL
from medidiff.tasks.methods import Estimate
from medidiff.volume import Volume
from tests.kspaces import FORMS, kspace
from tests.physics.heads import coils, grid, head, lines, measured

SHAPE = (48, 40, 1)
METHODS = [name for name in ALL if name != "diffusion"]
"""Those that need no model; for the other see test_refinement."""


@pytest.fixture(params=METHODS, ids=str)
def method(request):
    return request.param


def scan(mask=None, *, noise=0.0, number=6, shape=SHAPE, axes=(0, 1), **more):
    """The head, measured on a mask of lines."""
    _, _, y = measured(shape, number=number, noise=noise, axes=axes)
    mask = lines() if mask is None else mask
    data = (y * mask).numpy()
    return KSpace(data, grid(shape), axes, np.broadcast_to(mask.numpy(), shape), **more)


def nmse(found, truth):
    return float(np.sum((found - truth) ** 2) / np.sum(truth**2))


def test_fully_sampled_data_come_back_exactly(method):
    full = torch.ones(1, 1, 1, dtype=torch.bool)
    result = reconstruct(scan(full), method, device="cpu")
    np.testing.assert_allclose(result.volume.array, head().numpy(), atol=1e-5)
    assert result.residual_after == pytest.approx(0, abs=1e-5)
    assert any("fully sampled" in line for line in result.provenance["warnings"]) == (method != "zero-filled")


@pytest.mark.parametrize(("factor", "believed"), [(1.0, True), (3.0, False)])
def test_maps_that_let_images_invent_between_samples_are_given_up(factor, believed):
    image, _, _ = measured(SHAPE)
    measurement = measure(scan(), coils=12, kernel=6, crop=0.8, noise=None, seed=0, device=torch.device("cpu"))
    assert measurement.maps.maps is not None
    invented = Fourier((1,)).adjoint(Fourier((1,)).forward(image) * torch.where(measurement.mask, 1.0, factor))
    asked = []

    def solve(one):
        asked.append(one)
        return Estimate(image, witnesses=(image, invented))

    used, _ = believable(measurement, solve)
    assert (used is measurement) == believed
    assert len(asked) == (1 if believed else 2)
    if not believed:
        assert used.maps.maps is None
        assert "times as much is inferred as heads have there" in used.told["maps"]
        assert used.operator.forward(torch.zeros(6, *SHAPE, dtype=torch.complex64)).shape == used.y.shape


@pytest.mark.parametrize(("misled", "believed"), [(False, True), (True, False)])
def test_blurred_maps_by_which_wavelets_are_misled_are_given_up(misled, believed, monkeypatch):
    measurement = measure(scan(), coils=12, kernel=6, crop=0.8, noise=None, seed=0, device=torch.device("cpu"))
    blurred = replace(measurement, maps=replace(measurement.maps, kind="low resolution"))
    monkeypatch.setattr("medidiff.tasks.wavelets.misled", lambda errors: misled)
    monkeypatch.setattr("medidiff.tasks.trial.trial_errors", lambda images, *_: (1 + i for i, _ in enumerate(images)))
    assert (calibrated(blurred, 0) is blurred) == believed
    assert calibrated(measurement, 0) is measurement


@pytest.mark.parametrize("name", ["cg-sense", "l1-wavelet"])
def test_blurred_maps_that_mislead_serve_no_method(name, monkeypatch):
    few = scan(lines(acceleration=3, calibration=10), noise=0.01)
    assert reconstruct(few, name, device="cpu").provenance["kspace"]["maps"] == "low resolution"
    monkeypatch.setattr("medidiff.tasks.wavelets.misled", lambda errors: True)
    told = reconstruct(few, name, device="cpu").provenance
    assert told["kspace"]["maps"].startswith("coil by coil: calibration fails")
    assert any("calibration fails" in line for line in told["warnings"])


def test_inference_beats_zeros():
    truth = head().numpy()
    errors = {name: nmse(reconstruct(scan(noise=0.02), name, device="cpu").volume.array, truth) for name in METHODS}
    assert errors["cg-sense"] < 0.8 * errors["zero-filled"]
    assert errors["l1-wavelet"] < 0.8 * errors["zero-filled"]


@pytest.mark.parametrize("calibration", [0, 3, 6, 8])
def test_no_method_returns_less_than_zeros_however_few_lines_calibrate(calibration, method):
    known = scan(lines(acceleration=3, calibration=calibration, seed=1), noise=0.02)
    found, plain = (reconstruct(known, name, device="cpu").volume.array for name in (method, "zero-filled"))
    assert nmse(found, head().numpy()) < 1.05 * nmse(plain, head().numpy())


KINDS = {
    "a slice": {},
    "few calibration lines": {"acceleration": 5},
    "a stack": {"shape": (48, 40, 20)},
    "a volume": {"shape": (48, 40, 20), "axes": (0, 1, 2)},
}
"""Measurements whose maps are given."""


def given(seed, *, acceleration=4, calibration=6, shape=SHAPE, axes=(0, 1), noise=0.02):
    """The head, measured on few lines and told maps: of seed 0, those that are right."""
    maps = coils(shape, number=6, seed=seed)[1].numpy()
    mask = lines(acceleration=acceleration, calibration=calibration, seed=1)
    return scan(mask, noise=noise, shape=shape, axes=axes, maps=maps)


def wavelets(known, **told):
    return reconstruct(known, "l1-wavelet", device="cpu", **told)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_wavelets_end_before_wrong_maps_mislead_them_and_say_so(kind):
    known, truth = given(3, **kind), head(kind.get("shape", SHAPE)).numpy()
    found, fitted = wavelets(known), wavelets(known, iterations=80)
    assert nmse(found.volume.array, truth) < 0.8 * nmse(fitted.volume.array, truth)
    assert any("wavelets ended after" in line for line in found.provenance["warnings"])
    assert not fitted.provenance["warnings"]


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize("kind", [*KINDS.values(), {"calibration": 0}], ids=[*KINDS, "no calibration lines"])
def test_wavelets_go_on_to_the_end_where_maps_are_right(kind, noise):
    known = given(0, noise=noise, **kind)
    found = wavelets(known)
    assert np.array_equal(found.volume.array, wavelets(known, iterations=80).volume.array)
    assert not found.provenance["warnings"]


def test_a_volume_is_reconstructed_as_the_stack_that_it_is_after_its_readout(method):
    """Maps, too, are found plane by plane: with few planes, blocks of three axes find none."""
    shape = (48, 40, 6)
    volume = scan(noise=0.01, shape=shape, axes=(0, 1, 2), meta={"noise_sd": 0.01})
    planes = Fourier((2,)).adjoint(torch.from_numpy(volume.data)).numpy()
    stack = KSpace(planes, volume.geometry, (0, 1), volume.mask, meta=volume.meta)
    one, other = (reconstruct(known, method, device="cpu") for known in (volume, stack))
    assert one.provenance["kspace"]["maps"] == other.provenance["kspace"]["maps"]
    if method != "l1-wavelet":  # of a volume the wavelets have three axes
        np.testing.assert_allclose(one.volume.array, other.volume.array, atol=1e-4)


def test_points_of_a_volume_of_few_planes_are_explained_as_far_as_the_noise():
    shape, noise = (96, 80, 6), 0.01
    truth = Volume(head(shape).numpy(), grid(shape))
    known = simulate_kspace(truth, mask="poisson", acceleration=4, calibration=14, noise=noise, axis="z")
    found = reconstruct(known, "cg-sense", device="cpu").provenance
    assert found["kspace"]["maps"].startswith("ESPIRiT")
    assert 0.8 < found["data_residual"]["over_noise"] < 1.2


def test_coils_that_share_nothing_are_warned_of_and_taken_one_by_one():
    rng = np.random.default_rng(0)
    data = (rng.standard_normal((4, *SHAPE)) + 1j * rng.standard_normal((4, *SHAPE))).astype(np.complex64)
    result = reconstruct(KSpace(data * lines().numpy(), grid(SHAPE), (0, 1)), "cg-sense", device="cpu")
    assert "no sensitivity maps are used" in result.provenance["warnings"][-1]
    assert result.residual_after == pytest.approx(0, abs=1e-5)


def test_the_same_image_comes_from_every_form_of_the_same_data(tmp_path, method):
    known, images = kspace((48, 40, 1)), []
    for suffix, write in FORMS.items():
        write(known, tmp_path / f"a{suffix}")
        images.append(reconstruct(read_kspace(tmp_path / f"a{suffix}"), method, device="cpu").volume.array)
    for image in images[1:]:
        np.testing.assert_allclose(image, images[0], atol=1e-5)


def test_one_slice_is_the_same_as_a_stack_and_as_a_volume():
    flat = reconstruct(scan(), "cg-sense", device="cpu").volume.array
    one = scan()
    deep = KSpace(one.data, one.geometry, (0, 1, 2), one.mask)
    np.testing.assert_allclose(reconstruct(deep, "cg-sense", device="cpu").volume.array, flat, atol=1e-5)


def test_a_single_coil_needs_no_maps(method):
    known = scan(number=1, noise=0.01)
    result = reconstruct(known, method, device="cpu")
    assert result.volume.array.shape == SHAPE
    assert nmse(result.volume.array, head().numpy()) < 0.1


def test_known_maps_are_used():
    _, maps = coils(SHAPE, number=6)
    result = reconstruct(scan(maps=maps.numpy()), "cg-sense", device="cpu", iterations=60, noise=0)
    assert result.provenance["kspace"]["maps"] == "given"
    assert nmse(result.volume.array, head().numpy()) < 2e-3


def test_the_residual_of_conjugate_gradients_is_the_noise():
    told = reconstruct(scan(noise=0.05), "cg-sense", noise=0.05, device="cpu").provenance
    assert 0.7 < told["data_residual"]["over_noise"] <= 1.2


def test_iterations_end_before_faults_of_maps_are_fitted():
    known = scan(lines(acceleration=3, calibration=8, seed=1), noise=0.02)
    chosen, many = (reconstruct(known, "cg-sense", iterations=n, noise=0, device="cpu") for n in (None, 30))
    assert chosen.provenance["iterations"] < 30
    truth = head().numpy()
    assert nmse(chosen.volume.array, truth) < nmse(many.volume.array, truth)


def test_a_noise_scan_whitens_and_tells_the_level():
    rng = np.random.default_rng(1)
    noise = (0.05 / 2**0.5 * (rng.standard_normal((6, 5000, 2)) @ [1, 1j])).astype(np.complex64)
    told = reconstruct(scan(noise=0.05), "cg-sense", device="cpu").provenance["kspace"]
    known = scan(noise=0.05)
    with_scan = KSpace(known.data, known.geometry, (0, 1), known.mask, noise=noise)
    better = reconstruct(with_scan, "cg-sense", device="cpu").provenance["kspace"]
    assert better["noise"] == pytest.approx(0.05, rel=0.05)
    assert better["noise_from"] == "noise scan, whitened"
    assert told["noise_from"].startswith(("outermost samples", "quietest part along"))


def test_many_coils_are_compressed():
    result = reconstruct(scan(number=14), "cg-sense", device="cpu", coils=5)
    assert result.provenance["kspace"]["coils"] == 14
    assert result.provenance["kspace"]["virtual_coils"] == 5
    assert nmse(result.volume.array, head().numpy()) < 0.05


def test_oversampling_is_removed_and_voxels_stay_in_their_places(method):
    wide = np.zeros((96, 40, 1), np.float32)
    wide[24:72] = head().numpy()
    image = torch.from_numpy(wide).to(torch.complex64)[None]
    data = (Fourier((0, 1)).forward(image) * lines()).numpy()
    whole = KSpace(data, grid((96, 40, 1)), (0, 1))
    cut = KSpace(data, grid((96, 40, 1)), (0, 1), keep=(48, 40, 1))
    first, second = (reconstruct(each, method, device="cpu").volume for each in (whole, cut))
    assert second.array.shape == SHAPE
    np.testing.assert_allclose(second.geometry.world([0, 0, 0]), first.geometry.world([24, 0, 0]))
    if method == "zero-filled":
        np.testing.assert_allclose(second.array, first.array[24:72], atol=1e-5)


def test_a_finer_matrix_keeps_values_and_the_middle():
    coarse = reconstruct(scan(), "zero-filled", device="cpu").volume
    fine = reconstruct(scan(matrix=(96, 80, 1)), "zero-filled", device="cpu").volume
    np.testing.assert_allclose(fine.array[::2, ::2], coarse.array, atol=1e-4)
    np.testing.assert_allclose(fine.geometry.world([48, 40, 0]), coarse.geometry.world([24, 20, 0]))


def test_complex_images_have_the_magnitude_and_a_phase(method):
    plain = reconstruct(scan(), method, device="cpu").volume.array
    phased = reconstruct(scan(), method, device="cpu", complex_image=True).volume.array
    assert phased.dtype == np.complex64
    inside = head().numpy() > 0.5
    assert np.abs(np.abs(phased) - plain)[inside].max() < 0.35
    assert np.std(np.angle(phased[inside])) > 0.1


def test_the_same_seed_gives_the_same_image():
    one, two = (reconstruct(scan(noise=0.02), "l1-wavelet", device="cpu", seed=3).volume.array for _ in range(2))
    assert np.array_equal(one, two)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"method": "magic"}, "unknown method"),
        ({"iterations": 0}, "iterations must be 1 or more"),
        ({"weight": -1}, "weight must be 0 or more"),
        ({"kernel": 1}, "kernel must be 2 or more"),
        ({"noise": -1}, "noise must be 0 or more"),
    ],
)
def test_figures_out_of_range_are_told(options, line):
    with pytest.raises(UsageError, match=line):
        reconstruct(scan(), device="cpu", **options)


def test_kspace_that_does_not_fit_is_told():
    known = scan()
    with pytest.raises(InputError, match="maps do not fit"):
        KSpace(known.data, known.geometry, (0, 1), maps=np.zeros((1, 2, *SHAPE), np.complex64))
    with pytest.raises(InputError, match="noise does not fit"):
        KSpace(known.data, known.geometry, (0, 1), noise=np.zeros((2, 9), np.complex64))
    with pytest.raises(InputError, match="larger than the encoded"):
        KSpace(known.data, known.geometry, (0, 1), keep=(99, 40, 1))
    with pytest.raises(InputError, match="mask does not fit"):
        KSpace(known.data, known.geometry, (0, 1), mask=np.ones(7, bool))


@pytest.mark.parametrize("mask", ["random", "equispaced", "gaussian", "poisson"])
def test_simulated_kspace_is_reconstructed_where_the_image_was(mask):
    volume = Volume(head((8, 40, 36)).numpy(), grid((8, 40, 36)))
    made = simulate_kspace(volume, coils=6, acceleration=2, mask=mask, calibration=12, noise=0.01, axis="x", seed=2)
    assert made.sampled.mean() == pytest.approx(0.5, abs=0.03)
    assert made.encoded == ((0, 1, 2) if mask == "poisson" else (1, 2))
    result = reconstruct(made, "cg-sense", device="cpu")
    assert result.volume.geometry.allclose(volume.geometry)
    assert result.provenance["kspace"]["noise_from"] == "file"
    assert nmse(result.volume.array, volume.array) < 0.06


def test_simulation_follows_the_seed_and_refuses_nonsense():
    volume = Volume(head((12, 40, 40)).numpy(), grid((12, 40, 40)))
    one, two, other = (simulate_kspace(volume, calibration=8, noise=1, seed=s).data for s in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    assert not simulate_kspace(volume, calibration=8, partial=0.6, axis="x").sampled[..., :16].any()
    with pytest.raises(UsageError, match="unknown mask"):
        simulate_kspace(volume, mask="spiral")
    with pytest.raises(UsageError, match="coils must be 1"):
        simulate_kspace(volume, coils=0)


@pytest.mark.realdata
def test_a_real_head_is_resolved_beyond_zeros(shared):
    known = read_kspace(shared / "kspace" / "cartesian_ksp.npy")
    images = {name: reconstruct(known, name, device="cpu", iterations=12) for name in METHODS}
    assert images["cg-sense"].provenance["kspace"]["maps"].startswith("ESPIRiT")
    sharp = {name: float(np.abs(np.diff(r.volume.array, axis=0)).sum()) for name, r in images.items()}
    assert sharp["cg-sense"] > 1.2 * sharp["zero-filled"]
    levels = [np.median(r.volume.array[60:170, 50:130]) for r in images.values()]
    assert max(levels) < 1.15 * min(levels)
    assert images["cg-sense"].residual_after < 0.5 * images["cg-sense"].residual_before


@pytest.mark.realdata
def test_a_real_twix_scan_is_imaged_in_its_place(shared):
    pytest.importorskip("twixtools", reason="twixtools is not installed")
    volume = reconstruct(read_kspace(shared / "kspace" / "gre.dat"), "cg-sense", device="cpu").volume
    assert volume.array.shape == (160, 160, 1)
    np.testing.assert_allclose(volume.geometry.world([80, 80, 0]), [2.5897, -53.9224, -53.9995], atol=1e-3)
    assert volume.array[40:120, 100].mean() > 3 * volume.array[:4, :4].mean()


@pytest.mark.realdata
def test_a_real_phase_is_reconstructed(shared):
    h5py = pytest.importorskip("h5py")
    with h5py.File(shared / "kspace" / "Brain_cdata1.mat") as file:
        stored = file["im_ori"][()]
    image = torch.from_numpy((stored["real"] + 1j * stored["imag"]).astype(np.complex64).T.copy())[None, ..., None]
    mask = lines(256, acceleration=3, calibration=32)
    data = (Fourier((0, 1)).forward(image) * mask).numpy()
    known = KSpace(data, grid((256, 256, 1), 1.0), (0, 1), np.broadcast_to(mask.numpy(), (256, 256, 1)))
    truth = np.abs(image[0].numpy())
    errors = {name: nmse(reconstruct(known, name, device="cpu").volume.array, truth) for name in METHODS}
    assert errors["cg-sense"] == pytest.approx(errors["zero-filled"], rel=1e-3)
    assert errors["l1-wavelet"] < errors["zero-filled"]
