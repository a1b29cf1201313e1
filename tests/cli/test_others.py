"""``inspect``, ``info``, ``simulate`` and ``train``."""

import importlib.metadata
import json
import sys
import types

import numpy as np
import pytest

import medidiff
from medidiff.io import read_header, read_nifti, read_sidecar, write_nifti
from medidiff.volume import Geometry, Volume
from tests.bad_files import BAD_FILES, constant, edited_header, good, nans
from tests.strategies import rotation

UNSEEN_IN_A_HEADER = {constant, nans}


def oblique(path):
    affine = np.eye(4)
    affine[:3, :3] = rotation(0.1, 0, 0) * [1, 1, 4]
    write_nifti(Volume(np.ones((6, 7, 5)), Geometry((6, 7, 5), affine)), path, description="")
    return path


class TestInspect:
    """What an image is."""

    def test_a_table_tells_the_facts(self, cli, tmp_path):
        path = good(tmp_path / "a.nii.gz")
        (tmp_path / "a.json").write_text('{"SliceThickness": 2.5}')
        head, row = cli("inspect", path).stdout.splitlines()
        assert head.split("  ")[0] == "image"
        assert row.split() == ["a.nii.gz", "6x7x4", "1x1x3", "RAS", "no", "int16", "2.5", "1x1x1"]

    def test_json_tells_the_same_and_more(self, cli, tmp_path):
        oblique(tmp_path / "a.nii.gz")
        (tmp_path / "b.mgz").write_bytes(b"x")
        told = json.loads(cli("inspect", tmp_path, "--json").stdout)
        (image,) = told["images"]
        assert image["shape"] == [6, 7, 5]
        assert image["oblique_degrees"] == pytest.approx(5.73, abs=0.01)
        assert image["target_shape"] == [6, 7, 20]
        assert (image["enhance"], image["reason"], image["thickness_mm"]) == (True, "", None)
        assert told["left_out"][0]["reason"].startswith("not NIfTI")

    def test_a_sharp_image_is_told_to_be_sharp(self, cli, tmp_path):
        result = cli("inspect", good(tmp_path / "a.nii.gz", spacing=(1, 1, 1)))
        assert result.exit_code == 0
        assert "a.nii.gz: already at the target spacing" in result.stdout

    @pytest.mark.parametrize("bad", [bad for bad in BAD_FILES if bad not in UNSEEN_IN_A_HEADER])
    def test_a_bad_image_is_told_with_its_reason(self, bad, cli, tmp_path):
        bad(tmp_path / "bad.nii.gz")
        good(tmp_path / "good.nii.gz")
        told = {image["path"]: image for image in json.loads(cli("inspect", tmp_path, "--json").stdout)["images"]}
        assert told[str(tmp_path / "good.nii.gz")]["enhance"]
        broken_later = bad.__name__ in ("truncated_gzip", "fewer_voxels_than_claimed", "checksum_wrong")
        assert broken_later or BAD_FILES[bad] in told[str(tmp_path / "bad.nii.gz")]["reason"]

    def test_a_folder_with_nothing_readable_is_code_3(self, cli, tmp_path):
        (tmp_path / "a.nii").write_text("text")
        result = cli("inspect", tmp_path)
        assert result.exit_code == 3
        assert "not a NIfTI file" in result.stdout

    def test_warnings_are_told(self, cli, tmp_path):
        edited_header(tmp_path / "a.nii.gz", sform_code=0)
        assert "orientation is unknown" in cli("inspect", tmp_path).stdout

    @pytest.mark.realdata
    def test_real_scans(self, cli, shared):
        told = json.loads(cli("inspect", shared / "structural" / "thick_slice", "--json").stdout)
        assert len(told["images"]) == 10
        assert all(image["enhance"] for image in told["images"])


class TestInfo:
    """What is installed."""

    def test_json_has_the_versions(self, cli):
        told = json.loads(cli("info", "--json").stdout)
        assert told["medidiff"] == medidiff.__version__
        assert told["packages"]["numpy"] == importlib.metadata.version("numpy")

    def test_text_has_them_too(self, cli):
        told = cli("info").stdout
        assert f"numpy {importlib.metadata.version('numpy')}" in told
        assert "Research use only" in told

    def test_gpus_are_named_as_the_driver_names_them(self, tmp_path, monkeypatch):
        from medidiff.cli import info

        (tmp_path / "0000:01:00.0").mkdir()
        (tmp_path / "0000:01:00.0" / "information").write_text("Model: \t\t NVIDIA H100\nIRQ: 5\n")
        monkeypatch.setattr(info, "NVIDIA", tmp_path)
        assert info.collect()["gpus"] == ["NVIDIA H100"]


class TestSimulate:
    """Thick slices made from sharp ones."""

    def test_images_keep_their_names_and_tell_how_they_were_made(self, cli, tmp_path):
        sharp = good(tmp_path / "in" / "sub" / "a.nii.gz", (8, 9, 20), (1, 1, 1))
        out = tmp_path / "out"
        options = ("--spacing", 5, "--slice-thickness", 4, "--axis", "z", "--profile", "rect")
        result = cli("simulate", "thick-slices", "-i", tmp_path / "in", "-o", out, *options)
        assert result.exit_code == 0, result.stderr
        thick = out / "sub" / "a.nii.gz"
        assert result.stdout.strip() == str(thick)
        assert read_header(thick).shape == (8, 9, 4)
        np.testing.assert_allclose(read_header(thick).geometry.extent, read_header(sharp).geometry.extent)
        told = read_sidecar(thick)
        assert (told["SliceThickness"], told["SpacingBetweenSlices"]) == (4, 5)
        assert "data_residual" not in told
        assert "2 done before" not in result.stderr

    def test_noise_is_added_and_depends_on_the_seed_alone(self, cli, tmp_path):
        sharp = good(tmp_path / "a.nii.gz", (8, 9, 20), (1, 1, 1))
        for name, seed in (("one", 1), ("again", 1), ("two", 2)):
            options = ("--spacing", 5, "--noise", 10, "--seed", seed)
            assert cli("simulate", "thick-slices", "-i", sharp, "-o", tmp_path / name, *options).exit_code == 0
        one, again, two = (read_nifti(tmp_path / name / "a.nii.gz").array for name in ("one", "again", "two"))
        assert (one == again).all()
        assert 8 < np.std(one - two) / np.sqrt(2) < 12

    def test_an_input_is_never_overwritten(self, cli, tmp_path):
        good(tmp_path / "a.nii.gz")
        result = cli("simulate", "thick-slices", "-i", tmp_path, "-o", tmp_path, "--spacing", 5, "--force")
        assert result.exit_code == 2
        assert "would overwrite an input" in result.stderr

    def test_slices_finer_than_the_image_are_refused(self, cli, tmp_path):
        path = good(tmp_path / "a.nii.gz")
        result = cli("simulate", "thick-slices", "-i", path, "-o", tmp_path / "out", "--spacing", 2)
        assert result.exit_code == 4
        assert "slices must be coarser" in result.stderr


class TestTrain:
    """The command around ``medidiff.training.train``."""

    @pytest.mark.parametrize(
        ("flags", "told"), [((), "True, None"), (("--fresh",), "False, None"), (("--stop-after", 7), "True, 7")]
    )
    def test_the_folder_of_the_model_is_printed(self, flags, told, cli, tmp_path, monkeypatch):
        recipe = tmp_path / "recipe.toml"
        recipe.write_text("")
        fake = types.ModuleType("medidiff.training")
        vars(fake)["train"] = lambda path, *, resume, data, stop_after, progress: f"{path.stem}: {resume}, {stop_after}"
        monkeypatch.setitem(sys.modules, "medidiff.training", fake)
        assert cli("train", recipe, *flags).stdout == f"recipe: {told}\n"
