"""Benchmarks count what they say: cases and shares, coverage, busy GPUs, rates."""

import json
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from benchmarks import gpu_batches, kspace_coverage, kspace_neighbours, kspace_speed, reconstruction
from benchmarks.coverage import Spread, load_spreads, save_spread
from medidiff.io.nifti import write_nifti
from medidiff.models import Model
from medidiff.tasks import refinement
from medidiff.volume import Geometry, Volume
from tests.physics.heads import grid, head

SHAPE = (112, 96, 12)


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "heads" / "one.nii.gz"
    made.parent.mkdir()
    write_nifti(Volume(head(SHAPE).numpy(), grid(SHAPE, spacing=2.0)), made, description="test")
    return made


def spreads(c, *, seed=0, number=4000):
    """Errors c times as large as the SD says."""
    rng = np.random.default_rng(seed)
    sd = rng.uniform(0.5, 2, number).astype(np.float32)
    return Spread(np.abs(c * sd * rng.standard_normal(number)).astype(np.float32), sd)


def facts(**more):
    return {"head": "a", "mask": "random", "acceleration": 4.0, "noise": 0.01, "slices": "1"} | more


def test_every_mask_and_acceleration_of_a_head_is_a_case(tmp_path):
    specs = reconstruction.cases_of([tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"])
    assert len({(spec.path, spec.mask, spec.acceleration) for spec in specs}) == len(specs) == 16


def test_a_case_is_measured_as_often_as_it_says(path):
    spec = reconstruction.Spec(path, 0, 4.0, "random", 2)
    case = spec.measured()
    assert case.truth.geometry.shape == (*SHAPE[:2], 2)
    assert case.scan.sampled.mean() == pytest.approx(1 / 4, rel=0.05)
    assert reconstruction.scored(case, case.truth.array)["ssim"] == pytest.approx(1)


def test_the_factor_is_found_and_covers_nine_tenths():
    kept = [(facts(noise=0.01 * n), spreads(2.0, seed=n)) for n in range(1, 4)]
    lines = list(kspace_coverage.summary(kept, kept))
    assert float(lines[0].split()[2].strip(",")) == pytest.approx(2.0, rel=0.05)
    assert float(lines[-3].split("|")[3]) == pytest.approx(0.9, abs=0.01)


def test_an_sd_that_knows_its_error_goes_with_it():
    known = spreads(1.0)
    blind = Spread(known.error, np.random.default_rng(1).permutation(known.sd))
    assert kspace_coverage.agreement_of(known) > 0.9
    assert abs(kspace_coverage.agreement_of(blind)) < 0.5


def test_spreads_are_kept_by_what_tells_their_cases_apart(tmp_path):
    for mask in ("random", "poisson"):
        save_spread(tmp_path, facts(mask=mask), "scored", spreads(1.0), named=kspace_coverage.KINDS)
    assert [told["mask"] for told, _ in load_spreads(tmp_path, "scored")] == ["poisson", "random"]


@pytest.mark.parametrize("shape", [(128, 90, 1), (96, 128, 16)])
def test_a_head_is_laid_into_the_middle_of_a_field_of_view(shape):
    volume = Volume(head(SHAPE).numpy(), Geometry(SHAPE, np.diag([1.0, 1.0, 2.0, 1.0])))
    wide = kspace_speed.padded(volume, shape)
    assert wide.geometry.shape == wide.array.shape == shape
    assert wide.array[shape[0] // 2, shape[1] // 2, shape[2] // 2] == volume.array[56, 48, 6]


def test_a_gpu_is_busy_from_the_second_in_which_all_compute():
    rows = [(0, 0), (50, 0), (100, 90), (80, 100), (0, 50), (0, 0)]
    log = "# gpu sm mem\n" + "".join(f" {gpu} {use} 1\n" for row in rows for gpu, use in enumerate(row))
    assert gpu_batches.busy(log) == pytest.approx((100 + 80 + 0 + 90 + 100 + 50) / 600)


def test_the_rate_counts_from_the_first_case_of_each_worker(tmp_path):
    stages = {"read": 1.0, "compute": 2.0, "write": 3.0}
    ends = [f"2026-01-01T00:00:{second:02}+00:00" for second in (10, 11, 20, 30)]
    lines = [{"kind": "state", "state": "done", "at": at, "stages": stages} for at in ends]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [{"kind": "run"}, *lines]))
    told = gpu_batches.told(tmp_path / "m.jsonl", workers=2)
    assert told["rate"] == pytest.approx(3600 * 2 / 19)
    assert (told["read"], told["compute"], told["write"]) == (1, 2, 3)


def test_there_are_as_many_scans_as_asked_for_and_they_differ(path, tmp_path):
    made = gpu_batches.made([path], tmp_path / "in", 2)
    assert len({file.read_bytes() for file in made}) == 2
    before = made[0].stat().st_mtime_ns
    assert gpu_batches.made([path], tmp_path / "in", 2) == made
    assert made[0].stat().st_mtime_ns == before


def test_tables_tell_means_and_the_worst_case(tmp_path):
    from benchmarks import kspace_tables

    rows = ["head,slices,mask,acceleration,noise,method,psnr,ssim,nmse,psnr_head,residual_over_noise,seconds"]
    for head_name, ours, theirs in (("a", 31.0, 29.0), ("b", 30.0, 30.5)):
        rows += [f"{head_name},1 2,random,4.0,0.01,ours,{ours},0.9,0.01,{ours},1.0,2"]
        rows += [f"{head_name},1 2,random,4.0,0.01,theirs,{theirs},0.9,0.01,{theirs},nan,2"]
    (tmp_path / "reconstruction-1.csv").write_text("\n".join(rows) + "\n")
    lines = list(kspace_tables.tables(kspace_tables.cases_in([tmp_path]), "ours", "theirs"))
    assert "| 4.0 | random | ours | 2 | 30.50 | 30.50 | 0.9000 | 0.0100 | 1.00 | 2.00 |" in lines
    assert "| 4.0 | all | 2 | +0.75 (-0.50) | +0.75 (-0.50) |" in lines


def test_planes_are_shown_alone_and_with_neighbours_and_both_are_scored(path, monkeypatch):
    shown = []

    def seen(scan, method, **way):
        shown.append(vars(refinement)["plane_view"].keywords["alone"])
        return SimpleNamespace(volume=SimpleNamespace(array=case.truth.array * (0.9 if shown[-1] else 0.99)))

    monkeypatch.setattr(kspace_neighbours, "reconstruct", seen)
    (case,) = kspace_neighbours._cases([path], 0, slices=3, apart=0)
    assert case.listed[1] == case.listed[0] + 1
    alone, beside, *_ = kspace_neighbours._scores(case, cast(Model, None), "cpu")
    assert shown == [True, False]
    assert beside - alone == pytest.approx(20, abs=0.01)
