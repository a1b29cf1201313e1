"""What is doubtful is told beside the figures, and what is undefined has none."""

import json

import numpy as np
import pytest

from medidiff import metrics
from medidiff.errors import InputError
from medidiff.evaluation import evaluate, score_pair
from medidiff.volume import Geometry, Volume
from tests.dicoms import Plan, slices, values, write
from tests.evaluation.making import GRID, blurred, folders, head, save, study

__all__ = ["folders"]

ALL = np.ones(GRID.shape, dtype=bool)


def along(p, r, region, axis=0):
    return metrics.effective_resolution(p, r, data_range=1.0, region=region, axis=axis, spacing=1.0)


def test_an_image_without_detail_has_no_effective_resolution():
    flat, some = np.full(GRID.shape, 5.0), head().astype(float)
    thin = np.zeros(GRID.shape, dtype=bool)
    thin[4:16, 4:16, 10] = True
    for p, r, region in ((some, flat, ALL), (some, some, thin)):
        for score in (along, lambda *given: metrics.radial_spectrum_error(*given[:2], data_range=1.0, region=given[2])):
            with pytest.raises(InputError, match=r"flat|too thin"):
                score(p, r, region)
    with pytest.raises(InputError, match="flat along the axis"):
        along(np.full(GRID.shape, some.mean()), some, ALL)


def test_a_single_slice_has_scores_but_no_spectrum_across(folders):
    p, r, _ = folders
    grid = Geometry((40, 44, 1), np.eye(4))
    texture = np.random.default_rng(0).uniform(50, 100, size=grid.shape).astype(np.float32)
    save(r, "x", texture, grid)
    save(p, "x", texture + 1, grid)
    (told,) = evaluate(p, r, region="all")
    assert told.score.metrics["psnr"] > 30
    assert "no power_spectrum_error_z: " in told.score.note
    assert "axis is too short for a spectrum" in told.score.note or "too thin" in told.score.note
    with pytest.raises(InputError, match="axis is too short for a spectrum"):
        metrics.power_spectrum_error(texture[:, :, [0] * 3] + 1, np.repeat(texture, 3, 2) * 2, data_range=1.0,
                                     region=np.ones((40, 44, 3), dtype=bool), axis=2)  # fmt: skip


def test_what_is_no_number_is_refused_in_arrays_and_noted_in_memory(folders):
    p, r, _ = folders
    spoiled = head()
    spoiled[0, 0, 0] = np.nan
    save(r, "x", head())
    p.mkdir()
    np.save(p / "x.npy", spoiled)
    (told,) = evaluate(p, r)
    assert "voxels that are not numbers (found 1 NaN or Inf" in told.score.error
    scores = score_pair(Volume(spoiled, GRID), Volume(head(), GRID))
    undefined = [name for name, value in scores.metrics.items() if np.isnan(value)]
    assert undefined
    assert all(f"no {name}: " in scores.note for name in undefined)


def test_what_lies_outside_of_a_resampled_prediction_is_told_and_nothing_but_outside_fails(folders):
    p, r, _ = folders
    save(r, "half", head())
    save(p, "half", head()[:10], Geometry((10, 22, 24), GRID.affine))
    save(r, "away", head())
    save(p, "away", head(), Geometry(GRID.shape, GRID.affine + 500 * np.eye(4, k=3)))
    save(r, "tilted", head())
    c, s = np.cos(0.1), np.sin(0.1)
    save(
        p,
        "tilted",
        head(),
        Geometry(GRID.shape, GRID.affine @ [[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    )
    told = {row.case: row.score for row in evaluate(p, r, resample=True)}
    assert "50 % of the region lies outside the prediction, scored as 0" in told["half"].note
    assert "prediction shows nothing of the region" in told["away"].error
    assert "resampled" in told["tilted"].note


@pytest.mark.parametrize("kind", ["text", "negative", "shape", "zero"])
def test_an_uncertainty_that_cannot_be_used_is_noted_and_the_image_keeps_its_scores(kind, folders):
    p, r, _ = folders
    save(r, "x", head())
    save(p, "x_enhanced", blurred(head()))
    path = save(p, "x_uncertainty", {"negative": -head(), "zero": 0 * head()}.get(kind, head()))
    if kind == "text":
        path.write_bytes(b"no image")
    elif kind == "shape":
        save(p, "x_uncertainty", head()[1:], Geometry((19, 22, 24), GRID.affine))
    (told,) = evaluate(p, r)
    assert told.score.error == ""
    assert told.score.metrics["psnr"] > 10
    assert "no calibration: " in told.score.note
    assert "prediction has" not in told.score.note


def test_an_uncertainty_that_is_no_number_is_called_by_its_name():
    with pytest.raises(InputError, match="uncertainty has values that are not finite"):
        metrics.calibration_of(head(), head(), np.full(GRID.shape, np.nan), region=ALL)


def test_where_a_tenth_is_certain_there_is_no_relative_error_and_it_is_said(folders):
    p, r, _ = folders
    spread = np.full(GRID.shape, 4.0)
    spread[:10] = 0
    save(r, "x", head())
    save(p, "x_enhanced", head() + 1)
    save(p, "x_uncertainty", spread)
    (told,) = evaluate(p, r)
    assert np.isnan(told.score.metrics["sd_error"])
    assert "no sd_error: a tenth of the voxels has SD 0" in told.score.note
    assert 0 < told.score.metrics["coverage_90"] < 1


def test_a_resampled_uncertainty_does_not_ring_below_zero(folders):
    p, r, _ = folders
    grid = GRID.refined(0.8)
    spread = np.where(np.indices(grid.shape).sum(0) % 5 < 2, 9.0, 0.0)
    save(r, "x", head())
    save(p, "x_enhanced", np.ones(grid.shape), grid)
    save(p, "x_uncertainty", spread, grid)
    (told,) = evaluate(p, r, resample=True)
    assert told.score.error == ""
    assert "coverage_90" in told.score.metrics


def test_regions_of_a_few_voxels_have_no_calibration_and_the_summary_is_written(folders, tmp_path):
    p, r, out = folders
    for seed, voxels in enumerate((6, 20)):
        save(r, f"x{seed}", head(seed))
        save(p, f"x{seed}_enhanced", head(seed) + 1)
        save(p, f"x{seed}_uncertainty", np.full(GRID.shape, 2.0))
        mask = np.zeros(GRID.shape)
        mask[10, 11, :voxels] = 1
        save(tmp_path / "masks", f"x{seed}", mask)
    told = evaluate(p, r, out, region=tmp_path / "masks")
    assert "no calibration: region is too small for a calibration (found 6 voxels" in told.rows[0].score.note
    assert json.loads((out / "summary.json").read_text())["calibration"]["prediction"]["cases"] == 1


def test_units_of_intensity_do_not_weigh_a_case_in_the_calibration(folders):
    p, r, _ = folders
    for name, gain in (("x", 1), ("y", 1000)):
        save(r, name, gain * head())
        save(p, f"{name}_enhanced", gain * (head() + 1))
        save(p, f"{name}_uncertainty", np.full(GRID.shape, gain))
    told = evaluate(p, r).summary["calibration"]["prediction"]
    span = metrics.data_range_of(head(), metrics.head_region(head()))
    assert told["unit"] == "of the data range"
    assert told["sd"] == pytest.approx([1 / span] * 10, rel=1e-4)
    assert told["error"] == pytest.approx([1 / span] * 10, rel=1e-4)


@pytest.mark.parametrize("suffix", ["nii", "npy"])
def test_an_uncertainty_is_found_whichever_suffix_it_has(suffix, folders):
    p, r, _ = folders
    save(r, "x", head())
    save(p, "x_enhanced", head() + 1)
    beside = save(p, "x_uncertainty", np.full(GRID.shape, 2.0))
    if suffix == "npy":
        np.save(p / "x_uncertainty.npy", np.full(GRID.shape, 2.0))
        beside.unlink()
    else:
        save(p, "x", head())
        (p / "x.nii.gz").unlink()
        (p / "x_uncertainty.nii").write_bytes(__import__("gzip").decompress(beside.read_bytes()))
        beside.unlink()
    (told,) = evaluate(p, r)
    assert told.score.metrics["coverage_90"] == 1


def test_a_parametric_map_beside_a_dicom_series_is_said_not_to_be_read(folders):
    p, r, _ = folders
    write(slices(Plan(values())), p / "x_dicom" / "enhanced")
    write(slices(Plan(values())), r / "x")
    (told,) = evaluate(p, r, region="all")
    assert "no calibration" not in told.score.note
    (p / "x_dicom" / "uncertainty").mkdir()
    (told,) = evaluate(p, r, region="all")
    assert "parametric maps beside DICOM series are not read" in told.score.note


@pytest.mark.parametrize("error", [ValueError, RuntimeError])
def test_a_page_that_cannot_be_drawn_is_a_note(error, tmp_path):
    def draw(seen):
        raise error("no ink")

    told = evaluate(study(tmp_path, subjects=2), tmp_path / "r", tmp_path / "out", look=draw)
    assert told.counts()["scored"] == 4
    assert {row.score.note for row in told} == {f"no page: unexpected {error.__name__}: no ink"}
    assert (tmp_path / "out" / "summary.json").exists()


def test_scores_are_written_before_anything_is_made_of_them(tmp_path, monkeypatch):
    from medidiff.evaluation import summary

    def fail(table):
        raise RuntimeError("no mean")

    monkeypatch.setattr(summary, "summarise", fail)
    with pytest.raises(RuntimeError, match="no mean"):
        evaluate(study(tmp_path, subjects=2), tmp_path / "r", tmp_path / "out")
    assert len((tmp_path / "out" / "cases.csv").read_text().splitlines()) == 5
