"""The benchmark of adapting: every method on every case, what each says of itself, and the tables."""

from argparse import Namespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from benchmarks import adaptation, adaptation_tables, compare, methods
from benchmarks.cases import Spec, load_heads, measure, noisy
from medidiff.errors import InputError
from medidiff.io import write_nifti
from medidiff.models import Model, load_model
from medidiff.physics.noise import head_brightness
from medidiff.tasks import Adapting
from medidiff.volume import Geometry, Volume
from tests.toy import make_model


def brain(seed):
    shape = (28, 26, 30)
    grid = np.indices(shape) - (np.array(shape) - 1).reshape(3, 1, 1, 1) / 2
    texture = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.2)
    array = np.where((grid**2).sum(0) < 12**2, 100 + 200 * texture, 0).clip(0).astype(np.float32)
    return Volume(array, Geometry(shape, np.eye(4)))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two heads of two sites, one kind of slices, two parts."""
    folder = tmp_path_factory.mktemp("benchmark")
    for name, heads in {"val": ("ds000011_sub-90_T1w", "niimath_T1w"), "fit": ("ds000011_sub-01_T1w",)}.items():
        (folder / name).mkdir()
        for seed, head in enumerate(heads):
            write_nifti(brain(seed), folder / name / f"{head}.nii.gz", description="test")
    model = make_model(folder / "toy", blind_start=True)
    (folder / "study").mkdir()
    for seed in (5, 6):
        write_nifti(brain(seed), folder / "study" / f"niimath_{seed}_T1w.nii.gz", description="test")
    told = [
        "--study",
        folder / "study",
        "--data",
        folder / "val",
        "--fit-data",
        folder / "fit",
        "--output",
        folder / "out",
        "--model",
        model,
    ]
    kind = ["--spacing", 4, "--profile", "rect", "--noise", 0.02, "--left-out", "ds000011"]
    few = ["--steps", 1, "--device", "cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare, "DC_GRID", (1e-3, 1e-2, 1e-1))
        patch.setattr(compare, "TV_GRID", (1e-5, 1e-4, 1e-3))
        for part in ("1/2", "2/2"):
            adaptation.main([str(word) for word in (*told, *kind, *few, "--part", part)])
    return folder / "out"


def test_every_method_has_a_row_of_every_case(run):
    rows = adaptation_tables.read(run)
    assert len(rows) == 2 * 8
    assert {row["method"] for row in rows} >= set(adaptation_tables.METHODS)
    assert all(np.isfinite(float(row["psnr"])) and float(row["seconds"]) >= 0 for row in rows)
    assert {(row["head"], row["site"]) for row in rows} == {
        ("ds000011_sub-90_T1w", "left out"),
        ("niimath_T1w", "known"),
    }


def test_adaptations_say_what_they_did_and_the_network_from_nothing_gets_longer(run):
    rows = adaptation_tables.read(run)
    steps = {row["method"]: row["steps"] for row in rows}
    assert (steps["adapted"], steps["self-supervised"], steps["TV"]) == ("1", "5", "")
    assert all(row["used"] in ("True", "False") and row["foretold"] for row in rows if row["steps"])


def test_the_summary_has_all_parts_and_reckons_from_the_same_cases(run):
    text = (run / "summary.md").read_text()
    rows = {(row["head"], row["method"]): float(row["psnr"]) for row in adaptation_tables.read(run)}
    gains = [rows[head, "adapted"] - rows[head, "ours"] for head in ("ds000011_sub-90_T1w", "niimath_T1w")]
    (line,) = [line for line in text.splitlines() if line.startswith("| all | all | all | 2 |")]
    assert f"{np.mean(gains):+.2f} ({min(gains):+.2f})" in line
    assert "ds000011_sub-90_T1w | " in text


def test_a_table_leaves_open_what_was_not_run():
    facts = {"site": "known", "slices": "5 mm", "profile": "rect", "head": "a", "axis": "z"}
    facts |= {"steps": "", "used": "", "seconds": "1"}
    scores = {"cubic+DC": 20.0, "TV": 21.0, "ours": 24.0, "study": 24.5}
    text = adaptation_tables.summary([{**facts, "method": name, "psnr": str(psnr)} for name, psnr in scores.items()])
    assert "| known | 5 mm | rect | 1 | 20.00 | 21.00 | 24.00 |  | 24.50 |  |  |  |  | +0.50 (+0.50) |" in text
    assert "nan" not in text


def test_the_worst_of_several_cases_stands_beside_their_mean():
    facts = {"site": "known", "slices": "5 mm", "profile": "rect", "axis": "z", "steps": "", "used": "", "seconds": "1"}
    scores = {"a": {"ours": 24.0, "adapted": 24.5}, "b": {"ours": 25.0, "adapted": 24.9}}
    rows = [
        {**facts, "head": head, "method": name, "psnr": str(psnr)}
        for head, found in scores.items()
        for name, psnr in found.items()
    ]
    assert "| known | 5 mm | rect | 2 |  |  | 24.50 | 24.70 |  |  | +0.20 (-0.10) |" in adaptation_tables.summary(rows)


def test_cases_are_enhanced_with_the_study_s_model(monkeypatch, tmp_path):
    (tmp_path / "study").mkdir()
    head = load_heads(_folder(tmp_path))[0]
    _folder(tmp_path / "study")
    used = []
    monkeypatch.setattr(adaptation, "_studied", lambda scans, model, how, noise: ("studied", {"steps": len(scans)}))
    monkeypatch.setattr(adaptation, "enhanced", lambda case, model: used.append(model))
    options = Namespace(study=tmp_path / "study", crop=None, spacing=[4.0], profile=["rect"], noise=0.0)
    way = adaptation._studying(options, load_model(make_model(tmp_path / "toy")), Adapting(), torch.device("cpu"))
    _, told = way(measure(Spec(head, 1, 4.0, "rect"), torch.device("cpu")))
    assert (told, used) == ({"steps": 1}, ["studied"])


def test_a_study_enhances_with_the_model_of_its_kind_and_tells_what_it_learnt(monkeypatch, tmp_path):
    head = load_heads(_folder(tmp_path))[0]
    scans = [measure(Spec(head, axis, 4.0, "rect"), torch.device("cpu")) for axis in (1, 2)]
    model = load_model(make_model(tmp_path / "toy"))
    better = Model(model.network, {**model.card, "adapted": {"steps": 9, "gain_db": 0.4}})
    given: dict[str, Any] = {}

    def adapted(volumes, *_, **how):
        given.update(how, many=len(volumes))
        return better

    monkeypatch.setattr(adaptation, "adapt_model", adapted)
    found, told = adaptation._studied(scans, model, Adapting(steps=9), 0.0)
    assert (found, told) == (better, {"used": True, "steps": 9, "gain_db": 0.4})
    assert (given["many"], given["profile"], given["noise"]) == (2, "rect", 0.0)


def test_a_study_that_has_nothing_to_teach_leaves_the_model_as_it_is(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise InputError("the scans have nothing to teach this model", found="-0.1 dB")

    head = load_heads(_folder(tmp_path))[0]
    model = load_model(make_model(tmp_path / "toy"))
    monkeypatch.setattr(adaptation, "adapt_model", refuse)
    scans = [measure(Spec(head, 2, 4.0, "rect"), torch.device("cpu"))]
    assert adaptation._studied(scans, model, Adapting(), None) == (model, {"used": False, "reason": "-0.1 dB"})


def test_heads_to_score_may_not_be_in_the_study(tmp_path):
    folder = _folder(tmp_path)
    told = ["--data", folder, "--fit-data", folder, "--study", folder, "--output", tmp_path / "out"]
    with pytest.raises(InputError, match="heads to score are in the study"):
        adaptation.main([str(word) for word in told])


def test_noise_is_that_of_the_head_and_every_method_is_told(monkeypatch, tmp_path):
    head = load_heads(_folder(tmp_path))[0]
    clean = measure(Spec(head, 2, 4.0, "rect"), torch.device("cpu"))
    case = noisy(clean, 0.05)
    added = case.volume.array - clean.volume.array
    assert case.noise == pytest.approx(0.05 * head_brightness(clean.volume.array))
    assert added[clean.volume.array > 5 * case.noise].std() == pytest.approx(case.noise, rel=0.1)
    assert (case.volume.array >= 0).all()
    np.testing.assert_array_equal(case.y.numpy(), case.volume.array)
    assert noisy(clean, 0.0) is clean
    told: dict[str, Any] = {}
    monkeypatch.setattr(methods, "super_resolve", lambda volume, model, **how: told.update(how, volume=volume))
    methods.enhanced(case, load_model(make_model(tmp_path / "toy")))
    assert (told["noise"], told["volume"]) == (case.noise, case.volume)


def _folder(path):
    write_nifti(brain(0), path / "niimath_T1w.nii.gz", description="test")
    return path


def test_an_untrained_network_leaves_the_upsampled_scan_as_it_is(tmp_path):
    network = adaptation.untrained(load_model(make_model(tmp_path / "toy"))).network
    assert not network(torch.zeros(1, 1, 8, 8, 8), torch.rand(1, 4, 8, 8, 8), torch.rand(1, 11), torch.ones(1)).any()
