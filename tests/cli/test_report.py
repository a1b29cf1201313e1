"""``--report``: pages of a run, and what stands in their way."""

import sys

import pytest

from medidiff.cli.counting import counting
from medidiff.io import write_nifti
from tests.bad_files import good
from tests.dicoms import Plan, slices, values, write
from tests.evaluation.making import GRID, blurred, head, study


@pytest.fixture
def rich_scans(tmp_path):
    """A scan with something to see, one that is sharp already and one that is broken."""
    from medidiff.volume import Volume

    folder = tmp_path / "in"
    folder.mkdir()
    write_nifti(Volume(head()[:, :, ::3], GRID.reshaped((20, 22, 8))), folder / "a.nii.gz", description="test")
    good(folder / "sharp.nii.gz", (8, 9, 10), (1, 1, 1))
    (folder / "broken.nii.gz").write_bytes(b"no image")
    return folder


def test_every_case_of_a_run_is_on_the_page_and_those_done_have_pictures(cli, calls, rich_scans, tmp_path):
    told = cli("enhance", "-i", rich_scans, "-o", tmp_path / "out", "--report", "--samples", 2)
    assert f"report: {tmp_path / 'out' / 'report.html'}" in told.stderr
    page = (tmp_path / "out" / "report.html").read_text()
    for words in ("passed by", "failed", "made by repetition", "0.25 to 0.001", "uncertainty", "cubic", "not a NIfTI"):
        assert words in page, words
    assert [path.name for path in (tmp_path / "out" / "cases").iterdir()] == ["a.html"]


def test_a_run_taken_up_again_shows_what_was_done_before(cli, calls, rich_scans, tmp_path):
    assert cli("enhance", "-i", rich_scans / "a.nii.gz", "-o", tmp_path / "out").exit_code == 0
    assert not (tmp_path / "out" / "report.html").exists()
    told = cli("enhance", "-i", rich_scans / "a.nii.gz", "-o", tmp_path / "out", "--report")
    assert "1 done before" in told.stderr
    assert "result minus cubic" in (tmp_path / "out" / "report.html").read_text()


def test_reconstructions_are_held_against_the_zero_filled_image(cli, tmp_path):
    image = blurred(head(), 0.5)
    good(tmp_path / "sharp" / "a.nii.gz", image.shape)
    options = ("--coils", 4, "--calibration", 8, "--acceleration", 2, "--noise", 1)
    assert cli("simulate", "kspace", "-i", tmp_path / "sharp", "-o", tmp_path / "raw", *options).exit_code == 0
    told = cli("reconstruct", "-i", tmp_path / "raw", "-o", tmp_path / "out", "--report", "--method", "cg-sense")
    assert told.exit_code == 0, told.stderr
    page = (tmp_path / "out" / "report.html").read_text()
    assert "result minus zero-filled" in page
    assert "times the noise" in page


def test_without_the_extra_a_wanted_report_is_refused_before_the_work(cli, calls, rich_scans, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    told = cli("enhance", "-i", rich_scans, "-o", tmp_path / "out", "--report")
    assert told.exit_code == 2
    assert "pip install 'medidiff[report]'" in told.stderr
    assert not any("volume" in call for call in calls)


def test_without_the_extra_scores_are_written_all_the_same(cli, tmp_path, monkeypatch):
    roots = study(tmp_path, subjects=1)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    told = cli("evaluate", "-p", roots["good"], "-r", tmp_path / "r", "-o", tmp_path / "out")
    assert told.exit_code == 0
    assert "no report.html: pages need jinja2" in told.stderr
    assert (tmp_path / "out" / "summary.md").exists()
    monkeypatch.undo()
    told = cli("evaluate", "-p", roots["good"], "-r", tmp_path / "r", "-o", tmp_path / "out")
    assert "see " + str(tmp_path / "out" / "report.html") in told.stderr


def test_pages_of_dicom_name_nobody(cli, calls, tmp_path):
    write(slices(Plan(values((20, 22, 8)))), tmp_path / "in" / "Doe^Jane")
    told = cli("enhance", "-i", tmp_path / "in", "-o", tmp_path / "out", "--report", "--format", "dicom")
    assert told.exit_code == 0, told.stderr
    pages = [tmp_path / "out" / "report.html", *(tmp_path / "out" / "cases").iterdir()]
    assert len(pages) == 2
    for page in pages:
        text = page.read_text()
        assert "result minus cubic" in text
        assert not any(name in text for name in ("Doe", "HOSP-4711", str(tmp_path)))


def test_a_long_folder_tells_how_far_it_is(capsys, monkeypatch):
    clock = iter(range(0, 1000, 40))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with counting(quiet=False) as count:
        assert count is not None
        for done in range(4):
            count(done, 4, f"case-{done}")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("[1/4] case-1, about ")
    assert len(lines) == 3
    with counting(quiet=True) as count:
        assert count is None
