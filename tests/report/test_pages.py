"""What pages say, and that they need nothing but themselves; the browser has a file of its own."""

import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from medidiff.errors import ResourceError
from medidiff.report.pages import Pages, slug_of
from medidiff.report.pictures import coloured, grey
from medidiff.report.run_pages import RunPages, told_of
from medidiff.report.scene import Colours, compose
from medidiff.volume import Geometry, Volume
from tests.evaluation.making import GRID, blurred, head


class Parsed(HTMLParser):
    """Counts tags, remembers addresses, texts for those who do not see, and whether everything is closed."""

    VOID = {"meta", "link", "img", "input", "br"}  # noqa: RUF012

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.addresses, self.alts, self.ids = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.tags.append(tag)
        self.addresses += [told[name] for name in ("src", "href", "srcset", "action") if name in told]
        self.alts += [told.get("alt", "")] if tag == "img" else []
        self.ids += [told["id"]] if "id" in told else []
        if tag not in self.VOID and tag not in ("path", "polyline", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("path", "polyline", "circle"):
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(reported):
    return (reported[0] / "report.html").read_text()


def test_every_address_is_in_the_page_itself_or_beside_it(reported, page):
    folder, _ = reported
    addresses = Parsed(page).addresses
    for address in addresses:
        assert address.startswith(("data:", "#")) or (folder / address).is_file(), address
    for case in (folder / "cases").iterdir():
        assert all(a.startswith("data:") or a == "../report.html" for a in Parsed(case.read_text()).addresses)
    assert "default-src 'none'" in page
    assert not re.findall(r"https?://|//cdn|@import|url\(", page)


def test_the_page_is_well_formed_and_every_picture_has_words(page):
    parsed = Parsed(page)
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert all(parsed.alts)
    assert {"sub-00_acq-a_T1w" in alt or "colours from" in alt for alt in parsed.alts} == {True, False}


def test_the_worst_are_in_the_report_and_all_have_pages(reported, page):
    folder, table = reported
    worst = [case["case"] for case in table.summary["worst_cases"]]
    assert page.count('<section class="case"') == 2
    assert [page.index(f'id="case-{case}"') for case in worst[:2]] == sorted(
        page.index(f'id="case-{case}"') for case in worst[:2]
    )
    assert {path.stem for path in (folder / "cases").iterdir()} == set(table.cases)


def test_everything_that_belongs_is_there(page):
    for told in (
        "Research use only", "good against each other method", "Wilcoxon", "99.9th percentile", "uncertainty of good",
        "good minus reference", "of the data range", "Largest error of good", "Calibration of uncertainties",
        "Without scores", "versions", "data residual", "coverage 90",
    ):  # fmt: skip
        assert told in page, told


def test_what_files_and_names_say_is_never_markup(tmp_path):
    pages = Pages(tmp_path, "<b>title</b>")
    told: dict[str, object] = {
        "scene": None,
        "scores": None,
        "facts": {},
        "warnings": ["<script>x</script>"],
        "left": 0,
        "right": 0,
    }
    pages.write("<img src=x>", told)
    (page,) = (tmp_path / "cases").iterdir()
    text = page.read_text()
    assert "<script>x" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("name", ["a/b", "a b", "../../etc/passwd", "ä", "x" * 300, ".", "\udcff"])
def test_names_become_files_of_their_own(name):
    slug = slug_of(name)
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,90}", slug)
    assert slug != slug_of(name + "?")


def test_without_what_draws_pages_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ResourceError, match="medidiff\\[report\\]"):
        Pages(tmp_path, "title")


def test_grey_runs_from_black_to_white_and_what_is_outside_is_black():
    image = np.array([[0.0, 50.0], [100.0, np.nan]])
    assert pixels(grey(image, (0, 100))).tolist() == [[255, 0], [0, 128]]
    middle, outside = pixels(coloured(image, (-100, 100), "RdBu_r"), "RGB")[[1, 0], [0, 1]]
    assert middle.min() > 230
    assert outside.tolist() == [0, 0, 0]


def pixels(address, mode="L"):
    from base64 import b64decode
    from io import BytesIO

    from PIL import Image

    return np.asarray(Image.open(BytesIO(b64decode(address.split(",")[1]))).convert(mode))


def scene(errors):
    truth = Volume(head(), GRID)
    maps = {name: Colours(Volume(errors * gain, GRID), "x", signed=True) for name, gain in (("one", 1), ("two", 3))}
    other = GRID.reshaped((20, 22, 6))
    thick = Volume(head()[:, :, ::4], other)
    return compose({"input": thick, "truth": truth}, maps, frame=GRID, window_of="truth", errors=Volume(errors, GRID))


def test_layers_of_other_grids_have_the_same_size_and_maps_of_a_kind_one_scale():
    drawn = scene(blurred(head(), 1.0) - head())
    assert drawn.maps[0]["high"] == drawn.maps[1]["high"]
    assert drawn.maps[0]["low"] == f"-{drawn.maps[0]['high']}"
    for n, plane in enumerate(drawn.planes):
        for layer in (*drawn.layers, *drawn.maps):
            assert pixels(layer["pictures"][n]).shape == (plane["height"], plane["width"])


def test_crops_are_where_the_errors_are_and_apart_from_each_other():
    grid = Geometry((60, 60, 60), np.eye(4))
    errors = np.zeros(grid.shape, dtype=np.float32)
    errors[10, 12, 14], errors[45, 40, 30], errors[11, 12, 14] = 5, -4, 5
    volume = Volume(errors, grid)
    drawn = compose({"a": volume}, {}, frame=grid, window_of="a", errors=volume)
    assert [crop["place"] for crop in drawn.crops][:2] == ["R +10, A +12, S +14", "R +45, A +40, S +30"]


def test_a_run_is_shown_before_and_after_with_its_warnings(tmp_path):
    pages = RunPages(tmp_path, "medidiff enhance")
    facts = {
        "data_residual": {"before": 0.05, "after": 1e-6},
        "warnings": ["spacing is outside of what the model knows"],
        "model": {"name": "toy", "version": "1"},
        "acquisition": {"assumed": ["profile"]},
        "seconds": 3.0,
        "noise": {"sd": 1.5, "origin": "estimated"},
    }
    before, after = Volume(head(), GRID), Volume(head(1), GRID)
    pages.add("a", facts, {"input": before}, after, Volume(np.ones(GRID.shape), GRID))
    rows = [
        {"name": name, "status": status, "residual": "", "seconds": "3.0 s", "note": note}
        for name, status, note in (("a", "done", ""), ("b", "failed", "no image"))
    ]
    text = pages.close(rows, {"seed": 0, "axis": None, "like": GRID.as_dict()}).read_text()
    for told in (
        "0.05 before, 1e-06 after",
        "outside of what the model knows",
        "toy 1",
        "uncertainty",
        "no image",
        "20 x 22 x 24",
    ):
        assert told in text
    assert Parsed(text).open == []


def test_facts_that_are_not_there_are_not_told():
    assert told_of({}) == {}
