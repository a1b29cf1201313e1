from pathlib import Path

import pytest
import torch

from benchmarks import dicom, kspace, overlap, speed
from medidiff.errors import ModelError
from medidiff.io import write_nifti
from medidiff.models import build_network, save_model
from medidiff.volume import Volume
from tests.physics.heads import grid, head


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    network = {"channels": [32, 32], "blocks": [1, 1], "block_size": 2}
    card = {**speed.UNTRAINED, "tile": 16, "overlap": 4, "network": network}
    torch.manual_seed(0)
    return save_model(build_network(card).state_dict(), card, tmp_path_factory.mktemp("toy"))


def test_the_speed_benchmark_prints_what_it_returns(toy, capsys):
    told = speed.main(["--device", "cpu", "--precision", "fp32", "--model", str(toy), "--shape", "24,20,22"])
    printed = capsys.readouterr().out
    assert "1 timed and multiplied" in printed
    assert all(name in printed for name in told)
    assert all(value > 0 for value in told.values())
    assert told["stock, s"] == pytest.approx(1000 * told["stock step, s"])
    assert told["stock / ours"] == pytest.approx(told["stock, s"] / told["seconds"])


def test_the_benchmarks_volume_is_enhanced_to_the_shape_asked_for():
    for shape in ((24, 20, 22), (256, 256, 192), (200, 200, 150)):
        assert speed._thick(shape).geometry.refined(1.0).shape == shape


def test_only_the_default_model_may_be_absent():
    with pytest.raises(ModelError):
        speed._model("no-such-model")


def test_the_dicom_benchmarks_study_and_series_are_what_they_say(tmp_path):
    assert dicom.make_study(tmp_path / "study") == len(list((tmp_path / "study").iterdir())) == 300
    dicom.make_series(tmp_path / "series", 5, 16)
    dicom.read(tmp_path / "series")


def test_the_kspace_benchmark_prints_a_line_for_each_setting(tmp_path, capsys, monkeypatch):
    image = Volume(100 * head((40, 36, 12)).numpy(), grid((40, 36, 12)))
    write_nifti(image, tmp_path / "head.nii.gz", description="a head")
    monkeypatch.setattr(kspace, "WEIGHTS", (0.003,))
    monkeypatch.setattr(kspace, "ITERATIONS", (4,))
    lines = kspace.main([str(tmp_path / "head.nii.gz"), "--accelerations", "1.4", "--slices", "3"])
    assert len(lines) == len(capsys.readouterr().out.splitlines()) - 2 == 4
    errors = {line["method"]: line["nmse"] for line in lines}
    assert errors["l1-wavelet"] < errors["zero-filled"]


@pytest.mark.realdata
def test_a_real_series_gives_its_line_of_the_table_in_the_docs():
    pytest.importorskip("dcm2niix")
    from benchmarks import dicom_table

    line = f"| {' | '.join(dicom_table.row('dicom2nifti/hyperfine/anatomical/001'))} |"
    assert line in (Path(__file__).parents[1] / "docs" / "dicom.md").read_text().splitlines()


def test_the_table_in_the_docs_has_every_series():
    pytest.importorskip("dcm2niix")
    from benchmarks import dicom_table
    from tests.io.dicom.real import SERIES

    told = (Path(__file__).parents[1] / "docs" / "dicom.md").read_text()
    assert all(f"| {dicom_table._short(folder)} |" in told for folder in SERIES)


@pytest.mark.slow
def test_the_overlap_benchmark_prints_a_line_for_each_setting(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(overlap, "SHAPE", (24, 24, 8))
    told = overlap.main(tmp_path, 4, 0.2)
    assert [row[:2] for row in told] == [(1, 1), (4, 1), (4, 2)]
    assert all(0 < share <= 1.1 for *_, share in told)
    assert len(capsys.readouterr().out.splitlines()) == 5
