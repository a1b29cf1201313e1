"""The comparison's own parts: torch scores equal the library's, cases are what they say, tables add up."""

import csv
import json

import numpy as np
import pytest
import torch
from scipy import ndimage

from benchmarks import compare, summarise
from benchmarks.cases import Head, Spec, cropped, interleaved, load_heads, measure, specs_of
from benchmarks.coverage import Spread, coverage, decile_coverage, fit_factor, load_spreads
from benchmarks.scoring import Scorer
from benchmarks.tables import compared, summary
from medidiff import metrics
from medidiff.errors import InputError
from medidiff.io.nifti import write_nifti
from medidiff.physics import relative_residual
from medidiff.volume import Geometry, Volume
from tests.toy import make_model

CPU = torch.device("cpu")
METHODS = ["trilinear", "cubic", "cubic+DC", "TV", "ours"]


def brain(shape=(26, 24, 28), seed=0):
    grid = np.indices(shape) - (np.array(shape) - 1).reshape(3, 1, 1, 1) / 2
    texture = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.2)
    return np.where((grid**2).sum(0) < 10.5**2, 100 + 200 * texture, 0).astype(np.float32)


def volume(seed=0):
    array = brain(seed=seed)
    return Volume(array, Geometry(array.shape, np.eye(4)))


def head(name="niimath_T1w", sharp=(0, 1, 2), seed=0):
    truth = volume(seed)
    return Head(name, truth, truth.array > 0, sharp)


@pytest.fixture
def folder(tmp_path):
    return filled(tmp_path)


def filled(folder):
    """Heads of several kinds, and a stranger."""
    for seed, name in enumerate(["ds002748_sub-90_T1w", "ds000011_sub-90_T1w"]):
        write_nifti(volume(seed), folder / f"{name}.nii.gz", description="test")
    np.savez(folder / "niivue_M2208_T2w.npz", array=brain(seed=5).astype(np.uint8), affine=np.eye(4), name="M2208")
    write_nifti(volume(9), folder / "training_seg_01.nii", description="test")
    return folder


@pytest.mark.parametrize("axes", [(0,), (2,), (0, 1, 2)])
def test_scores_in_torch_are_those_of_the_library(axes):
    r = brain().astype(np.float64) / 150
    p = ndimage.gaussian_filter(r, 0.7) + 0.01
    region = metrics.head_region(r)
    found = Scorer(torch.from_numpy(r), torch.from_numpy(region))(torch.from_numpy(p), axes)
    names = ("psnr", "ssim", "nmse", "hfen", "gradient_energy_ratio")
    expected = {name: metrics.METRICS[name](p, r, data_range=1.0, region=region) for name in names}
    along = [metrics.power_spectrum_error(p, r, axis=a, data_range=1.0, region=region) for a in axes]
    expected["power_spectrum_error"] = float(np.mean(along))
    assert found == pytest.approx(expected, rel=1e-6)


def test_heads_come_from_nifti_and_npz_scaled_and_with_their_sharp_axes(folder, capsys):
    heads = load_heads(folder)
    sharp = {"ds002748_sub-90_T1w": (0, 1), "ds000011_sub-90_T1w": (1, 2), "niivue_M2208_T2w": (0, 1, 2)}
    assert {h.name: h.sharp for h in heads} == sharp
    assert [h.contrast for h in heads] == ["T1w", "T1w", "T2w"]
    for some in heads:
        assert metrics.data_range_of(some.volume.array, some.region) == pytest.approx(1)
    assert "training_seg_01.nii" in capsys.readouterr().out


def test_a_limit_is_shared_out_and_scored_heads_are_not_fitted_on(folder):
    write_nifti(volume(3), folder / "ds002748_sub-89_T1w.nii", description="test")
    assert [h.name for h in load_heads(folder, limit=2)] == ["ds002748_sub-89_T1w", "ds000011_sub-90_T1w"]
    left = load_heads(folder, without=["T2w", "ds002748_sub-89_T1w"])
    assert [h.name for h in left] == ["ds002748_sub-90_T1w", "ds000011_sub-90_T1w"]


def test_a_folder_of_strangers_is_refused(tmp_path):
    with pytest.raises(InputError, match="no heads"):
        load_heads(tmp_path)


def test_a_crop_stays_where_it_is_in_space():
    whole = head()
    part = cropped(whole, 12)
    assert part.volume.array.shape == (12, 12, 12)
    corner = part.volume.geometry.affine[:3, 3].astype(int)
    assert part.volume.array[0, 0, 0] == whole.volume.array[tuple(corner)]
    assert part.region.mean() > 0.9


def test_the_first_measurements_are_of_every_kind():
    heads = [head("ds002748_a", (0, 1)), head("niimath_b"), head("M2208_T2w")]
    specs = specs_of(heads, spacings=[3.0, 5.0], profiles=["gaussian", "rect"], isotropic=[2.0])
    assert len(specs) == 4 * (2 + 3 + 3) + 2 * 2
    kinds = {(s.head.contrast, s.kind) for s in specs}
    assert {(s.head.contrast, s.kind) for s in specs[: len(kinds)]} == kinds
    assert sorted(map(id, interleaved(specs))) == sorted(map(id, specs))
    assert not [s for s in specs if s.axis is None and "ds002748" in s.head.name]


def test_every_person_comes_before_anyones_second_axis():
    heads = [head("ds002748_a", (0, 1)), head("niimath_b")]
    specs = specs_of(heads, spacings=[3.0], profiles=["rect"])
    assert [(s.head.name[-1], s.axis) for s in specs] == [("a", 0), ("b", 1), ("a", 1), ("b", 2), ("b", 0)]


def test_heads_take_turns_in_the_axis_that_is_made_thick():
    heads = [head(f"niimath_{n}") for n in range(3)]
    specs = specs_of(heads, spacings=[3.0], profiles=["rect"], axes_per_head=1)
    assert [s.axis for s in specs] == [0, 1, 2]


@pytest.mark.parametrize(("axis", "shape"), [(1, (26, 8, 28)), (None, (9, 8, 9))])
def test_a_measurement_is_noise_free_and_agrees_with_the_truth(axis, shape):
    case = measure(Spec(head(), axis, 3.0, "rect"), CPU)
    assert case.volume.array.shape == shape
    assert relative_residual(case.truth, case.y, case.operator) < 1e-6


def test_a_fitted_factor_covers_what_it_promises_in_every_decile():
    rng = np.random.default_rng(0)
    sd = rng.uniform(0.5, 2, 100_000).astype(np.float32)
    spread = Spread(np.abs(rng.normal(size=sd.size) * 3 * sd).astype(np.float32), sd)
    factor = fit_factor([spread, spread])
    assert factor == pytest.approx(3, rel=0.02)
    assert coverage(spread, factor) == pytest.approx(0.9, abs=1e-3)
    assert decile_coverage([spread], factor) == pytest.approx([0.9] * 10, abs=0.015)


def row(method, psnr, ssim, **changes):
    identity = {"head": "a", "contrast": "T1w", "axis": "x", "slices": "3 mm", "profile": "rect"} | changes
    rest = dict.fromkeys(("nmse", "hfen", "gradient_energy_ratio", "power_spectrum_error", "seconds"), 1.0)
    return identity | rest | {"method": method, "psnr": psnr, "ssim": ssim, "residual": 1e-4}


def rows(ours=28.0, head="a"):
    values = zip(METHODS, (24.0, 25.0, 26.0, 26.5, ours), (0.8, 0.85, 0.87, 0.88, 0.93), strict=True)
    return [row(method, psnr, ssim, head=head) for method, psnr, ssim in values]


def test_differences_are_taken_case_by_case_against_the_better_peer():
    (case,) = compared(rows())
    assert case["over cubic"] == 3.0
    assert case["over best classical"] == 1.5
    assert np.isnan(case["over regression"])
    assert compared(rows()[:-1]) == []


def test_the_summary_says_what_was_met_and_what_was_missed():
    told = summary(rows() + rows(ours=25.5, head="b"), ["a note"])
    assert "- a note" in told
    assert "| +2.2 dB over cubic or more | 1.75 | MISSED |" in told
    assert "| never below cubic+DC (worst, dB) | -0.5 | MISSED |" in told
    assert "| 1 - SSIM at most 0.58 of cubic's | 0.467 | met |" in told
    assert "| within 0.1 dB of regression or better | nan | not run |" in told
    assert told.index("| b | T1w") < told.index("| a | T1w")  # the worst case comes first


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What two shares of a short comparison left behind."""
    folder = filled(tmp_path_factory.mktemp("comparison"))
    for name, file in (("training", "ds000011_sub-01"), ("calibration", "ds000011_sub-02")):
        (folder / name).mkdir()
        write_nifti(volume(7), folder / name / f"{file}_T1w.nii", description="test")
    model, regression = (make_model(folder / name, kind=name) for name in ("diffusion", "regression"))
    data = f"--data {folder} --fit-data {folder}/training --calibration {folder}/calibration"
    models = f"--output {folder}/out --model {model} --regression {regression} --device cpu"
    short = (
        "--spacing 4 --profile rect --isotropic --axes-per-head 1 --limit 2 --deep 2 --stepped 1 --steps 1 --samples 2"
    )
    for part in ("1/2", "2/2"):
        compare.main([*f"{data} {models} {short} --part {part}".split()])
    return folder / "out"


def test_shares_of_a_comparison_are_on_disk_and_make_up_the_whole(measured):
    kept = {
        path.name: list(csv.DictReader(path.read_text().splitlines()))
        for path in sorted(measured.glob("results-*.csv"))
    }
    first, second = kept["results-1.csv"], kept["results-2.csv"]
    alike = [*METHODS[:-1], "regression", "ours", "one sample", "mean of 2"]
    assert [r["method"] for r in first] == [*alike, "sample, 1 steps"]
    assert [r["method"] for r in second] == alike
    assert {r["head"] for r in first} != {r["head"] for r in second}
    sampled = ("ours", "one sample", "mean of 2")
    assert all(float(r["residual"]) < 1e-3 for r in first + second if r["method"] in sampled)
    facts = json.loads((measured / "facts-1.json").read_text())
    assert facts["seeds"][0]["difference in the data"] < 1e-3 < facts["seeds"][0]["rms difference"]


def test_spreads_are_kept_by_role_and_read_back(measured):
    scored, calibration = (load_spreads(measured, role) for role in ("scored", "calibration"))
    assert len(scored) == 2
    assert [facts["head"] for facts, _ in calibration] == ["ds000011_sub-02_T1w"]
    assert all(spread.error.shape == spread.sd.shape and (spread.sd > 0).all() for _, spread in scored)


def test_the_summary_joins_the_shares(measured):
    told = summarise.main(measured)
    assert (measured / "summary.md").read_text() == told
    assert told.count("weight of TV, 4 mm rect") == 1
    assert "c is fitted on: ds000011_sub-02_T1w" in told
    assert "| T1w 4 mm rect | 2 | " in told
    for title in ("Targets", "Two seeds", "Coverage of mean"):
        assert title in told


def test_out_of_time_is_said(capsys):
    assert list(compare.Clock(-1.0).within([Spec(head(), 0, 3.0, "rect")] * 3, "the test")) == []
    assert "3 of 3 left out in the test" in capsys.readouterr().out
