"""``medidiff enhance``: options reach the task, results reach the disk, the shell is told the truth."""

import inspect
import json

import numpy as np

import medidiff.models
import medidiff.tasks
from medidiff import super_resolve
from medidiff.cli.enhance import command
from medidiff.io import read_header
from medidiff.models import MIRRORS
from tests.bad_files import edited_header, good, stored
from tests.batch.running import table


def test_a_folder_is_enhanced_and_the_paths_of_the_results_are_printed(cli, calls, scans, tmp_path):
    out = tmp_path / "out"
    result = cli("enhance", "-i", scans, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [str(out / "a_enhanced.nii.gz"), str(out / "sub" / "b_enhanced.nii.gz")]
    assert "2 done; see" in result.stderr
    assert read_header(out / "a_enhanced.nii.gz").shape == (6, 7, 8)
    assert read_header(out / "a_enhanced.nii.gz").description.startswith("medidiff 0.1.0 enhanced, research use only")
    assert json.loads((out / "run.json").read_text())["model"] == {"name": "toy", "version": "1", "sha256": "abc"}


def test_the_model_is_loaded_once(cli, calls, scans, tmp_path):
    cli("enhance", "-i", scans, "-o", tmp_path / "out", "--model", "mine")
    assert [call["loaded"] for call in calls if "loaded" in call] == ["mine"]


def test_every_option_reaches_the_task(cli, calls, scans, tmp_path):
    told = {
        "--spacing": ("1,1.5,2", "spacing", (1.0, 1.5, 2.0)),
        "--axis": ("y", "axis", "y"),
        "--slice-thickness": ("2.5", "slice_thickness", 2.5),
        "--profile": ("rect", "profile", "rect"),
        "--noise": ("3", "noise", 3.0),
        "--steps": ("7", "steps", 7),
        "--samples": ("2", "samples", 2),
        "--detail": ("0.5", "detail", 0.5),
        "--mirrors": ("8", "mirrors", 8),
        "--seed": ("11", "seed", 11),
        "--device": ("cpu", "device", "cpu"),
        "--precision": ("fp32", "precision", "fp32"),
    }
    options = [part for option, (given, _, _) in told.items() for part in (option, given)]
    assert cli("enhance", "-i", scans / "a.nii.gz", "-o", tmp_path / "out", *options).exit_code == 0
    assert {name: calls[-1][name] for _, name, _ in told.values()} == {name: value for _, name, value in told.values()}
    assert (tmp_path / "out" / "a_uncertainty.nii.gz").exists()


def test_like_gives_the_grid_of_an_image(cli, calls, scans, tmp_path):
    like = good(tmp_path / "like.nii.gz", (9, 9, 9), (1, 1, 1))
    assert cli("enhance", "-i", scans, "-o", tmp_path / "out", "--like", like).exit_code == 0
    assert calls[-1]["like"].allclose(read_header(like).geometry)
    assert calls[-1]["spacing"] is None


def test_like_gives_its_kind_of_coordinates_too(cli, calls, scans, tmp_path):
    edited_header(tmp_path / "like.nii.gz", sform_code=4)
    like = tmp_path / "like.nii.gz"
    cli("enhance", "-i", scans / "a.nii.gz", "-o", tmp_path / "out", "--like", like, "--samples", 2)
    assert read_header(tmp_path / "out" / "a_enhanced.nii.gz").code == 4
    assert read_header(tmp_path / "out" / "a_uncertainty.nii.gz").code == 4


def test_several_paths_after_one_option_are_all_taken(cli, calls, scans, tmp_path):
    paths = [good(tmp_path / f"{name}.nii.gz") for name in "cde"]
    result = cli("enhance", "-i", *paths, "-i", scans, "-o", tmp_path / "out")
    assert len(result.stdout.splitlines()) == 5


def test_an_unknown_orientation_stays_unknown(cli, calls, tmp_path):
    edited_header(tmp_path / "a.nii.gz", sform_code=0, qform_code=0)
    result = cli("enhance", "-i", tmp_path / "a.nii.gz", "-o", tmp_path / "out")
    assert "warning: no sform or qform" in result.stderr
    assert read_header(tmp_path / "out" / "a_enhanced.nii.gz").form == "pixdim"


def test_a_second_run_does_only_what_is_left_unless_forced(cli, calls, scans, tmp_path):
    command = ("enhance", "-i", scans, "-o", tmp_path / "out")
    first = cli(*command)
    again = cli(*command)
    assert again.stdout == first.stdout
    assert "2 done before" in again.stderr
    assert "2 done before" not in cli(*command, "--steps", "3").stderr
    assert "2 done;" in cli(*command, "--steps", "3", "--force").stderr


def test_a_dry_run_tells_the_plan_and_leaves_no_trace(cli, calls, scans, tmp_path):
    good(scans / "sharp.nii.gz", spacing=(1, 1, 1))
    result = cli("enhance", "-i", scans, "-o", tmp_path / "out", "--dry-run")
    assert result.exit_code == 0, result.stderr
    one, sharp, two = result.stdout.splitlines()
    assert one.endswith(f"-> {tmp_path / 'out' / 'a_enhanced.nii.gz'} (6x7x12)")
    assert "b_enhanced.nii.gz" in two
    assert "already at the target spacing" in sharp
    assert not (tmp_path / "out").exists()


def test_a_case_already_sharp_is_passed_by_with_a_line_and_code_0(cli, calls, tmp_path):
    good(tmp_path / "a.nii.gz", spacing=(1, 1, 1))
    result = cli("enhance", "-i", tmp_path / "a.nii.gz", "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert "[1/1] passed by:" in result.stderr
    assert table(tmp_path / "out")[0]["status"] == "passed by"


def test_quiet_tells_nothing_and_verbose_tells_all(cli, calls, scans, tmp_path):
    (scans / "other.mgz").write_bytes(b"x")
    assert cli("enhance", "-i", scans, "-o", tmp_path / "q", "-q").stderr == ""
    assert "1 left out (-v tells which)" in cli("enhance", "-i", scans, "-o", tmp_path / "n").stderr
    told = cli("enhance", "-i", scans, "-o", tmp_path / "v", "-v").stderr
    assert "other.mgz: not NIfTI" in told
    assert "[1/2]" in told
    assert "begins" in told


def test_both_residuals_of_a_resampled_result_are_told(cli, calls, scans, tmp_path, monkeypatch):
    from dataclasses import replace

    plain = medidiff.tasks.super_resolve

    def resampled(*arguments, **options):
        result = plain(*arguments, **options)
        return replace(result, provenance={**result.provenance, "data_residual": {"after_resampling": 0.03}})

    monkeypatch.setattr(medidiff.tasks, "super_resolve", resampled)
    result = cli("enhance", "-i", scans, "-o", tmp_path / "out")
    assert "data residual 0.25 -> 0.001, 0.03 once resampled" in result.stderr


def test_output_is_float32_in_the_scale_of_the_input(cli, calls, scans, tmp_path):
    cli("enhance", "-i", scans, "-o", tmp_path / "out")
    image = stored(tmp_path / "out" / "a_enhanced.nii.gz")
    assert image.get_data_dtype() == np.float32
    assert image.header.get_slope_inter() == (None, None)


def test_parts_share_the_work_and_each_keeps_its_own_records(cli, calls, scans, tmp_path):
    good(scans / "c.nii")
    command = ("enhance", "-i", scans, "-o", tmp_path / "out", "--num-parts", 2, "--part-id")
    assert len(cli(*command, 0).stdout.splitlines()) == 2
    assert len(cli(*command, 1).stdout.splitlines()) == 1
    assert len(table(tmp_path / "out", "cases.part-0-of-2.csv")) == 2
    assert "no such part (found 2, needed 0 to 1)" in cli(*command, 2).stderr


def test_the_two_options_of_a_part_belong_together(cli, calls, scans, tmp_path):
    result = cli("enhance", "-i", scans, "-o", tmp_path / "out", "--num-parts", 2)
    assert result.exit_code == 2
    assert "--num-parts and --part-id belong together" in result.stderr


def test_what_failed_is_tried_again_only_when_asked(cli, calls, scans, tmp_path):
    (scans / "bad.nii").write_bytes(b"no image")
    command = ("enhance", "-i", scans, "-o", tmp_path / "out")
    assert "1 failed;" in cli(*command).stderr
    again = cli(*command)
    assert again.exit_code == 5
    assert "2 done before, 1 failed before" in again.stderr
    assert "2 done before, 1 failed;" in cli(*command, "--retry-failed").stderr


def test_a_scheduler_and_a_cluster_exclude_each_other(cli, calls, scans, tmp_path):
    result = cli("enhance", "-i", scans, "-o", tmp_path / "out", "--scheduler", "tcp://a:1", "--cluster", "local")
    assert result.exit_code == 2
    assert "exclude each other" in result.stderr
    assert not (tmp_path / "out").exists()


def test_the_mirror_images_of_the_command_are_those_of_the_call():
    option = next(option for option in command.params if option.name == "mirrors")
    assert option.default == inspect.signature(super_resolve).parameters["mirrors"].default
    assert (option.type.min, option.type.max) == (1, len(MIRRORS))  # type: ignore[attr-defined]
