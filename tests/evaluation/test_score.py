import csv
import json
import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio

from medidiff import metrics
from medidiff.evaluation import evaluate, score_pair
from medidiff.evaluation.preset import ALONG, PRESETS
from medidiff.tasks.resampling import resample
from medidiff.volume import Geometry, Volume
from tests.evaluation.making import GRID, folders, head, save

__all__ = ["folders"]

SCORES = [name for name in PRESETS["volume"].metrics if name not in ALONG and name != "ssim_slices"]


def test_scores_are_those_of_the_metrics_and_of_scikit_image(folders):
    p, r, out = folders
    truth = {name: head(seed) for name, seed in (("x", 0), ("y", 1))}
    guess = {name: ndimage.gaussian_filter(array, 0.7) for name, array in truth.items()}
    for name in truth:
        save(r, name, truth[name])
        save(p, f"{name}_enhanced", guess[name])
    summary = evaluate(p, r, out).summary
    region = metrics.head_region(truth["x"])
    span = metrics.data_range_of(truth["x"], region)
    told = summary["metric_per_case"][0]
    assert (told["case"], told["region_voxels"]) == ("x", region.sum())
    oracle = peak_signal_noise_ratio(truth["x"][region], guess["x"][region], data_range=span)
    assert told["metrics"]["psnr"] == pytest.approx(oracle, abs=1e-4)
    for name in SCORES:
        value = metrics.METRICS[name](guess["x"], truth["x"], data_range=span, region=region)
        assert told["metrics"][name] == pytest.approx(value, rel=1e-6)
        both = [case["metrics"][name] for case in summary["metric_per_case"]]
        assert summary["mean"][name] == pytest.approx(np.mean(both))


def test_volumes_in_memory_get_the_same_scores(folders):
    p, r, _ = folders
    save(r, "x", head())
    save(p, "x", head() + 1)
    told = score_pair(Volume(head() + 1, GRID), Volume(head(), GRID))
    assert told.metrics == pytest.approx(next(iter(evaluate(p, r))).score.metrics)


def test_both_files_tell_the_same_and_say_what_head_and_range_mean(folders):
    p, r, out = folders
    save(p, "x_enhanced", head() + 1)
    save(r, "x", head())
    save(r, "z", head())
    summary = evaluate(p, r, out).summary
    kept = json.loads((out / "summary.json").read_text())
    assert kept["mean"] == pytest.approx(summary["mean"])
    definitions = {"head": metrics.HEAD_REGION_DEFINITION, "data_range": metrics.DATA_RANGE_DEFINITION}
    assert kept["definitions"].items() >= definitions.items()
    assert kept["settings"]["metrics"]["psnr"].startswith("peak signal-to-noise ratio")
    with (out / "cases.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["status"] for row in rows] == ["scored", "unpaired"]
    assert float(rows[0]["psnr"]) == pytest.approx(kept["mean"]["psnr"], rel=1e-5)
    assert rows[1]["note"] == "no prediction of this name"
    assert sorted(path.name for path in out.iterdir()) == ["cases.csv", "summary.json", "summary.md"]


def test_a_bad_case_is_recorded_and_the_rest_is_scored(folders):
    p, r, out = folders
    for name in ("broken", "shifted", "x"):
        save(r, name, head())
    save(p, "x", head() + 1)
    save(p, "shifted", head(), Geometry(GRID.shape, GRID.affine + np.eye(4, k=3) * 2))
    (p / "broken.nii.gz").write_bytes(b"no image")
    summary = evaluate(p, r, out).summary
    errors = {case["case"]: case["error"] for case in summary["metric_per_case"]}
    assert summary["cases"] == {"scored": 1, "failed": 2, "unpaired": 0}
    assert "2 mm away" in errors["shifted"]
    assert "--resample" in errors["shifted"]
    assert errors["broken"]
    assert errors["x"] == ""
    assert math.isfinite(summary["mean"]["psnr"])


def test_when_every_case_fails_the_files_are_there_and_the_reason_is_told(folders):
    p, r, out = folders
    save(r, "x", head())
    save(p, "x", head()[:-1], Geometry((19, 22, 24), GRID.affine))
    summary = evaluate(p, r, out).summary
    assert summary["cases"] == {"scored": 0, "failed": 1, "unpaired": 0}
    assert "not on the reference's grid" in summary["metric_per_case"][0]["error"]
    assert json.loads((out / "summary.json").read_text())["mean"] == {}


def test_other_grids_are_resampled_on_request_and_it_is_said(folders):
    p, r, out = folders
    fine = GRID.refined(0.9)
    save(r, "x", head())
    save(p, "x", resample(Volume(head(), GRID), fine).array, fine)
    (refused,) = evaluate(p, r)
    assert "not on the reference's grid" in refused.score.error
    told = evaluate(p, r, out, resample=True).summary["metric_per_case"][0]
    assert told["metrics"]["psnr"] > 20
    assert told["note"] == "prediction resampled (cubic) onto the reference's grid"
    assert "resampled" in (out / "cases.csv").read_text()


def test_equal_images_are_infinitely_good_and_the_json_stays_json(folders):
    p, r, out = folders
    save(r, "x", head())
    save(p, "x", head())
    summary = evaluate(p, r, out).summary
    assert summary["mean"]["psnr"] == math.inf
    assert summary["mean"]["ssim"] == pytest.approx(1)
    assert summary["mean"]["gradient_energy_ratio"] == 1
    assert json.loads((out / "summary.json").read_text())["mean"]["psnr"] is None
