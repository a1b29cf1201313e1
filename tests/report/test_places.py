"""Where things are in a picture is drawn and said: sides, crops, and one scale for what is compared."""

import re

import numpy as np
import pytest

from medidiff.evaluation import evaluate
from medidiff.report.evaluation_pages import EvaluationPages
from medidiff.report.pages import OURS, Pages, remove_pages
from medidiff.report.scene import Colours, compose
from medidiff.volume import Geometry, Volume
from tests.evaluation.making import study

WIDE = Geometry((60, 60, 60), np.eye(4))


def spotted(where, size=100.0):
    """An error at one voxel."""
    array = np.zeros(WIDE.shape, dtype=np.float32)
    array[where] = size
    return Volume(array, WIDE)


def composed(errors, **maps):
    layers = {"one": Volume(np.random.default_rng(0).normal(size=WIDE.shape).astype(np.float32), WIDE)}
    all_maps = {"one minus reference": Colours(errors, "u", signed=True), **maps}
    return compose(layers, all_maps, frame=WIDE, window_of="one", errors=errors)


def test_a_crop_shows_the_difference_too_and_its_box_lies_around_it_in_its_plane():
    """44 mm, from 18.5 to 62.5 and from 3.5 to 47.5 of 60 mm: as far as the plane goes."""
    scene = composed(spotted((40, 25, 30)))
    (crop,) = scene.crops
    assert [piece["name"] for piece in crop["pictures"]] == ["one", "one minus reference"]
    (plane,) = [plane for plane in scene.planes if plane["marks"]]
    assert plane["name"] == crop["view"] == "axial"
    (mark,) = plane["marks"]
    assert mark["number"] == 1
    assert mark["left"] == pytest.approx(100 * 18.5 / 60, abs=0.01)
    assert mark["left"] + mark["width"] == pytest.approx(100, abs=0.01)
    assert mark["top"] == pytest.approx(100 * (60 - 47.5) / 60, abs=0.01)
    assert mark["top"] + mark["height"] == pytest.approx(100 * (60 - 3.5) / 60, abs=0.01)


def test_maps_of_a_kind_share_the_scale_of_the_first():
    bad = Colours(spotted((3, 3, 3), 5000.0), "u", signed=True)
    first, second = composed(spotted((9, 9, 9)), **{"two minus reference": bad}).maps
    assert first["high"] == second["high"] == "100"
    perfect, _ = composed(spotted((9, 9, 9), 0.0), **{"two minus reference": bad}).maps
    assert perfect["high"] == "5e+03"


def test_every_plane_map_and_crop_has_its_four_sides_and_says_them(reported):
    page = next(iter(sorted((reported[0] / "cases").iterdir()))).read_text()
    pictures, letters = page.count('<div class="stack"'), [f'class="{side}" aria-hidden' for side in "wesn"]
    assert [page.count(letter) for letter in letters] == [pictures] * 4
    alts = [alt for alt in re.findall(r'alt="([^"]*)"', page) if not alt.startswith("colours")]
    assert all(re.search(r"[LP] on the left, [RA] on the right, [PI] below, [AS] above", alt) for alt in alts)
    assert sum("axial" in alt and "L on the left, R on the right, P below, A above" in alt for alt in alts) > 3
    assert page.count('class="mark"') == page.count('class="spot"') > 0


def test_the_keys_that_are_offered_are_keys_that_there_are(tmp_path):
    layers = [{"name": f"method {n}", "pictures": ["data:,"] * 3} for n in range(12)]
    planes = [{"name": "axial", "sides": "LRPA", "width": 4, "height": 4, "marks": []}] * 3
    scene = {"planes": planes, "layers": layers, "maps": [], "crops": []}
    told = {"scene": scene, "left": 0, "right": 1, "crops_at": "x", "scores": None, "facts": {}, "warnings": []}
    pages = Pages(tmp_path, "t")
    pages.write("many", told)
    assert (
        "<kbd>1</kbd> to <kbd>9</kbd> show one image of the first nine." in (tmp_path / pages.place("many")).read_text()
    )


def test_the_page_tells_differences_case_by_case_and_comparisons_by_sub_group(reported):
    page, (_, table) = (reported[0] / "report.html").read_text(), reported
    assert '<th class="n" scope="col">good - bad</th>' in page
    told = table.summary["differences"][0]
    assert f'<td class="n">{told["metrics"]["psnr"]:+.2f}</td>' in page
    assert 'aria-label="comparisons of a"' in page
    assert "4 cases of 4 subjects" in page


def test_methods_keep_their_names_in_settings_and_over_crops(tmp_path):
    pages = EvaluationPages(tmp_path / "out")
    roots = study(tmp_path, subjects=1, methods=("Our_Method", "other"))
    report = pages.close(evaluate(roots, tmp_path / "r", look=pages.add)).read_text()
    assert "<dt>method Our_Method</dt>" in report
    assert "Largest error of Our_Method 1" in report


def test_pages_of_an_earlier_run_go_and_what_others_wrote_stays(tmp_path):
    out = tmp_path / "out"
    for subjects in (3, 2):
        for folder in ("good", "bad", "r"):
            for path in (tmp_path / folder).glob("*"):
                path.unlink()
        pages = EvaluationPages(out)
        table = evaluate(study(tmp_path, subjects=subjects), tmp_path / "r", out, look=pages.add)
        pages.close(table)
        (out / "cases" / "mine.html").write_text("<p>not yours</p>")
    assert sorted(path.stem for path in (out / "cases").iterdir()) == ["mine", *table.cases]
    assert OURS in (out / "report.html").read_bytes()
    remove_pages(out)
    assert [path.name for path in (out / "cases").iterdir()] == ["mine.html"]
    assert not (out / "report.html").exists()
