"""``medidiff evaluate`` as a person meets it."""

import csv
import json

import numpy as np
import pytest

from medidiff.io import read_nifti, write_json
from medidiff.tasks import simulate_thick_slices
from tests.bad_files import good
from tests.evaluation.making import blurred, head, save, study


@pytest.fixture
def call(cli, tmp_path):
    """``medidiff evaluate`` on the folders of `study`, with pages left out."""

    def evaluate(*more, references="r", output="out"):
        return cli("evaluate", "-r", tmp_path / references, "-o", tmp_path / output, "--no-report", *more)

    return evaluate


def test_means_of_every_method_are_printed_and_files_written(call, tmp_path):
    roots = study(tmp_path)
    told = call("-p", f"ours={roots['good']}", "-p", f"other={roots['bad']}")
    assert told.exit_code == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0].split() == ["metric", "ours", "other"]
    assert [line.split()[0] for line in lines[1:4]] == ["psnr", "ssim", "ssim_slices"]
    assert "4 subjects, 8 scored, 0 failed, 0 unpaired" in told.stderr
    assert {"cases.csv", "summary.json", "summary.md"} == {path.name for path in (tmp_path / "out").iterdir()}


def test_a_method_without_a_name_is_called_like_its_folder_and_names_must_differ(call, tmp_path):
    roots = study(tmp_path, subjects=2)
    told = call("-p", roots["good"], "-p", roots["bad"])
    assert told.stdout.splitlines()[0].split() == ["metric", "good", "bad"]
    told = call("-p", roots["good"], "-p", f"good={roots['bad']}")
    assert told.exit_code == 2
    assert "two methods have the same name" in told.stderr
    told = call("-p", f"x={tmp_path / 'nowhere'}")
    assert told.exit_code == 2
    assert "no such file or folder" in told.stderr


def test_where_every_pair_fails_the_first_reason_is_told(call, tmp_path):
    good(tmp_path / "p" / "a.nii.gz", (8, 9, 10))
    good(tmp_path / "r" / "a.nii.gz", (8, 9, 11))
    told = call("-p", tmp_path / "p")
    assert told.exit_code == 4
    assert told.stdout == ""
    assert "none of 1 pairs could be scored" in told.stderr
    assert (tmp_path / "out" / "cases.csv").exists()


def test_some_failures_are_code_5(call, tmp_path):
    roots = study(tmp_path, subjects=2)
    next(roots["good"].iterdir()).write_bytes(b"no image")
    told = call("-p", roots["good"])
    assert told.exit_code == 5
    assert "1 scored, 1 failed" in told.stderr


def test_baselines_are_made_of_inputs_and_the_data_residual_is_told(call, tmp_path):
    truth = good(tmp_path / "r" / "a.nii.gz", (16, 18, 24), (1, 1, 1))
    thick = simulate_thick_slices(read_nifti(truth), spacing=3, axis="z")
    save(tmp_path / "thick", "a", thick.array, thick.geometry)
    write_json(tmp_path / "thick" / "a.json", thick.meta["sidecar"])
    save(tmp_path / "p", "a", blurred(read_nifti(truth).array), read_nifti(truth).geometry)
    options = ("--input", tmp_path / "thick", "--baseline", "trilinear,cubic", "--baseline", "cubic+dc,tv:0.001")
    told = call("-p", tmp_path / "p", *options, "--region", "all")
    assert told.exit_code == 0, told.stderr
    names = told.stdout.splitlines()[0].split()
    assert names == ["metric", "p", "trilinear", "cubic", "cubic+dc", "tv:0.001"]
    residual = next(line for line in told.stdout.splitlines() if line.startswith("data_residual")).split()
    figures = dict(zip(names, residual, strict=True))
    assert float(figures["cubic+dc"]) < 1e-3 < float(figures["cubic"])
    alone = call(*options, output="alone")
    assert alone.exit_code == 0, alone.stderr
    assert "cubic+dc" in alone.stdout


def test_images_of_kspace_are_baselines_too(cli, call, tmp_path):
    image = np.pad(head()[:, :, 8:14], ((6, 6), (5, 5), (0, 0)))
    good(tmp_path / "r" / "a.nii.gz", image.shape, (1, 1, 1))
    save(tmp_path / "r", "a", image, read_nifti(tmp_path / "r" / "a.nii.gz").geometry)
    made = cli(
        "simulate",
        "kspace",
        "-i",
        tmp_path / "r",
        "-o",
        tmp_path / "raw",
        "--coils",
        4,
        "--calibration",
        8,
        "--acceleration",
        2,
    )
    assert made.exit_code == 0, made.stderr
    told = call("--input", tmp_path / "raw", "--baseline", "zero-filled,cg-sense", "--preset", "fastmri")
    assert told.exit_code == 0, told.stderr
    psnr = told.stdout.splitlines()[1].split()
    assert psnr[2] != psnr[1]
    wrong = call("--input", tmp_path / "raw", "--baseline", "cubic", output="wrong")
    assert "cubic is not made of k-space" in wrong.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--baseline", "cubic"), "needed --input"),
        (("--baseline", "magic", "--input", "."), "unknown baseline"),
        (("--baseline", "cubic:1", "--input", "."), "cannot have this weight"),
        (("--data-range", "-1"), "data range must be positive"),
        (("--pair", "nowhere.csv"), "table cannot be read"),
        (("--region", "nowhere.nii.gz"), "no such file or folder"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(options, reason, call, tmp_path):
    roots = study(tmp_path, subjects=1)
    told = call("-p", roots["good"], *options)
    assert told.exit_code == 2, told.stderr
    assert reason in told.stderr
    assert len(told.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_groups_and_pairs_come_from_tables(call, tmp_path):
    roots = study(tmp_path)
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tsite\n" + "".join(f"sub-{n:02}\tsite{n % 2}\n" for n in range(4)))
    assert call("-p", roots["good"], "--group", "site", "--about", table).exit_code == 0
    told = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert set(told["groups"]) == {"site0", "site1"}
    with (tmp_path / "out" / "cases.csv").open() as stream:
        assert {row["group"] for row in csv.DictReader(stream)} == {"site0", "site1"}


def test_other_grids_are_resampled_when_asked_for(call, tmp_path):
    good(tmp_path / "r" / "a.nii.gz", (16, 18, 20), (1, 1, 1))
    grid = read_nifti(tmp_path / "r" / "a.nii.gz").geometry
    save(tmp_path / "p", "a", np.ones((8, 9, 10)) + np.arange(10), grid.reshaped((8, 9, 10)))
    refused = call("-p", tmp_path / "p", "--region", "all")
    assert "--resample reference" in refused.stderr
    assert call("-p", tmp_path / "p", "--region", "all", "--resample", "reference").exit_code == 0
    assert "resampled (cubic)" in (tmp_path / "out" / "cases.csv").read_text()


def test_a_mean_of_fewer_cases_says_so_on_stdout_too(call, tmp_path):
    roots = study(tmp_path, subjects=2)
    save(roots["good"], "sub-00_acq-a_T1w_uncertainty", np.full(head().shape, 9.0))
    told = call("-p", roots["good"])
    (line,) = [line for line in told.stdout.splitlines() if line.startswith("coverage_90")]
    assert line.endswith(" (n=1)")
    assert "n=" not in told.stdout.splitlines()[1]


def test_the_slice_axis_can_be_named_and_an_unknown_way_to_pair_is_not_a_path(call, tmp_path):
    roots = study(tmp_path, subjects=1)
    assert call("-p", roots["good"], "--slice-axis", "x").exit_code == 0
    told = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert told["settings"]["slices"] == "Across x of the reference's array."
    assert told["metric_per_case"][0]["slice_axis"] == "x"
    refused = call("-p", roots["good"], "--pair", "bogus")
    assert refused.exit_code == 2
    assert "auto, path, stem, bids or a table" in refused.stderr


def test_without_pages_those_of_an_earlier_run_are_removed(cli, call, tmp_path):
    roots = study(tmp_path, subjects=1)
    told = cli("evaluate", "-p", roots["good"], "-r", tmp_path / "r", "-o", tmp_path / "out")
    assert told.exit_code == 0
    assert (tmp_path / "out" / "report.html").exists()
    assert call("-p", roots["good"]).exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cases.csv", "summary.json", "summary.md"}
