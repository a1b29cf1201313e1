"""Several methods on the same people."""

import gc
import json
import weakref
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from medidiff.errors import GeometryError, InputError, OutputError, ResourceError, UsageError
from medidiff.evaluation import evaluate
from medidiff.evaluation import table as tables
from medidiff.evaluation.measured import Measured
from medidiff.io.nifti import write_nifti
from medidiff.tasks import simulate_thick_slices
from medidiff.volume import Volume
from tests.evaluation.making import GRID, blurred, folders, head, save, study

__all__ = ["folders"]


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    roots = study(root, subjects=6, methods=("good", "bad", "worse"))
    return evaluate(roots, root / "r", root / "out", group="acq"), root / "out"


def test_differences_are_paired_and_tests_are_scipys(compared):
    table, _ = compared
    good, bad = (np.array(list(table.values("psnr", method).values())) for method in ("good", "bad"))
    told = {(c["metric"], c["against"]): c for c in table.summary["comparisons"]}["psnr", "bad"]
    assert told["difference"] == pytest.approx(np.mean(good - bad))
    assert told["p"] == pytest.approx(stats.wilcoxon(good - bad).pvalue) == pytest.approx(2 / 2**6)
    assert told["p_holm"] == pytest.approx(2 * told["p"])
    assert told["low"] < told["difference"] < told["high"]
    assert (told["n"], told["subjects"], told["wins"]) == (6, 6, 1.0)


def test_every_method_has_its_mean_and_its_interval_and_groups_have_theirs(compared):
    table, _ = compared
    figures = table.summary["methods"]["bad"]["ssim"]
    assert figures["mean"] == pytest.approx(table.mean("ssim", "bad"))
    assert figures["low"] <= figures["mean"] <= figures["high"]
    assert set(table.summary["groups"]) == {"a", "b"}
    assert table.summary["groups"]["a"]["good"]["psnr"]["n"] == 3


def test_the_worst_cases_come_first(compared):
    table, _ = compared
    told = [case["good"] for case in table.summary["worst_cases"]]
    assert told == sorted(told)
    assert told[0] == table.summary["methods"]["good"]["psnr"]["worst"]


def test_where_the_first_method_has_no_score_the_case_comes_last_and_few_people_have_no_interval(tmp_path):
    roots = study(tmp_path, subjects=3)
    (tmp_path / "good" / "sub-00_acq-a_T1w_enhanced.nii.gz").write_bytes(b"no image")
    table = evaluate(roots, tmp_path / "r")
    last = table.summary["worst_cases"][-1]
    assert (last["case"], last["good"]) == ("sub-00_acq-a_T1w", None)
    assert last["bad"] > 0
    (line,) = [line for line in table.markdown().splitlines() if line.startswith("| PSNR (dB) | bad | 2 |")]
    assert " to " not in line


def test_the_table_is_fit_for_a_paper_and_says_how_it_was_made(compared):
    table, out = compared
    text = (out / "summary.md").read_text()
    assert text == table.markdown() == table._repr_markdown_()
    for told in ("| good | 6 |", "99.9th percentile", "Wilcoxon", "## good against each other method", "## a"):
        assert told in text
    assert json.loads((out / "summary.json").read_text())["mean"]["psnr"] == pytest.approx(table.mean("psnr"))


def test_the_same_seed_gives_the_same_intervals(compared):
    table, _ = compared
    one, again, other = (replace(table, seed=seed).summary["methods"]["bad"]["mae"] for seed in (1, 1, 2))
    assert one == again != other


def test_a_data_frame_needs_pandas_and_everything_else_does_not(compared, monkeypatch):
    table, _ = compared
    assert len(table.records()) == len(table) == len(list(table)) == 18
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ResourceError, match="pip install pandas"):
        tables.Table(table.rows, table.methods).to_pandas()


def test_fastmri_is_the_middle_square_of_slices_over_the_maximum(folders):
    from skimage.metrics import structural_similarity

    p, r, _ = folders
    truth = head()
    save(r, "x", truth)
    save(p, "x", blurred(truth))
    (told,) = evaluate(p, r, preset="fastmri")
    gt, guess = (np.moveaxis(a[:, 1:21], 2, 0).astype(float) for a in (truth, blurred(truth)))
    each = [structural_similarity(a, b, data_range=gt.max()) for a, b in zip(gt, guess, strict=True)]
    assert told.score.metrics["ssim_slices"] == pytest.approx(np.mean(each), abs=1e-6)
    assert told.score.metrics["nmse"] == pytest.approx(np.linalg.norm(gt - guess) ** 2 / np.linalg.norm(gt) ** 2)
    assert told.score.metrics["psnr"] == pytest.approx(10 * np.log10(gt.max() ** 2 / np.mean((gt - guess) ** 2)))
    assert "ssim" not in told.score.metrics


def test_the_range_never_depends_on_the_prediction(folders):
    p, r, _ = folders
    save(r, "x", head())
    save(p / "a", "x", head() + 1)
    save(p / "b", "x", 1000 * head())
    told = evaluate({"a": p / "a", "b": p / "b"}, r)
    assert len({row.score.facts["data_range"] for row in told}) == 1
    (given,) = evaluate(p / "a", r, data_range=1.0, region="all")
    assert given.score.facts == {"data_range": 1.0, "region_voxels": head().size, "slice_axis": "z"}
    assert given.score.metrics["psnr"] == pytest.approx(0, abs=1e-5)


def test_folders_may_be_named_by_strings(folders, tmp_path):
    p, r, _ = folders
    save(r, "x", head())
    save(p, "x", blurred(head(), 1))
    out = tmp_path / "out"
    for one in (evaluate(str(p), str(r), str(out), inputs=str(r)), evaluate({"a": str(p)}, r)):
        assert len(one.rows) == 1
    assert (out / "cases.csv").exists()


def test_a_mask_says_where_scores_count(folders, tmp_path):
    p, r, _ = folders
    save(r, "x", head())
    save(p, "x", np.where(np.indices(GRID.shape)[0] < 10, head(), 0))
    mask = save(tmp_path / "masks", "x", (np.indices(GRID.shape)[0] < 8).astype(np.float32))
    for region in (mask, tmp_path / "masks"):
        (told,) = evaluate(p, r, region=region)
        assert told.score.metrics["psnr"] == np.inf
        assert told.score.facts["region_voxels"] == 8 * 22 * 24


def test_an_uncertainty_beside_the_prediction_is_held_against_the_error(folders):
    p, r, out = folders
    truth, rng = head(), np.random.default_rng(0)
    sd = rng.uniform(1, 9, size=GRID.shape).astype(np.float32)
    save(r, "x", truth)
    save(p, "x_enhanced", truth + sd * rng.normal(size=GRID.shape).astype(np.float32))
    save(p, "x_uncertainty", sd)
    table = evaluate(p, r, out)
    assert table.mean("coverage_90") == pytest.approx(0.9, abs=0.02)
    assert table.summary["calibration"]["prediction"]["cases"] == 1
    assert len(json.loads((out / "summary.json").read_text())["calibration"]["prediction"]["sd"]) == 10


BAD = {
    "constant reference": (np.full(GRID.shape, 3.0), head(), "reference is constant"),
    "empty reference": (np.zeros(GRID.shape), head(), "reference is constant"),
    "nan in the reference": (np.where(np.indices(GRID.shape)[0] == 5, np.nan, head()), head(), "528 NaN"),
    "nan in the prediction": (head(), np.where(np.indices(GRID.shape)[0] == 9, np.nan, head()), "528 NaN"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_images_are_a_row_with_a_clear_line_and_the_rest_is_scored(kind, folders):
    p, r, out = folders
    truth, guess, reason = BAD[kind]
    save(r, "bad", truth.astype(np.float32))
    save(p, "bad", guess.astype(np.float32))
    save(r, "fine", head())
    save(p, "fine", blurred(head()))
    told = {row.case: row.score for row in evaluate(p, r, out)}
    assert reason in told["bad"].error
    assert "\n" not in told["bad"].error
    assert told["fine"].metrics["psnr"] > 10
    assert f"bad,prediction,failed" in (out / "cases.csv").read_text()  # noqa: F541 - as it stands in the file


def test_a_mask_of_the_wrong_shape_is_a_row_too(folders, tmp_path):
    p, r, _ = folders
    save(r, "x", head())
    save(p, "x", head())
    mask = tmp_path / "mask.nii.gz"
    write_nifti(Volume(np.ones((3, 3, 3)), GRID.reshaped((3, 3, 3))), mask, description="test")
    (told,) = evaluate(p, r, region=mask)
    assert "region is not on the reference's grid (found (3, 3, 3), needed (20, 22, 24))" in told.score.error


def test_too_few_slices_for_a_window_leave_that_score_empty_and_say_so(folders):
    p, r, _ = folders
    grid = GRID.reshaped((20, 22, 8))
    save(r, "x", head(grid=grid), grid)
    save(p, "x", blurred(head(grid=grid)), grid)
    (told,) = evaluate(p, r)
    assert np.isnan(told.score.metrics["ssim"])
    assert "no ssim: image is too small" in told.score.note
    assert np.isfinite(told.score.metrics["psnr"])


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"preset": "nonsense"}, "unknown preset"),
        ({"baselines": ["cubic"]}, "needed --input"),
        ({"data_range": -1.0}, "data range must be positive"),
        ({"predictions": {}}, "nothing to score"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_the_work(how, error, folders):
    p, r, out = folders
    save(r, "x", head())
    save(p, "x", head())
    with pytest.raises((UsageError, InputError, GeometryError), match=error):
        evaluate(**({"predictions": p, "references": r, "output": out} | how))
    assert not (out / "cases.csv").exists()


@pytest.mark.parametrize("reason", [KeyboardInterrupt, OutputError, RuntimeError])
def test_whatever_stops_a_run_keeps_the_rows_that_were_finished(reason, tmp_path):
    roots = study(tmp_path, subjects=3)

    def stop(done, total, name):
        if done == 2:
            raise reason("stop")

    with pytest.raises(reason):
        evaluate(roots, tmp_path / "r", tmp_path / "out", progress=stop)
    assert len((tmp_path / "out" / "cases.csv").read_text().splitlines()) == 5


def test_volumes_of_a_case_are_gone_when_the_next_one_comes(tmp_path):
    """Memory does not grow with the number of cases."""
    roots = study(tmp_path, subjects=3)
    alive: list[weakref.ref[Volume]] = []

    def look(seen):
        gc.collect()
        assert [ref for ref in alive if ref() is not None] == []
        alive.extend(weakref.ref(image) for image in (*seen.images.values(), seen.truth.volume))

    evaluate(roots, tmp_path / "r", look=look)
    assert len(alive) == 9


def test_a_case_without_a_mask_fails_and_the_others_are_scored(folders, tmp_path):
    p, r, _ = folders
    for name in ("x", "y"):
        save(r, name, head())
        save(p, name, head())
    save(tmp_path / "masks", "x", np.ones(GRID.shape))
    told = {row.case: row.score for row in evaluate(p, r, region=tmp_path / "masks")}
    assert "y: no mask of this name" in told["y"].error
    assert told["x"].metrics["psnr"] == np.inf


def test_two_scans_of_one_head_are_not_two_heads(tmp_path):
    for spacing in ("3mm", "5mm"):
        for seed in range(4):
            truth = head(seed)
            for place, sd in (("r", 0), ("one", 0.4), ("two", 0.7)):
                save(tmp_path / place / spacing, f"ds1_sub-{seed}_T1w", blurred(truth, sd) if sd else truth)
    table = evaluate({"one": tmp_path / "one", "two": tmp_path / "two"}, tmp_path / "r", group="folder")
    told = table.summary["comparisons"][0]
    assert (told["n"], told["subjects"]) == (8, 4)
    assert told["p"] == pytest.approx(2 / 2**4)
    assert table.groups == ("3mm", "5mm")


@pytest.mark.parametrize("profile", ["rect", "gaussian"])
def test_the_data_residual_knows_the_profile_and_the_thickness_that_the_sidecar_tells(profile):
    truth = Volume(head(), GRID)
    thick = simulate_thick_slices(truth, spacing=4.8, slice_thickness=2.4, axis="z", profile=profile)
    assert Measured(thick).residual(truth) == pytest.approx(0, abs=1e-6)
    assert (Measured(replace(thick, meta={})).residual(truth) or 0) > 0.01
    assert (Measured(thick).residual(Volume(blurred(head()), GRID)) or 0) > 0.01
