import numpy as np
import pytest

from medidiff.errors import InputError
from medidiff.evaluation import evaluate, pair_up
from medidiff.evaluation.images import find_images
from medidiff.evaluation.listing import bids_key, group_of, read_listing, subject_of
from tests.dicoms import Plan, slices, values, write
from tests.evaluation.making import folders, head, save, study

__all__ = ["folders"]


def test_pairs_are_found_by_folder_and_name(folders):
    p, r, _ = folders
    for name in ("a/x_enhanced", "b/x_enhanced", "a/x_uncertainty", "a/alone"):
        save(p, name, head())
    for name in ("a/x", "b/x", "c/lonely"):
        save(r, name, head())
    found = pair_up(p, r)
    assert list(found.pairs) == ["a/x", "b/x"]
    assert [image.path for image in found.pairs["b/x"]] == [p / "b/x_enhanced.nii.gz", r / "b/x.nii.gz"]
    assert {path.name for path in found.unpaired} == {"alone.nii.gz", "lonely.nii.gz"}


def test_a_name_that_occurs_once_is_paired_across_folders_and_one_that_occurs_twice_is_not(folders):
    p, r, _ = folders
    for folder, name in ((p, "deep/x_enhanced"), (r, "x"), (p, "one/y"), (p, "two/y"), (r, "y")):
        save(folder, name, head())
    found = pair_up(p, r)
    assert list(found.pairs) == ["x"]
    assert len(found.unpaired) == 3


def test_the_enhanced_of_two_is_the_prediction_and_the_plain_one_the_reference(tmp_path):
    save(tmp_path, "x", head())
    save(tmp_path, "x_enhanced", head(1))
    found = pair_up(tmp_path, tmp_path)
    assert [image.path.name for image in found.pairs["x"]] == ["x_enhanced.nii.gz", "x.nii.gz"]


def test_two_files_belong_together_whatever_their_names(folders):
    p, r, out = folders
    assert evaluate(save(p, "x", head()), save(r, "quite_another", head()), out).counts()["scored"] == 1


def test_nothing_to_pair_is_one_clear_line(folders):
    p, r, out = folders
    save(p, "x", head())
    save(r, "y", head())
    with pytest.raises(InputError, match=r"nothing can be paired.*1 predictions and 1 references"):
        evaluate(p, r, out)
    with pytest.raises(InputError, match="no such file"):
        evaluate(p, r / "missing", out)


def test_by_path_alone_names_in_other_folders_stay_alone_and_by_stem_they_do_not(folders):
    p, r, _ = folders
    save(p, "deep/x", head())
    save(r, "x", head())
    with pytest.raises(InputError, match="nothing can be paired"):
        pair_up(p, r, by="path")
    assert list(pair_up(p, r, by="stem").pairs) == ["x"]


def test_bids_entities_tell_who_was_scanned_and_not_how_the_image_was_made(folders):
    p, r, _ = folders
    save(p, "sub-01/ses-2/anat/sub-01_ses-2_acq-thick_desc-sharp_T1w_enhanced", head())
    save(r, "sub-01_ses-2_acq-mprage_T1w", head())
    save(r, "sub-01_ses-1_acq-mprage_T1w", head())
    found = pair_up(p, r, by="bids")
    assert list(found.pairs) == ["sub-01_ses-2_acq-mprage_T1w"]
    assert bids_key("no_entities") == ""


def test_a_table_pairs_whatever_it_says(folders, tmp_path):
    p, r, out = folders
    save(p, "one_enhanced", head())
    save(r, "other", head())
    table = tmp_path / "pairs.csv"
    table.write_text("prediction,reference,site\none_enhanced.nii.gz,other.nii.gz,Ulm\nmissing,other,Ulm\n")
    told = evaluate(p, r, out, pair=str(table), group="site")
    assert [(row.case, row.group) for row in told] == [("other", "Ulm")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty"), ("prediction,other\na,b\n", "lacks a column.*reference"), (None, "cannot be read")],
)
def test_a_table_that_cannot_be_used_is_one_clear_line(folders, tmp_path, text, reason):
    p, r, _ = folders
    save(p, "x", head())
    save(r, "x", head())
    table = tmp_path / "pairs.csv"
    if text is not None:
        table.write_text(text)
    with pytest.raises(InputError, match=reason):
        pair_up(p, r, by=str(table))


def test_groups_come_from_a_table_the_folder_or_an_entity(tmp_path):
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tsite\nsub-01\tUlm\n")
    about = read_listing(table)
    assert group_of("3mm/sub-01_T1w", "site", about) == "Ulm"
    assert group_of("3mm/sub-02_T1w", "site", about) == "not told"
    assert group_of("3mm/sub-01_T1w", "folder", None) == "3mm"
    assert group_of("sub-01_acq-thick_T1w", "acq", about) == "thick"


def test_people_of_different_studies_are_not_the_same():
    assert subject_of("5mm/ds1_sub-10_T1w") == subject_of("3mm/ds1_sub-10_T2w") != subject_of("ds2_sub-10_T1w")


def test_arrays_have_no_grid_and_are_paired_by_shape(folders):
    p, r, _ = folders
    p.mkdir()
    np.save(p / "x.npy", (head() + 1).astype(np.complex64))
    save(r, "x", head())
    (told,) = evaluate(p, r)
    assert told.score.metrics["psnr"] > 30
    assert "no grid is known" in told.score.note
    np.save(p / "x.npy", head()[1:])
    (told,) = evaluate(p, r)
    assert "not on the reference's grid" in told.score.error
    np.save(p / "x.npy", head()[0])
    (told,) = evaluate(p, r)
    assert "not one 3D array" in told.score.error


def test_dicom_series_are_paired_by_folder_and_called_by_hashes(folders):
    p, r, out = folders
    for root in (p, r):
        write(slices(Plan(values())), root / ("deep" if root == p else "") / "Doe^John")
    found = find_images(p)
    assert [image.key for image in found] == ["deep/Doe^John"]
    told = evaluate(p, r, out, region="all")
    assert "Doe" not in (out / "cases.csv").read_text() + (out / "summary.json").read_text().replace(str(p), "")
    assert len(told.cases) == 1
    assert "paired by name with" in told.rows[0].score.note


def test_what_one_method_lacks_is_told_and_the_others_are_scored(tmp_path):
    roots = study(tmp_path, subjects=2)
    next(roots["bad"].iterdir()).unlink()
    told = evaluate(roots, tmp_path / "r")
    assert told.counts() == {"scored": 3, "failed": 0, "unpaired": 1}
    assert list(told.unpaired.values()) == ["no prediction of this name (bad)"]
    save(tmp_path / "r", "sub-99_T1w", head())
    lonely = evaluate(roots, tmp_path / "r").unpaired[tmp_path / "r" / "sub-99_T1w.nii.gz"]
    assert lonely == "no prediction of this name (good); no prediction of this name (bad)"


@pytest.mark.realdata
def test_a_real_series_is_its_reference_wherever_that_stores_its_voxels(shared):
    """Another program's NIfTI of the same series, flipped: the same values at the same places in space."""
    (series,) = (shared / "dicom" / "dcm_qa_xa30" / "In").glob("5_*")
    (reference,) = (shared / "dicom" / "dcm_qa_xa30" / "Ref").glob("5_*.nii.gz")
    (told,) = evaluate(series, reference, region="all")
    assert told.score.metrics["psnr"] == np.inf
    assert "axes reordered" in told.score.note
