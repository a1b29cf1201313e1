"""The diffusion method: whatever a network says, the image agrees with the data; what it knows makes it better."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from medidiff.diffusion import ConditionalUNet
from medidiff.errors import ModelError, UsageError
from medidiff.kspace import KSpace
from medidiff.models import Model, as_channels, load_model, plane_view, residual_unit
from medidiff.physics import Agreement
from medidiff.tasks import reconstruct
from medidiff.tasks.measurement import measure
from medidiff.tasks.methods import METHODS, TRIAL_PASSES, Estimate, Settings
from medidiff.tasks.planes import first_estimate, plane_order, planes_of
from medidiff.tasks.reconstruction import _uncertainty
from medidiff.tasks.refinement import MIRRORS, Asked, Network, Rival, brightness, prior_of, refine
from tests.physics.heads import coils, grid, head, lines, measured
from tests.toy import PLANE_CARD, make_model

SHAPE = (48, 40, 3)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return load_model(make_model(tmp_path_factory.mktemp("recon"), **PLANE_CARD))


def scan(acceleration=3.0, *, noise=0.01, shape=SHAPE, number=6):
    _, _, y = measured(shape, number=number, noise=noise)
    mask = lines(shape[1], acceleration=acceleration, calibration=10)
    return KSpace(
        (y * mask).numpy(), grid(shape), (0, 1), np.broadcast_to(mask.numpy(), shape), meta={"noise_sd": noise}
    )


def known(scan):
    """Measured with the true maps, so that the truth is the image that the data see."""
    maps = coils(SHAPE, number=6)[1].numpy()
    return measure(
        replace(scan, maps=maps), coils=12, kernel=6, crop=0.8, noise=None, seed=0, device=torch.device("cpu")
    )


def measure_plainly(volume):
    return measure(volume, coils=12, kernel=5, crop=0.8, noise=None, seed=0, device=torch.device("cpu"))


def asking(model, **told):
    return prior_of(model, Asked(**told), device=torch.device("cpu"), progress=lambda share: None)


class Knowing(nn.Module):
    """Answers the residual to the truth, as a perfect network would: at time 1 the mean, later the same."""

    multiple = 4

    def __init__(self, truth, bright):
        super().__init__()
        self.truth, self.bright, self.calls = truth, bright, []

    def view(self, images, **told):
        """Note how planes are turned, which a network of planes need not know."""
        maps, self.turn = plane_view(images, **told)
        return maps, self.turn

    def forward(self, x, maps, numbers, t):
        place = len(self.calls) % self.truth.shape[-1]
        self.calls.append(float(t[0]))
        acceleration, noise = 2 ** float(numbers[0, 0]), 0.01 * (2 ** float(numbers[0, 1]) - 1)
        unit = residual_unit(acceleration=acceleration, noise=noise, refined=int(numbers[0, 3]))
        truth = self.truth[0, ..., place].flip(MIRRORS[int(numbers[0, 3]) % 4])
        turned = truth / self.bright * self.turn[0, place]
        r0 = (as_channels(turned)[None] - maps[:, :2]) / unit
        angle = t.reshape(-1, 1, 1, 1) * torch.pi / 2
        return (torch.cos(angle) * x - r0) / torch.sin(angle)


@pytest.fixture
def knowing(monkeypatch):
    truth = coils(SHAPE, number=6)[0]
    planes = planes_of(known(scan()))
    bright = brightness(first_estimate(planes.operator, planes.y, allowed=planes.allowed))
    network = Knowing(truth, bright)
    monkeypatch.setattr("medidiff.tasks.refinement.plane_view", network.view)
    return Model(cast(ConditionalUNet, network), PLANE_CARD | {"sha256": ""})


def error(image):
    truth = coils(SHAPE, number=6)[0]
    return float(torch.linalg.vector_norm(image - truth) / torch.linalg.vector_norm(truth))


@pytest.mark.parametrize("passes", [1, 2, 3, 4])
def test_passes_of_a_network_that_knows_give_the_truth_however_planes_are_mirrored(knowing, passes):
    found = refine(known(scan()), asking(knowing, passes=passes))
    assert error(found.mean) < 0.01
    assert found.evaluations == passes
    assert len(found.samples) == 0


@pytest.mark.parametrize("refined", range(4))
def test_what_a_mirrored_network_answers_is_mirrored_back(knowing, refined):
    measurement, prior = known(scan()), asking(knowing, passes=1)
    planes = planes_of(measurement)
    image = first_estimate(planes.operator, planes.y, allowed=planes.allowed)
    unit, denoise = Network(measurement, prior, planes, brightness(image)).about(image, refined)
    found = image + unit * denoise(torch.zeros_like(image)[None], torch.ones(1))[0]
    assert error(planes.given(image)) > 0.02
    assert error(planes.given(found)) < 1e-3


class Timid(Knowing):
    """Answers a part of the residual to the truth, always the same."""

    share = 0.3

    def forward(self, x, maps, numbers, t):
        return self.share * super().forward(x, maps, numbers, t)


@pytest.fixture
def timid(knowing):
    network = knowing.network
    network.__class__ = Timid
    return knowing


def test_bolder_passes_bring_a_timid_network_further(timid):
    plain, bold = (refine(known(scan()), replace(asking(timid, passes=6), stride=far)) for far in (1.0, 2.0))
    assert error(bold.mean) < 0.5 * error(plain.mean)
    assert bold.evaluations == plain.evaluations == 6


def test_the_last_pass_goes_all_of_the_way_and_no_further(timid):
    one, other = (refine(known(scan()), replace(asking(timid, passes=4), stride=far)) for far in (1.0, 2.0))
    torch.testing.assert_close(one.mean, other.mean)


def by_method(measurement, model, **asked):
    return METHODS["diffusion"](measurement, Settings(prior=asking(model, **asked)))


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_mean_goes_a_share_of_the_way_to_the_rival(timid, share):
    rival = torch.zeros(1, *SHAPE, dtype=torch.complex64)
    none, some = (refine(known(scan()), asking(timid, passes=2), Rival(rival, part)).mean for part in (0.0, share))
    torch.testing.assert_close(some, (1 - share) * none)


def test_passes_start_half_way_to_the_rival(timid):
    truth = coils(SHAPE, number=6)[0]
    alone = refine(known(scan()), asking(timid, passes=1))
    helped = refine(known(scan()), asking(timid, passes=1), Rival(truth))
    assert error(helped.mean) < 0.6 * error(alone.mean)


def test_a_network_that_knows_leaves_wavelets_no_share(knowing):
    found = by_method(known(scan()), knowing, passes=2)
    assert found.told["wavelet_share"] < 0.05
    assert error(found.images) < 0.01
    assert found.iterations == 2 + TRIAL_PASSES


def test_of_a_network_that_is_wrong_little_is_left():
    model = Model(cast(ConditionalUNet, Wrong()), PLANE_CARD | {"sha256": ""})
    measurement = known(scan())
    alone, found = refine(measurement, asking(model, passes=3)).mean, by_method(measurement, model, passes=3)
    sparse = METHODS["l1-wavelet"](measurement, Settings())
    assert found.told["wavelet_share"] > 0.9
    assert error(found.images) < 0.5 * error(alone)
    assert error(found.images) < 1.2 * error(sparse.images)


def test_where_maps_mislead_wavelets_have_no_share(monkeypatch):
    model = Model(cast(ConditionalUNet, Wrong()), PLANE_CARD | {"sha256": ""})
    assert by_method(known(scan()), model, passes=1).told["wavelet_share"] > 0.9
    monkeypatch.setattr("medidiff.tasks.wavelets.misled", lambda errors: True)
    monkeypatch.setattr(
        "medidiff.tasks.trial.trial_errors", lambda images, *_: (abs(i - 6) for i, _ in enumerate(images))
    )
    found = by_method(known(scan()), model, passes=1)
    assert found.told["wavelet_share"] == 0
    assert any("wavelets ended after 7 iterations" in line for line in found.warnings)


def test_wavelets_and_the_mean_are_witnesses_of_the_maps(timid):
    found = by_method(known(scan()), timid, passes=1)
    sparse = METHODS["l1-wavelet"](known(scan()), Settings())
    assert len(found.witnesses) == 2
    assert torch.equal(found.witnesses[0], sparse.images)
    assert torch.equal(found.witnesses[0], sparse.witnesses[0])
    assert torch.equal(found.witnesses[1], found.images)


def test_the_record_tells_the_share_of_wavelets(toy):
    told = reconstruct(scan(), model=toy, passes=1, device="cpu").provenance
    assert 0 <= told["wavelet_share"] <= 1


def test_coils_that_no_maps_link_have_no_rival_and_a_single_one_has(toy):
    measurement = known(scan()).without_maps("for the sake of it")
    assert by_method(measurement, toy, passes=1).told == {}
    assert "wavelet_share" in reconstruct(scan(1.5, number=1), model=toy, passes=1, device="cpu").provenance


def test_the_card_tells_how_bold_passes_are_and_the_record_too(toy):
    bold = Model(toy.network, {**toy.card, "stride": 2.0})
    assert asking(toy).stride == 1
    assert asking(bold).told()["stride"] == 2


@pytest.mark.parametrize("stride", [2.5, 0.5, "2", float("nan"), None])
def test_a_card_by_which_passes_could_run_away_is_refused(toy, stride):
    with pytest.raises(ModelError, match=r"stride in the card makes no sense.*1 to 2"):
        asking(Model(toy.network, {**toy.card, "stride": stride}))


def test_reconstruction_is_by_diffusion_unless_asked_otherwise(toy):
    assert reconstruct(scan(), model=toy, passes=1, device="cpu").provenance["method"] == "diffusion"


def test_samples_of_a_network_that_knows_are_the_truth(knowing):
    found = refine(known(scan()), asking(knowing, passes=1, samples=2, steps=4))
    assert found.samples.shape == (2, 1, *SHAPE)
    assert all(error(sample) < 0.02 for sample in found.samples)
    assert found.evaluations == 5


def test_every_pass_asks_at_time_one_and_every_sample_at_its_times(knowing):
    refine(known(scan()), asking(knowing, passes=2, samples=2, steps=3))
    calls = knowing.network.calls[:: SHAPE[2]]
    assert calls[:2] == [1, 1]
    assert calls[2:5] == calls[5:]
    assert calls[2] == 1
    assert calls[2] > calls[3] > calls[4] > 0


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_whatever_the_network_says_the_data_are_met(toy, noise):
    result = reconstruct(scan(noise=noise), "diffusion", model=toy, device="cpu")
    plain = reconstruct(scan(noise=noise), "cg-sense", device="cpu")
    assert result.residual_after < 1.5 * plain.residual_after + 0.02


class Wrong(nn.Module):
    """Answers the same large nonsense, whatever it is told."""

    multiple = 4

    def forward(self, x, maps, numbers, t):
        return 5 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def test_mean_and_samples_agree_with_the_data_however_wrong_the_network_is():
    measurement = known(scan())
    model = Model(cast(ConditionalUNet, Wrong()), PLANE_CARD | {"sha256": ""})
    found = refine(measurement, asking(model, passes=1, samples=2, steps=3))
    for image in (found.mean, *found.samples):
        assert measurement.residual(image) < 1.3 * measurement.allowed


def test_the_result_tells_how_it_was_made(toy):
    result = reconstruct(scan(), "diffusion", model=toy, samples=3, steps=2, passes=2, device="cpu")
    told = result.provenance
    assert told["model"]["name"] == "plane toy"
    assert [told[name] for name in ("passes", "samples", "steps", "iterations")] == [2, 3, 2, 2 + TRIAL_PASSES + 2]
    assert result.uncertainty is not None
    assert result.uncertainty.geometry.shape == result.volume.geometry.shape == SHAPE
    assert (result.uncertainty.array > 0).any()


def test_one_sample_tells_no_uncertainty(toy):
    assert reconstruct(scan(), "diffusion", model=toy, device="cpu").uncertainty is None


def test_the_same_seed_gives_the_same_and_another_another(toy):
    one, same, other = (
        reconstruct(scan(), "diffusion", model=toy, detail=1, steps=2, seed=seed, device="cpu").volume.array
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_detail_goes_from_the_mean_to_the_first_sample(toy):
    full, half, none = (
        reconstruct(scan(), "diffusion", model=toy, detail=d, steps=2, device="cpu", complex_image=True).volume.array
        for d in (1.0, 0.5, 0.0)
    )
    np.testing.assert_allclose(half, (full + none) / 2, atol=1e-5)
    assert not np.allclose(full, none, atol=1e-3)


def inferred(acceleration, toy):
    result = reconstruct(scan(acceleration), "diffusion", model=toy, device="cpu")
    assert result.inferred is not None
    return result.inferred.array


def test_what_is_inferred_is_told_voxel_by_voxel(toy):
    little, much = (inferred(acceleration, toy) for acceleration in (2.0, 4.0))
    inside = head(SHAPE).numpy() > 0
    assert little.shape == SHAPE
    assert little.min() >= 0
    assert much.max() <= 1
    assert little[inside].mean() < much[inside].mean()


def test_classical_methods_infer_nothing():
    assert reconstruct(scan(), "cg-sense", device="cpu").inferred is None


class Listening(nn.Module):
    """Answers nothing, and keeps the numbers that it is told."""

    multiple = 4

    def __init__(self):
        super().__init__()
        self.told: list[list[float]] = []

    def forward(self, x, maps, numbers, t):
        self.told += numbers.tolist()
        return torch.zeros_like(x)


def test_coils_taken_one_by_one_are_told_as_one():
    told = {}
    for calibration in (10, 2):
        _, _, y = measured(SHAPE, number=6, noise=0.01)
        mask = lines(SHAPE[1], acceleration=3, calibration=calibration)
        data = KSpace((y * mask).numpy(), grid(SHAPE), (0, 1), np.broadcast_to(mask.numpy(), SHAPE))
        network = Listening()
        model = Model(cast(ConditionalUNet, network), PLANE_CARD | {"sha256": ""})
        result = reconstruct(data, "diffusion", model=model, passes=2, device="cpu")
        told[calibration] = {round(2 ** row[2]) for row in network.told}
        assert {row[3] for row in network.told} == {0, 1}
        assert (calibration == 2) == any("no sensitivity maps" in line for line in result.provenance["warnings"])
    assert told == {10: {6}, 2: {1}}


def test_progress_reaches_all_and_never_goes_back(toy):
    shares: list[float] = []
    reconstruct(scan(), "diffusion", model=toy, samples=2, steps=2, device="cpu", progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


def test_a_single_slice_is_the_same_alone_and_as_a_stack_of_one(toy):
    one = scan(shape=(48, 40, 1))
    result = reconstruct(one, "diffusion", model=toy, device="cpu")
    assert result.volume.array.shape == (48, 40, 1)
    assert np.isfinite(result.volume.array).all()


def test_a_single_coil_is_reconstructed(toy):
    result = reconstruct(scan(1.5, number=1), "diffusion", model=toy, device="cpu")
    assert result.residual_after < 0.1


def test_a_volume_is_cut_across_its_readout(toy):
    shape = (6, 24, 20)
    _, _, y = measured(shape, number=4, noise=0.01, axes=(0, 1, 2))
    points = torch.rand((1, 24, 20), generator=torch.Generator().manual_seed(0)) < 0.5
    points[:, 8:16, 6:14] = True
    data = KSpace((y * points).numpy(), grid(shape), (0, 1, 2), np.broadcast_to(points.numpy(), shape))
    result = reconstruct(data, "diffusion", model=toy, device="cpu")
    assert result.volume.array.shape == shape
    assert result.residual_after < 0.5


@pytest.mark.parametrize(
    "told", [{"samples": 0}, {"detail": 1.5}, {"passes": 0}, {"steps": 0}, {"precision": "fp7"}], ids=str
)
def test_what_makes_no_sense_is_refused(toy, told):
    with pytest.raises(UsageError):
        asking(toy, **told)


def test_a_model_of_another_task_is_refused(tmp_path):
    with pytest.raises(ModelError, match="another task"):
        asking(make_model(tmp_path))


def test_brightness_is_that_of_the_head_and_never_zero():
    assert brightness(torch.zeros(4, 4)) > 0
    assert brightness(3 * head(SHAPE)) == pytest.approx(3 * float(head(SHAPE).max()), rel=0.05)


@pytest.mark.parametrize("readout", [0, 1, 2])
def test_the_spread_is_averaged_within_planes_and_not_across_them(readout):
    shape = tuple(5 if axis == readout else 24 for axis in range(3))
    _, _, y = measured(shape, number=4, axes=(0, 1, 2), noise=0.01)
    a, b = (axis for axis in range(3) if axis != readout)
    mask = np.zeros(shape, bool)
    mask[tuple(slice(None) if axis in (a, readout) else slice(None, None, 2) for axis in range(3))] = True
    mask[tuple(slice(None) if axis == readout else slice(6, 18) for axis in range(3))] = True
    volume = KSpace(y.numpy() * mask, grid(shape), (0, 1, 2), mask, meta={"noise_sd": 0.01})
    assert plane_order(measure_plainly(volume)) == (a, b, readout)
    one = np.zeros((2, 1, *shape), np.float32)
    one[1, 0, *(n // 2 for n in shape)] = 1
    samples = Estimate(torch.zeros(1, *shape), samples=torch.from_numpy(one))
    found = _uncertainty(volume, measure_plainly(volume), samples)
    assert found is not None
    assert np.count_nonzero(found.array) == 9
    assert np.ptp(np.argwhere(found.array)[:, readout]) == 0


def test_samples_are_pulled_to_data_with_fresh_noise(toy, monkeypatch):
    drawn = refine(known(scan(noise=0.05)), asking(toy, passes=1, samples=1, detail=1.0, steps=2)).samples
    monkeypatch.setattr(Agreement, "noisier", lambda agree, generator: agree.y)
    plain = refine(known(scan(noise=0.05)), asking(toy, passes=1, samples=1, detail=1.0, steps=2)).samples
    assert error(drawn[0]) != error(plain[0])
    assert float(torch.linalg.vector_norm(drawn - plain)) > 0.003 * float(torch.linalg.vector_norm(plain))
