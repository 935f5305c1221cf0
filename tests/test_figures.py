"""Plots inside a page: in its colours, its font and its language, and in nobody's way."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from churnkit import plots
from churnkit.language import ENGLISH, Language, language_named
from churnkit.plots.style import ON_LIGHT, PALETTE, short
from churnkit.report import figures
from churnkit.report.figures import svg, written

LIGHTS = {"red": 120, "yellow": 300, "green": 1000}
MOVED = {was: dict.fromkeys(LIGHTS, 10) for was in LIGHTS}
BINS = [
    {"predicted": p, "observed": {"value": p, "low": p - 0.05, "high": p + 0.05}, "customers": 9}
    for p in (0.1, 0.3, 0.5)
]
DRIVERS = [{"theme": "a theme with a name that is far too long", "share": 0.4, "direction": "up"}]


class Shouting(Language):
    """Says every text loud, and counts in letters."""

    def said(self, sentence: str) -> str:
        return sentence.replace("theme", "T").upper().translate(str.maketrans("0123", "OABC"))


@pytest.fixture
def drawing() -> ET.Element:
    return ET.fromstring(svg(plots.transitions, MOVED, label="Who moved"))


def texts(drawn: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(drawn).iter("text")]


def test_it_is_one_element_that_says_what_it_shows(drawing: ET.Element) -> None:
    assert drawing.tag == "svg"
    assert drawing.attrib["role"] == "img"
    assert drawing.attrib["aria-label"] == "Who moved"
    assert drawing.attrib["class"] == "plot"
    assert {element.tag for element in drawing.iter()} <= {"svg", "g", "path", "text"}


def test_it_scales_with_its_view_box(drawing: ET.Element) -> None:
    x, y, width, height = map(float, drawing.attrib["viewBox"].split())
    assert (x, y) == (0, 0)
    assert width > height > 0
    assert not {"width", "height"} & drawing.attrib.keys()
    small = ET.fromstring(svg(plots.transitions, MOVED, label="", size=(2, 1)))
    assert small.attrib["viewBox"] == "0 0 144 72"


def test_nothing_in_it_can_meet_another_figure_of_the_page(drawing: ET.Element) -> None:
    names = {name for element in drawing.iter() for name in element.attrib}
    assert names <= {
        "role", "aria-label", "class", "viewBox", "style", "direction", "d", "transform", "x", "y",
    }  # fmt: skip
    assert "url(" not in ET.tostring(drawing, encoding="unicode")


@pytest.mark.parametrize(
    ("draw", "told"),
    [(plots.transitions, MOVED), (plots.lights, LIGHTS), (plots.calibration, BINS),
     (plots.drivers, DRIVERS), (plots.calibration, [])],
)  # fmt: skip
def test_colours_are_those_of_the_page(draw: Any, told: Any) -> None:
    drawn = svg(draw, told, label="")
    assert set(re.findall(r"#[0-9a-f]{3,8}\b", drawn)) <= set(ON_LIGHT.values())
    page = files("churnkit.report").joinpath("page.css").read_text(encoding="utf-8")
    asked = set(re.findall(r"var\((--\w+)\)", drawn))
    assert asked
    assert asked <= set(re.findall(r"(--\w+):", page))


def test_every_colour_of_the_palette_is_one_of_the_page() -> None:
    page = files("churnkit.report").joinpath("page.css").read_text(encoding="utf-8")
    light = dict(re.findall(r"--(\w+): ?(#\w+)", page.split("@media")[0]))
    light["sheet"] = light["sheet"].replace("#fff", "#ffffff")
    assert {name: light[name].lower() for name in PALETTE} == dict(PALETTE)


def test_the_font_is_that_of_the_page() -> None:
    drawn = svg(plots.lights, LIGHTS, label="")
    assert "font-size:10px" in drawn
    assert "font-family" not in drawn
    assert "DejaVu" not in drawn


def test_the_same_values_draw_the_same_figure() -> None:
    first = svg(plots.transitions, MOVED, label="")
    figures._drawn_before.cache_clear()
    assert svg(plots.transitions, MOVED, label="") == first


def test_figures_can_be_drawn_at_once() -> None:
    told = [{**LIGHTS, "red": n} for n in range(8)]
    alone = [svg(plots.lights, one, label="") for one in told]
    figures._drawn_before.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: svg(plots.lights, one, label=""), told))
    assert together == alone


def test_objects_of_the_library_are_drawn_as_what_they_tell() -> None:
    class Told:
        lights = LIGHTS

    assert svg(plots.lights, Told(), label="") == svg(plots.lights, LIGHTS, label="")


HOSTILE = '"><script>alert("&")</script>'


def test_labels_and_names_are_escaped() -> None:
    drawn = svg(plots.drivers, [{**DRIVERS[0], "theme": HOSTILE}], label=HOSTILE)
    assert "<script" not in drawn
    assert ET.fromstring(drawn).attrib["aria-label"] == HOSTILE
    assert '"><script>alert("&")</s…' in texts(drawn)


@pytest.mark.parametrize("name", ["\x00\x08\ud800", "]]>", "<!--", "😀" * 300, "\u202eabc", "$x^{"])
def test_any_name_leaves_it_well_formed(name: str) -> None:
    drawn = svg(plots.drivers, [{**DRIVERS[0], "theme": name}], label="drivers")
    assert "↑ 40\xa0%" in texts(drawn)


# ── Languages ───────────────────────────────────────────────────────────────────────────────


def test_texts_and_numbers_are_told_in_the_language() -> None:
    loud = texts(svg(plots.lights, LIGHTS, label="", language=Shouting()))
    assert loud[:3] == ["■ RED", "▲ YELLOW", "● GREEN"]
    assert loud[3:] == ["ABO · 8\xa0%", "COO · BA\xa0%", "A,OOO · 7O\xa0%"]


def test_a_name_is_told_before_it_is_cut() -> None:
    cut = texts(svg(plots.drivers, DRIVERS, label=""))[0]
    assert cut == "a theme with a name tha…"
    loud = texts(svg(plots.drivers, DRIVERS, label="", language=Shouting()))[0]
    assert loud == "A T WITH A NAME THAT IS…"


def test_a_script_from_the_right_does_not_turn_the_drawing() -> None:
    turned = ET.fromstring(svg(plots.lights, LIGHTS, label="", language=Language("xx", "rtl")))
    assert turned.attrib["direction"] == "ltr"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("● green", "● GREEN"),
        ("median · 30", "MEDIAN · CO"),
        ("■ ≥ 50\xa0%", "■ ≥ 5O\xa0%"),
        ("↑ 31\xa0%", "↑ CA\xa0%"),
        ("churn rate", "CHURN RATE"),
    ],
)
def test_parts_are_told_each_by_itself(text: str, told: str) -> None:
    assert written(text, Shouting()) == told
    assert written(text, ENGLISH) == text


def test_a_text_keeps_its_joins_and_begins_on_its_side() -> None:
    """No space inside a word; a line that begins in Latin is still read from the right."""
    fa = language_named("fa")
    assert short("می\u200cکنند") == "می\u200cکنند"
    assert written("PSI against the training", fa) == "\u200fPSI نسبت به آموزش"
    assert written("NPS", fa) == "NPS"
