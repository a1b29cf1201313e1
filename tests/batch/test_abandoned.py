"""What is tidied up after a worker that was killed in the middle of writing."""

import json

import pytest

from medidiff.batch.store import abandon
from tests.bad_files import good
from tests.batch.running import done, names, planned


@pytest.fixture
def case(tmp_path):
    """A case that is finished, in a folder with nothing else."""
    good(tmp_path / "in" / "a.nii")
    manifest = planned(tmp_path / "in", tmp_path / "out")
    done(manifest)
    return manifest.cases[0]


def results(case):
    return [name for name in names(case.image.parent) if name.startswith((".", "a"))]


def test_a_finished_case_stays(case):
    abandon(case)
    assert results(case) == ["a_enhanced.json", "a_enhanced.nii.gz"]


def test_fragments_go(case):
    (case.image.parent / ".a_enhanced.nii.gz.0123abcd.part").touch()
    abandon(case)
    assert results(case) == ["a_enhanced.json", "a_enhanced.nii.gz"]


def test_an_image_whose_sidecar_was_not_reached_goes(case):
    case.sidecar.unlink()
    abandon(case)
    assert results(case) == []


def test_what_others_wrote_under_that_name_stays(case):
    case.sidecar.unlink()
    good(case.image)
    abandon(case)
    assert results(case) == ["a_enhanced.nii.gz"]


def test_the_record_of_another_run_is_no_reason_to_remove_anything(case):
    case.sidecar.write_text(json.dumps({"tool": "medidiff"}))
    abandon(case)
    assert results(case) == ["a_enhanced.json", "a_enhanced.nii.gz"]
