"""What is found in folders, under which names, and what is left out and why."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medidiff.errors import InputError
from medidiff.io.discover import discover
from medidiff.io.nifti import read_header, write_nifti
from medidiff.volume import Geometry, Volume
from tests.bad_files import good


def stems(inputs, output=None):
    return [str(found.stem) for found in discover(inputs, output=output)[0]]


def result(path, description="medidiff 0.1.0 enhanced, research use only"):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(Volume(np.ones((3, 3, 3)), Geometry((3, 3, 3), np.eye(4))), path, description=description)


def test_folders_are_searched_and_mirrored(tmp_path):
    for name in ("b.nii", "a.nii.gz", "sub-01/anat/T1w.NII.GZ", "notes.txt", ".hidden.nii", ".git/c.nii"):
        good(tmp_path / "raw.nii.gz")
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes((tmp_path / "raw.nii.gz").read_bytes())
    assert stems([tmp_path / "in"]) == ["a", "b", "sub-01/anat/T1w"]


def test_files_named_outright_are_taken_whatever_they_are(tmp_path):
    (tmp_path / "odd.txt").write_text("x")
    assert stems([tmp_path / "odd.txt"]) == ["odd.txt"]


def test_zipped_and_plain_twins_get_names_of_their_own(tmp_path):
    for name in ("a.nii", "a.nii.gz", "a_nii.nii.gz"):
        good(tmp_path / name)
    names = stems([tmp_path])
    assert len(set(names)) == 3
    assert names[1] == "a"


def test_equal_names_in_several_roots_are_told_apart_by_their_folders(tmp_path):
    for name in ("one/scans/T1.nii.gz", "two/scans/T1.nii.gz", "two/scans/T2.nii.gz"):
        good(tmp_path / name)
    roots = [tmp_path / "one" / "scans", tmp_path / "two" / "scans"]
    assert stems(roots) == ["one/scans/T1", "two/scans/T1", "T2"]


def test_equal_names_among_files_are_told_apart_by_their_folders(tmp_path):
    paths = [good(tmp_path / f"sub-{n}" / "T1.nii.gz") for n in (1, 2)]
    assert stems(paths) == ["sub-1/T1", "sub-2/T1"]


@given(
    names=st.sets(st.from_regex(r"([ab]/){0,2}[ab](_nii|_2)?\.nii(\.gz)?", fullmatch=True), max_size=12),
    roots=st.lists(st.sampled_from([".", "a", "b", "a/b", "b/a"]), min_size=1, max_size=4),
)
def test_whatever_is_given_no_two_names_are_equal_and_nothing_is_lost(names, roots, tmp_path_factory):
    top = tmp_path_factory.mktemp("top")
    for folder in [*roots, *(Path(name).parent for name in names)]:
        (top / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        (top / name).write_bytes(b"x")
    found, skipped = discover([top / root for root in roots])
    below = {top / name for name in names if any((top / root) in (top / name).parents for root in roots)}
    assert {item.path for item in found} == below
    assert len({item.stem for item in found}) == len(found)
    assert not any(item.stem.is_absolute() or ".." in item.stem.parts for item in found)
    assert {item.reason for item in skipped} <= {"given twice"}


def test_an_output_folder_inside_the_input_is_not_searched(tmp_path):
    good(tmp_path / "a.nii.gz")
    good(tmp_path / "out" / "b.nii.gz")
    assert stems([tmp_path], tmp_path / "out") == ["a"]


def test_an_output_folder_that_is_the_input_leaves_out_our_results(tmp_path):
    good(tmp_path / "a.nii.gz")
    result(tmp_path / "a_enhanced.nii.gz")
    result(tmp_path / "a_uncertainty.nii.gz", "medidiff 0.1.0 uncertainty, research use only")
    found, skipped = discover([tmp_path], output=tmp_path)
    assert [item.stem for item in found] == [Path("a")]
    assert {item.reason for item in skipped} == {"a result of medidiff"}


def test_contrast_enhanced_images_of_others_are_inputs(tmp_path):
    good(tmp_path / "T1_enhanced.nii.gz")
    result(tmp_path / "sim_enhanced.nii.gz", "medidiff 0.1.0 simulated")
    assert stems([tmp_path]) == ["T1_enhanced", "sim_enhanced"]


def test_a_file_given_twice_is_found_once(tmp_path):
    path = good(tmp_path / "a.nii.gz")
    found, skipped = discover([path, tmp_path], output=None)
    assert len(found) == 1
    assert skipped[0].reason == "given twice"


def test_links_keep_their_own_names(tmp_path):
    target = good(tmp_path / "annex" / "MD5-abc.nii.gz")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "sub-01_T1w.nii.gz").symlink_to(target)
    assert stems([tmp_path / "in"]) == ["sub-01_T1w"]


def test_two_links_to_the_same_content_are_two_images(tmp_path):
    target = good(tmp_path / "annex" / "MD5-abc.nii.gz")
    for name in ("sub-01", "sub-02"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{name}.nii.gz").symlink_to(target)
    assert stems([tmp_path / "in"]) == ["sub-01", "sub-02"]


def test_a_link_to_content_that_was_not_fetched_says_so(tmp_path):
    (tmp_path / "a.nii.gz").symlink_to(tmp_path / "annex" / "MD5-abc.nii.gz")
    assert stems([tmp_path]) == ["a"]
    with pytest.raises(InputError, match="fetch the content"):
        read_header(tmp_path / "a.nii.gz")


def test_other_image_formats_are_named_with_what_to_do(tmp_path):
    for name in ("a.mgz", "b.img", "c.dcm"):
        (tmp_path / name).write_bytes(b"x")
    found, skipped = discover([tmp_path])
    assert not found
    assert {item.reason for item in skipped} == {"not NIfTI: convert it first"}


def test_a_missing_input_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        discover([tmp_path / "nowhere"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_locked_folder_is_told(tmp_path):
    (tmp_path / "locked").mkdir(mode=0)
    _, skipped = discover([tmp_path])
    assert "Permission denied" in skipped[0].reason
