"""Hallucination probes: who paints over lesions is caught, the exact posterior keeps them, inventions are counted."""

import csv
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from benchmarks import lesions
from benchmarks.cases import Head, Spec, cropped, load_heads, measure
from benchmarks.lesions import CUBIC, INVERSE, enhancer, methods_of, probe
from benchmarks.tables import OURS
from medidiff.evaluation.lesions import SIZES, Lesion, painted
from medidiff.io.nifti import read_nifti, write_nifti
from medidiff.metrics import data_range_of, head_region
from medidiff.physics import consistent
from medidiff.posterior import agreeing, settled
from medidiff.volume import Geometry, Volume
from tests.conftest import ROOT
from tests.toy import make_model

CPU = torch.device("cpu")
SHAPE = (68, 72, 68)


def head(seed=0):
    """A ball of textured tissue, 33 mm in radius: deep enough for lesions."""
    place = np.indices(SHAPE) - (np.array(SHAPE) - 1).reshape(3, 1, 1, 1) / 2
    texture = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 1.2)
    image = np.where((place**2).sum(0) < 33**2, 0.7 + 0.6 * texture, 0).clip(0).astype(np.float32)
    return Head("niimath_T1w", Volume(image, Geometry(SHAPE, np.eye(4))), image > 0, (0, 1, 2))


@pytest.fixture(scope="module")
def case():
    return measure(Spec(head(), 2, 3.0, "gaussian"), CPU)


@pytest.fixture(scope="module", autouse=True)
def room():
    """Lesions closer together, so that one of each fits into a small head."""
    patch = pytest.MonkeyPatch()
    patch.setattr("medidiff.evaluation.lesions.APART", 9.0)
    patch.setattr("medidiff.evaluation.lesions.DEPTH", 12.0)
    yield
    patch.undo()


def probed(case, ours):
    """Mean contrast recovered and share detected, by method; and blobs by method."""
    rows: list[dict[str, Any]] = []
    blobs: list[dict[str, Any]] = []
    probe(case, methods_of(ours), rows.append, blobs.append, contrast=0.4, each=1)
    scores = {
        name: {
            key: float(np.mean([row[key] for row in rows if row["method"] == name]))
            for key in ("contrast_recovered", "detected", "volume")
        }
        for name in (INVERSE, CUBIC, OURS)
    }
    counts = {name: sum(b["bright"] + b["dark"] for b in blobs if b["method"] == name) for name in scores}
    return scores, counts


def healthy(case):
    """What a prior that knows this very head, and no lesion, would answer."""
    return torch.from_numpy(case.spec.head.volume.array)


def painter(well):
    """A network that knows no lesions: it answers with the healthy head whatever was measured."""
    return lambda case: healthy(well).numpy()


def test_who_paints_over_lesions_is_caught(case):
    scores, counts = probed(case, painter(case))
    assert scores[OURS] == {"contrast_recovered": 0, "detected": 0, "volume": 0}
    assert scores[INVERSE]["contrast_recovered"] > 0.5
    assert counts[OURS] == 0


def test_the_exact_posterior_keeps_lesions_to_the_inputs_limit(case):
    def exact(sick):
        return consistent(healthy(case), sick.y, sick.operator, noise=0.0).numpy()

    scores, counts = probed(case, exact)
    for key in ("contrast_recovered", "volume"):
        assert scores[OURS][key] == pytest.approx(scores[INVERSE][key], abs=0.02)
    assert scores[OURS]["detected"] == 1 >= scores[INVERSE]["detected"]
    assert counts[OURS] == 0


def test_agreement_with_the_data_brings_back_what_a_network_paints_over(case):
    def pulled(sick):
        base = torch.zeros_like(healthy(case))[None, None]
        y = sick.y[None, None]
        posterior = agreeing(lambda r, t: healthy(case)[None, None], sick.operator, y, noise=0.0, base=base, scale=1.0)
        answer = posterior(base, torch.ones(1))
        return settled(answer, y, sick.operator, noise=0.0)[0, 0].numpy()

    scores, _ = probed(case, pulled)
    assert scores[OURS]["contrast_recovered"] >= scores[INVERSE]["contrast_recovered"] - 0.02
    assert scores[OURS]["detected"] == 1


def test_who_knows_the_truth_recovers_everything(case):
    scores, counts = probed(case, lambda some: some.truth.numpy())
    assert scores[OURS] == pytest.approx({"contrast_recovered": 1, "detected": 1, "volume": 1}, abs=1e-4)
    assert counts[OURS] == 0


def test_an_invented_blob_is_counted(case):
    centre = (33.0, 36.0, 44.0)
    added = painted(case.spec.head.volume.geometry, [Lesion(centre, 6.0, 0.5)])
    rows: list[dict[str, Any]] = []
    blobs: list[dict[str, Any]] = []
    methods = {"honest": lambda some: some.truth.numpy(), "inventor": lambda some: some.truth.numpy() + added}
    probe(case, methods, rows.append, blobs.append, contrast=0.4, each=1)
    found = {(b["method"], b["diameter"]): (b["bright"], b["dark"]) for b in blobs}
    assert found["inventor", 6.0] == (1, 0)
    assert all(found["honest", size] == (0, 0) for size in SIZES)
    assert all(row["contrast_recovered"] == pytest.approx(1, abs=1e-4) for row in rows)


def test_thicker_slices_leave_less_of_small_lesions(case):
    thick = measure(replace(case.spec, spacing=6.0), CPU)
    few, many = (probed(some, painter(case))[0][INVERSE]["contrast_recovered"] for some in (thick, case))
    assert few < many


def test_the_program_keeps_rows_pictures_and_tables(tmp_path):
    volume = head().volume
    (tmp_path / "heads").mkdir()
    for name in ("niimath_T1w", "studyforrest_T1w"):
        write_nifti(volume, tmp_path / "heads" / f"{name}.nii", description="test")
    model = make_model(tmp_path / "toy", tile=48)
    options = f"--data {tmp_path}/heads --output {tmp_path}/out --model {model} --device cpu --spacing 4 --each 1"
    for part in ("1/2", "2/2"):
        told = lesions.main([*options.split(), "--repeats", "1", "--crop", "66", "--part", part])
    rows = [
        row for n in (1, 2) for row in csv.DictReader((tmp_path / "out" / f"lesions-{n}.csv").read_text().splitlines())
    ]
    assert {row["head"] for row in rows} == {"niimath_T1w", "studyforrest_T1w"}
    assert len(rows) == 2 * 8 * 3
    assert "| 2 mm | bright | 2 |" in told
    assert (tmp_path / "out" / "lesions.md").read_text() == told
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
    again = lesions.main([*options.split(), "--summarise"])
    assert again == told


@pytest.mark.slow
def test_the_shipped_model_keeps_lesions_and_invents_none_in_a_synthetic_head():
    volume = read_nifti(ROOT / "sample_data" / "references" / "sub-phantom_acq-thick_T1w.nii.gz")
    region = head_region(volume.array)
    array = volume.array / data_range_of(volume.array, region)
    phantom = cropped(Head("phantom_T1w", Volume(array, volume.geometry), region, (0, 1, 2)), 96)
    scores, counts = probed(measure(Spec(phantom, 2, 3.6, "gaussian"), CPU), enhancer("sr-brain"))
    assert scores[OURS]["contrast_recovered"] >= scores[INVERSE]["contrast_recovered"] - 0.05
    assert scores[OURS]["detected"] >= scores[CUBIC]["detected"]
    assert counts[OURS] <= counts[CUBIC]


def test_heads_are_read_as_the_program_reads_them(tmp_path):
    write_nifti(head().volume, tmp_path / "voxelmorph_T1w.nii", description="test")
    assert [h.sharp for h in load_heads(tmp_path, known={"voxelmorph": (0,)})] == [(0,)]
