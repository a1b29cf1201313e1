"""Pages in a real browser, where one is installed: nothing leaves the machine, everything works by keyboard."""

import json
import shutil
from importlib.util import find_spec

import pytest

from medidiff.evaluation import evaluate
from medidiff.report.evaluation_pages import EvaluationPages
from tests.evaluation.making import study

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER and find_spec("selenium")), reason="no chromium, chromedriver or selenium"
)


@pytest.fixture(scope="module")
def chromium():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"):
        options.add_argument(argument)
    options.binary_location = BROWSER or ""
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium, reported):
    """The report, freshly opened."""
    chromium.get((reported[0] / "report.html").as_uri())
    return chromium


def wide(page, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def viewer(page):
    return page.find_element("css selector", ".viewer")


def shown(page):
    """The layers that lie left and right of the edge, and where it is."""
    script = """
        const viewer = document.querySelector(".viewer"), pick = (side) => viewer.querySelector(".pick-" + side).value;
        const seen = [...viewer.querySelector(".stack").querySelectorAll("img")].filter((i) => i.checkVisibility());
        return [pick("left"), pick("right"), Number(viewer.querySelector(".cut").value), seen.map((i) => i.alt)];
    """
    return page.execute_script(script)


def test_no_request_leaves_the_machine_and_nothing_is_complained_of(page):
    page.get_log("performance")
    page.get_log("browser")
    page.refresh()
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert urls
    assert [url[:60] for url in urls if not url.startswith(("file:", "data:"))] == []
    assert sum(url.startswith("file:") for url in urls) == 1
    assert page.get_log("browser") == []


def test_an_address_that_gets_in_is_refused_by_the_browser(page):
    page.get_log("browser")
    script = "const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; document.body.append(i);"
    page.execute_script(script)
    assert any("Content Security Policy" in entry["message"] for entry in page.get_log("browser"))


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_is_as_wide_as_the_window_and_its_pictures_are_drawn(width, page):
    wide(page, width)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    assert page.execute_script("return [...document.images].every((i) => i.complete && i.naturalWidth > 0)")
    smallest = page.execute_script(
        "return Math.min(...[...document.querySelectorAll('.viewer .stack')].map((s) => s.clientWidth))"
    )
    assert smallest >= 150
    letters = "return Math.min(...[...document.querySelectorAll('p, td, figcaption')]"
    assert page.execute_script(f"{letters}.map((e) => parseFloat(getComputedStyle(e).fontSize)))") >= 12


def test_long_names_of_methods_do_not_make_the_page_wider_than_the_window(chromium, tmp_path):
    pages = EvaluationPages(tmp_path / "out")
    names = ("good", "a_rather_long_name_of_a_method_that_somebody_chose_to_give_it_all_the_same")
    pages.close(evaluate(study(tmp_path, subjects=1, methods=names), tmp_path / "r", look=pages.add))
    wide(chromium, 400)
    chromium.get((tmp_path / "out" / "report.html").as_uri())
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= 400


def test_no_letter_lies_under_the_edge_or_a_name(page):
    """At first, the edge in the middle."""
    wide(page, 400)
    page.refresh()
    apart = """
        const viewer = document.querySelector(".viewer"), box = (e) => e.getBoundingClientRect();
        const over = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
        return [...viewer.querySelectorAll(".stack")].every((stack) => [..."wesn"].every((side) =>
            [".edge", ".tag.l", ".tag.r"].every((other) =>
                !over(box(stack.querySelector("." + side)), box(stack.querySelector(other))))));
    """
    assert page.execute_script(apart)


def test_the_slider_moves_the_edge_between_input_and_reference(page):
    assert shown(page)[:3] == ["input", "reference", 50]
    slider = page.find_element("css selector", ".viewer .cut")
    slider.send_keys("\ue014" * 10)  # arrow right
    assert shown(page)[2] == 60
    style = "return getComputedStyle(document.querySelector('.viewer img.right')).clipPath"
    assert page.execute_script(style) == "inset(0px 0px 0px 60%)"


def test_the_edge_follows_the_pointer(page):
    from selenium.webdriver import ActionChains

    stack = page.find_element("css selector", ".viewer .stack")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", stack)
    ActionChains(page).move_to_element_with_offset(stack, round(0.3 * stack.size["width"]), 0).perform()
    assert shown(page)[2] == pytest.approx(80, abs=1)


def test_everything_can_be_done_by_keyboard(page):
    page.execute_script("document.querySelector('.viewer').focus()")
    keys = viewer(page)
    keys.send_keys("\ue012\ue012")  # arrow left
    assert shown(page)[2] == 40
    keys.send_keys("2")
    left, right, cut, seen = shown(page)
    assert (left, right, cut) == ("input", "good", 0)
    assert [alt.rsplit(": ")[-1] for alt in seen] == ["input", "good"]
    page.find_element("css selector", ".pick-right").send_keys("reference")
    assert shown(page)[1] == "reference"
    reached = page.execute_script(
        "return [...document.querySelectorAll('a[href], select, button, input, summary, [tabindex]')]"
        ".every((e) => e.tabIndex >= 0)"
    )
    assert reached


def test_flickering_shows_one_image_and_then_the_other_until_it_is_stopped(page):
    page.execute_script("document.querySelector('.viewer').focus()")
    keys = viewer(page)
    keys.send_keys("f")
    button = page.find_element("css selector", ".flicker")
    assert button.get_attribute("aria-pressed") == "true"
    seen = page.execute_async_script(
        "const done = arguments[0], places = new Set(), cut = document.querySelector('.viewer .cut');"
        "const look = setInterval(() => places.add(cut.value), 50);"
        "setTimeout(() => { clearInterval(look); done([...places].sort()); }, 1500);"
    )
    assert seen == ["0", "100"]
    keys.send_keys("f")
    assert button.get_attribute("aria-pressed") == "false"
    assert shown(page)[2] == 50


def test_one_map_is_shown_and_another_can_be_chosen(page):
    visible = "return [...document.querySelector('.maps').querySelectorAll('.map')].map((m) => !m.hidden)"
    assert page.execute_script(visible).count(True) == 1
    page.find_element("css selector", ".maps select").send_keys("uncertainty")
    assert page.execute_script(visible)[-1]


def test_pages_of_single_cases_open_too(chromium, reported):
    first = min((reported[0] / "cases").iterdir())
    chromium.get(first.as_uri())
    assert first.stem in chromium.title
    assert len(chromium.find_elements("css selector", ".viewer.live")) == 1
