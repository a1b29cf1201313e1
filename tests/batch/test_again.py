"""A run repeated does only what is not done."""

import pytest

from medidiff.batch import Status
from tests.bad_files import good
from tests.batch.running import done, planned, statuses, table
from tests.fakes import double_slices


@pytest.fixture
def out(scans, tmp_path):
    done(planned(scans, tmp_path / "out"))
    return tmp_path / "out"


def test_finished_cases_are_left_as_they_are(scans, out):
    before = (out / "a_enhanced.nii.gz").stat().st_mtime_ns
    records = done(planned(scans, out))
    assert statuses(records) == [Status.DONE_BEFORE] * 3
    assert (out / "a_enhanced.nii.gz").stat().st_mtime_ns == before
    assert table(out)[0]["residual_after"] == "0.001"


def test_force_does_them_again(scans, out):
    assert statuses(done(planned(scans, out), force=True)) == [Status.DONE] * 3


@pytest.mark.parametrize("changed", [{"sha": "def"}, {"options": {"seed": 1}}])
def test_another_model_or_other_options_do_them_again(changed, scans, out):
    assert statuses(done(planned(scans, out, **changed))) == [Status.DONE] * 3


def test_a_changed_input_is_done_again(scans, out):
    good(scans / "a.nii", seed=9)
    assert statuses(done(planned(scans, out))) == [Status.DONE, Status.DONE_BEFORE, Status.DONE_BEFORE]


def test_a_changed_sidecar_of_the_input_is_done_again(scans, out):
    (scans / "a.json").write_text('{"SliceThickness": 2}')
    assert statuses(done(planned(scans, out)))[0] == Status.DONE


@pytest.mark.parametrize("name", ["a_enhanced.nii.gz", "a_enhanced.json"])
def test_a_lost_file_is_made_again(name, scans, out):
    (out / name).unlink()
    assert statuses(done(planned(scans, out)))[0] == Status.DONE


def test_a_damaged_sidecar_is_made_again(scans, out):
    (out / "a_enhanced.json").write_text("{")
    assert statuses(done(planned(scans, out)))[0] == Status.DONE


def test_results_beside_their_inputs_are_no_inputs(scans):
    for _ in range(2):
        manifest = planned(scans, scans)
        assert len(manifest.cases) == 3
        done(manifest)


def test_an_uncertainty_of_an_earlier_run_does_not_stay(scans, out):
    done(planned(scans, out, options={"samples": 2}), lambda v, p: double_slices(v, p, samples=2))
    assert (out / "a_uncertainty.nii.gz").exists()
    done(planned(scans, out))
    assert not (out / "a_uncertainty.nii.gz").exists()


def test_a_lost_uncertainty_is_made_again(scans, out):
    manifest = planned(scans, out, options={"samples": 2})
    done(manifest, lambda v, p: double_slices(v, p, samples=2))
    (out / "a_uncertainty.nii.gz").unlink()
    assert statuses(done(manifest))[0] == Status.DONE
