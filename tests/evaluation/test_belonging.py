"""Nothing is scored against another person's image, and nothing that was named goes missing without a word."""

import numpy as np
import pytest

from medidiff.errors import InputError, UsageError
from medidiff.evaluation import evaluate, pair_up
from medidiff.evaluation.listing import read_listing
from medidiff.evaluation.plan import plan_cases
from medidiff.tasks import simulate_thick_slices
from medidiff.volume import Volume
from tests.evaluation.making import GRID, folders, head, save

__all__ = ["folders"]


def table_of(root, text, name="table.csv"):
    path = root / name
    path.write_text(text)
    return path


def many(folder, *names):
    for seed, name in enumerate(names):
        save(folder, name, head(seed))


def test_the_plain_image_is_the_measurement_and_the_mask_and_the_enhanced_one_the_prediction(tmp_path):
    many(tmp_path / "r", "x")
    for folder in ("p", "inp", "masks"):
        many(tmp_path / folder, "x", "x_enhanced")
    plan = plan_cases({"p": tmp_path / "p"}, tmp_path / "r", inputs=tmp_path / "inp", region=tmp_path / "masks")
    (case,) = plan.cases
    assert [image.path.name for image in (case.source, case.region) if image] == ["x.nii.gz"] * 2
    assert case.images["p"].path.name == "x_enhanced.nii.gz"


def test_a_name_that_other_people_have_as_well_pairs_nothing(folders):
    p, r, _ = folders
    many(p, "siteA/001", "siteB/001")
    many(r, "siteA/001", "siteC/001")
    found = pair_up(p, r)
    assert list(found.pairs) == ["siteA/001"]
    assert found.unpaired[p / "siteB/001.nii.gz"] == "2 predictions and 2 references of this name"
    assert found.unpaired[r / "siteC/001.nii.gz"] == "2 references and 2 predictions of this name"


def test_two_subjects_are_not_one_because_their_files_have_one_name(folders):
    p, r, _ = folders
    many(p, "sub-01/anat/T1w", "x")
    many(r, "sub-02/anat/T1w", "x")
    for by in ("auto", "stem", "bids"):
        assert list(pair_up(p, r, by=by).pairs) == ["x"]


def test_a_pair_made_by_name_and_not_by_path_is_noted(folders):
    p, r, _ = folders
    many(p, "deep/x", "y")
    many(r, "x", "y")
    notes = {row.case: row.score.note for row in evaluate(p, r)}
    assert notes["x"] == "paired by name with deep/x"
    assert notes["y"] == ""


def test_bids_prefers_the_very_name_and_goes_by_entities_after_that(folders):
    p, r, _ = folders
    many(r, "sub-01/anat/sub-01_acq-a_T1w", "sub-01/anat/sub-01_acq-b_T1w", "sub-02_acq-c_T1w")
    many(p, "sub-01_acq-a_T1w_enhanced", "sub-02_desc-sharp_T1w")
    found = pair_up(p, r, by="bids")
    assert set(found.pairs) == {"sub-01/anat/sub-01_acq-a_T1w", "sub-02_acq-c_T1w"}
    assert found.unpaired[r / "sub-01/anat/sub-01_acq-b_T1w.nii.gz"] == "2 references and 1 prediction of this name"


def test_rows_of_a_table_that_name_nothing_are_listed_with_their_lines(folders, tmp_path):
    p, r, _ = folders
    many(p, "a", "b")
    many(r, "a", "b")
    text = (
        f"prediction,reference\n{p / 'a.nii.gz'},{r / 'a.nii.gz'}\n\nTYPO.nii.gz,b.nii.gz\nb,nope\n_enhanced.nii.gz,a\n"
    )
    found = pair_up(p, r, by=str(table_of(tmp_path, text)))
    assert list(found.pairs) == ["a"]
    assert {path.name: why for path, why in found.unpaired.items()} == {
        "b.nii.gz": "not in the table",
        "table.csv, line 4": "no prediction 'TYPO.nii.gz'",
        "table.csv, line 5": "no reference 'nope'",
        "table.csv, line 6": "no prediction '_enhanced.nii.gz'",
    }


@pytest.mark.parametrize("row", ["b,a", "a,b"])
def test_a_table_pairs_nothing_twice(row, folders, tmp_path):
    p, r, _ = folders
    many(p, "a", "b")
    many(r, "a", "b")
    with pytest.raises(InputError, match=r"line 3: table pairs something twice"):
        pair_up(p, r, by=str(table_of(tmp_path, f"prediction,reference\na,a\n{row}\n")))


def test_a_row_that_is_too_long_is_one_clear_line(folders, tmp_path):
    p, r, _ = folders
    many(p, "a")
    many(r, "a")
    path = table_of(tmp_path, "pred,ref\na,b,c\n")
    with pytest.raises(InputError, match=r"line 2: row has more cells than the header"):
        evaluate({"p": p}, r, pair=str(path))


def test_an_unknown_way_to_pair_is_told_with_those_that_there_are(folders):
    p, r, _ = folders
    many(p, "a")
    many(r, "a")
    with pytest.raises(UsageError, match=r"found bogus, needed auto, path, stem, bids or a table"):
        evaluate(p / "a.nii.gz", r / "a.nii.gz", pair="bogus")


def test_inputs_and_masks_without_a_reference_are_listed_and_cases_without_them_say_so(tmp_path):
    for name in ("x", "y"):
        for folder in ("p", "r"):
            save(tmp_path / folder, name, head())
    for name in ("x", "stray"):
        thick = simulate_thick_slices(Volume(head(), GRID), spacing=4.8, axis="z")
        save(tmp_path / "inp", name, thick.array, thick.geometry)
        save(tmp_path / "masks", name, np.ones(GRID.shape))
    told = evaluate(tmp_path / "p", tmp_path / "r", inputs=tmp_path / "inp", region=tmp_path / "masks")
    assert {path: told.unpaired[path] for path in told.unpaired if "stray" in path.name} == {
        tmp_path / "inp" / "stray.nii.gz": "no reference of this name (input)",
        tmp_path / "masks" / "stray.nii.gz": "no reference of this name (region)",
    }
    assert set(told.unpaired) == {tmp_path / "inp" / "stray.nii.gz", tmp_path / "masks" / "stray.nii.gz"}
    assert told.counts() == {"scored": 1, "failed": 1, "unpaired": 2}
    again = {row.case: row for row in evaluate(tmp_path / "p", tmp_path / "r", inputs=tmp_path / "inp")}
    assert again["y"].score.note == "no data residual: no input of this name"
    assert "data_residual" in again["x"].score.metrics


def test_a_row_is_of_the_case_that_it_names_and_of_no_other(tmp_path):
    """What is called A as a prediction is of reference B."""
    about = read_listing(table_of(tmp_path, "prediction,reference,scanner\nB,A,GE\nA,B,Siemens\n"))
    assert [about.value(case, "scanner") for case in "AB"] == ["GE", "Siemens"]
    later = read_listing(table_of(tmp_path, "participant_id,case,site\nx,y,Ulm\ny,x,Bonn\n"))
    assert [later.value(case, "site") for case in "xy"] == ["Bonn", "Ulm"]


def test_a_group_that_nothing_has_is_refused_and_so_is_a_table_that_nothing_is_asked_of(folders, tmp_path):
    p, r, _ = folders
    many(p, "sub-01_acq-a_T1w")
    many(r, "sub-01_acq-a_T1w")
    about = table_of(tmp_path, "case,age\nsub-01_acq-a_T1w,young\n")
    with pytest.raises(UsageError, match=r"nothing to group by \(found agee; columns case, age"):
        evaluate(p, r, group="agee", about=about)
    with pytest.raises(UsageError, match="says nothing that is asked for"):
        evaluate(p, r, about=about)
    for group, told in (("age", "young"), ("acq", "a"), ("folder", ".")):
        assert evaluate(p, r, group=group, about=about).groups == (told,)


def test_a_table_says_whose_image_a_case_is(folders, tmp_path):
    p, r, _ = folders
    names = ("3mm/IXI002", "5mm/IXI002", "dsA/sub-01", "dsB/sub-01")
    many(p, *names)
    many(r, *names)
    assert len(evaluate(p, r).subjects) == 3
    for column in ("subject", "participant_id"):
        text = f"case,{column}\n3mm/IXI002,one\n5mm/IXI002,one\ndsA/sub-01,two\ndsB/sub-01,three\n"
        told = evaluate(p, r, about=table_of(tmp_path, text))
        assert told.subjects == ("one", "two", "three")
        assert "4 cases of 3 subjects" in told.markdown()
    alone = table_of(tmp_path, "participant_id,age\nsub-01,young\n")
    assert len(evaluate(p, r, about=alone, group="age").subjects) == 3
