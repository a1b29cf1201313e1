"""The whole way through workers: real tasks in processes of their own, and on a cluster of this machine."""

import importlib.util
import json

import pytest
from click.testing import CliRunner

from medidiff.cli import main
from tests.bad_files import good
from tests.batch.running import table
from tests.batch.test_processes import volumes
from tests.dicoms import Plan, slices, values, write
from tests.kspaces import as_npy, kspace
from tests.toy import make_model


@pytest.fixture
def program():
    """Call ``medidiff`` with workers of its own."""
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def model(tmp_path):
    return make_model(tmp_path / "model")


def enhance(program, model, scans, out, *options):
    settings = ("--model", model, "--precision", "fp32", "--threads", 1, "--in-flight", 1, *options)
    return program("enhance", "-i", scans, "-o", out, *settings)


def test_enhance_gives_the_same_bytes_with_one_worker_and_two(program, model, tmp_path):
    for seed, name in enumerate("ab"):
        good(tmp_path / "in" / f"{name}.nii", (20, 18, 6), (1, 1, 3), seed=seed)
    for out, device in (("one", "cpu"), ("two", "cpu,cpu")):
        result = enhance(program, model, tmp_path / "in", tmp_path / out, "--device", device)
        assert result.exit_code == 0, result.stderr
    assert len(volumes(tmp_path / "one")) == 2
    assert volumes(tmp_path / "one") == volumes(tmp_path / "two")
    sidecar = json.loads((tmp_path / "one" / "a_enhanced.json").read_text())
    assert sidecar["model"]["name"] == "toy"
    assert table(tmp_path / "one")[0]["device"] == "cpu"


def test_dicom_goes_through_workers_and_back(program, model, tmp_path):
    write(slices(Plan(values((18, 18, 6)), number=3)), tmp_path / "study")
    result = enhance(program, model, tmp_path / "study", tmp_path / "out", "--device", "cpu", "--format", "both")
    assert result.exit_code == 0, result.stderr
    assert len(list((tmp_path / "out").rglob("*.nii.gz"))) == 1
    assert list((tmp_path / "out").rglob("enhanced/*.dcm"))


def test_kspace_goes_through_workers(program, tmp_path):
    (tmp_path / "in").mkdir()
    as_npy(kspace((48, 40, 1)), tmp_path / "in" / "a.npy")
    (tmp_path / "in" / "bad.npy").write_bytes(b"nothing")
    command = ("reconstruct", "-i", tmp_path / "in", "-o", tmp_path / "out", "--method", "zero-filled")
    result = program(*command, "--device", "cpu")
    assert result.exit_code == 5, result.stderr
    assert [row["status"] for row in table(tmp_path / "out")] == ["done", "failed"]


def test_the_traceback_of_a_case_comes_back_from_its_worker(program, tmp_path):
    (tmp_path / "bad.nii").write_bytes(b"nothing")
    command = ("simulate", "thick-slices", "-i", tmp_path / "bad.nii", "-o", tmp_path / "out", "--spacing", 5)
    result = program(*command, "--debug")
    assert result.exit_code == 4
    assert "Traceback" in result.stderr
    assert "not a NIfTI file" in result.stderr


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="no Dask")
def test_parts_another_order_and_a_cluster_give_the_same_bytes(program, model, tmp_path):
    scans = [
        good(tmp_path / "in" / f"{name}.nii", (20, 18, 6), (1, 1, 3), seed=seed) for seed, name in enumerate("abcd")
    ]
    assert enhance(program, model, tmp_path / "in", tmp_path / "one", "--device", "cpu").exit_code == 0
    for number in (1, 2, 0):
        share = ("--device", "cpu", "--num-parts", 3, "--part-id", number)
        assert enhance(program, model, tmp_path / "in", tmp_path / "parts", *share).exit_code == 0
    backwards = enhance(program, model, scans[3], tmp_path / "order", *scans[2::-1], "--device", "cpu")
    assert backwards.exit_code == 0, backwards.stderr
    assert volumes(tmp_path / "one") == volumes(tmp_path / "parts") == volumes(tmp_path / "order")
    result = enhance(program, model, tmp_path / "in", tmp_path / "two", "--device", "cpu,cpu", "--cluster", "local")
    assert result.exit_code == 0, result.stderr
    assert "2 workers; the cluster is shown at http" in result.stderr
    assert volumes(tmp_path / "one") == volumes(tmp_path / "two")
