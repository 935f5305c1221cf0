"""The report page: what it says, what it says of missing parts, and that nothing runs in it."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit import report
from churnkit.report import render
from churnkit.report.charts import (
    Scale,
    bar,
    interval_rows,
    lights_bar,
    slim_bar,
)
from churnkit.report.summary import lift

SCRIPT = (Path(report.__file__).parent / "page.js").read_text(encoding="utf-8")

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "</style></title><svg onload=alert(1)>",
    "\"' onmouseover='alert(1)' x=\"",
    "{{7*7}} {% include '/etc/passwd' %}",
    "\u202etxt.exe\u202c \u200fمشتری ۱۲۳\u200e",
    "x" * 500,
    "👩‍👩‍👧 <!-- ",
    "\x1b]0;owned\x07 \x1b[2J\x00\x9b31m <b",
    "javascript:alert(1)",
    "<link rel=stylesheet href=//evil><iframe src=//evil>",
]

ALLOWED = {"html", "head", "meta", "title", "style", "body", "header", "main", "footer"}
ALLOWED |= {"section", "article", "h1", "h2", "h3", "p", "small", "b", "i", "br", "span", "bdi"}
ALLOWED |= {"div"}
ALLOWED |= {"ul", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tfoot", "tr", "th", "td"}
ALLOWED |= {"figure", "figcaption", "svg", "g", "rect", "line", "circle", "path", "text"}
ALLOWED |= {"nav", "a", "details", "summary", "time", "script"}
ALLOWED |= {"label", "input", "select", "option", "button"}
VOID = {"meta", "br", "input"}


def estimate(value: float, half: float = 0.02) -> dict[str, float | None]:
    return {"value": value, "low": round(value - half, 4), "high": round(value + half, 4)}


def call(
    rank: int, customer_id: str, light: str, probability: float, **more: Any
) -> dict[str, Any]:
    return {
        "rank": rank,
        "customer_id": customer_id,
        "light": light,
        "churn_probability": probability,
        "within_days": {},
        "value_at_risk": 480.0 / rank,
        "reasons": ["↑ no purchase for 74 days", "↑ spends 60 % less than in the quarter before"],
        "rules": [],
        "before": "",
        "changed": "",
        "action": "personal call",
        "channel": "call",
        "owner": "account owner",
        "due": "2025-01-02T17:00:00+00:00",
        "segment": "",
        "reason": "recency",
        **more,
    }


def model(name: str, says: str, auroc: float, loss: float, used: bool = False) -> dict[str, Any]:
    metrics = {
        "auroc": estimate(auroc, 0.013),
        "log_loss": estimate(loss, 0.012),
        "ece": estimate(loss - 0.545, 0.008),
        "top_decile_lift": estimate(auroc * 2.6, 0.11),
    }
    return {"name": name, "says": says, "used": used, "metrics": metrics}


def lights() -> list[dict[str, Any]]:
    def light(name: str, customers: int, share: float, worth: float, left: float) -> dict[str, Any]:
        held_out = {"customers": customers - 23, "churned": estimate(left)}
        counted = {"light": name, "customers": customers, "share": share}
        return {**counted, "value_at_risk": worth, "held_out": held_out}

    return [
        light("red", 639, 0.12, 48_210.4, 0.74),
        light("yellow", 1_808, 0.34, 61_004.0, 0.41),
        light("green", 2_874, 0.54, 20_377.0, 0.08),
    ]


def log(name: str, **more: Any) -> dict[str, Any]:
    return {
        "log": name,
        "source": f"{name}.parquet",
        "read": 541_909,
        "kept": 536_641,
        "folded": 25_900,
        "customers": 5_942,
        "first": "2023-01-01",
        "last": "2024-12-30",
        "rejected": {"missing_customer_id": 5_010, "exact_duplicate": 258},
        **more,
    }


def driver(
    theme: str, share: float, direction: str, says: str, expected: str = "", **more: Any
) -> dict[str, Any]:
    """A theme with one feature, seen at three values, of which those who left had more."""
    name = theme.replace(" ", "_")
    unexpected = {direction, expected} == {"up", "down"}
    feature = {"name": name, "says": says, "weight": share, "direction": direction}
    separation = {"feature": name, "measure": "median", "left": 74.0, "stayed": 21.0}
    dependence = {"feature": name, "says": says, "unit": "days", "values": (2.0, 21.0, 74.0)}
    return {
        "theme": theme,
        "share": share,
        "direction": direction,
        "features": ({**feature, "expected": expected, "unexpected": unexpected},),
        "separation": {**separation, "says": "those who left: 74; those who stayed: 21 (medians)"},
        "dependence": {**dependence, "probabilities": (0.1, 0.2, 0.4)},
        **more,
    }


def shop() -> dict[str, Any]:
    """A run over a shop of 5,321 customers, as the scoring command would sum it up."""
    told = the_run()
    return {**told, "lift": lift(told["calibration"])}


def the_run() -> dict[str, Any]:
    return {
        "as_of": "2024-12-31",
        "question": "no purchase within 60 days, of customers with purchase in the 180 days before",
        "churnkit": "0.1.0",
        "model_version": "3",
        "model_name": "lightgbm",
        "verdict": "lightgbm is used: better than the best plain rule (rfm_logistic) "
        "by .012 AUROC [.004, .020]",
        "grade": "Grade A: clearly better than the best plain rule; its probabilities hold",
        "warnings": ["Training covers 11 months: the season is not known to the model."],
        "lights": lights(),
        "held_out_cutoff": "2024-10-31",
        "policy": "fixed: red from 0.7, yellow from 0.4",
        "spend": {"way": "the spend of the last year goes on", "says": "run_rate is used"},
        "unknown": {},
        "rules": [],
        "before": None,
        "transitions": None,
        "changes": [],
        "changes_total": 0,
        "planned": None,
        "metrics": [
            {"name": "auroc", "better": "high", "says": "how often a leaver ranks above a stayer"},
            {"name": "log_loss", "better": "low", "says": "how costly confident mistakes are"},
            {"name": "ece", "better": "low", "says": "how far probabilities are from what happens"},
            {"name": "top_decile_lift", "better": "high", "says": "leavers in the top tenth"},
        ],
        "models": [
            model("base_rate", "everybody gets the mean", 0.5, 0.69),
            model("recency", "days since the last purchase alone", 0.641, 0.642),
            model("rfm_logistic", "recency, frequency and spend", 0.721, 0.588),
            model("lightgbm", "small trees on all features", 0.733, 0.579, used=True),
        ],
        "calibration": [
            {"predicted": p, "observed": estimate(p + miss, 0.035), "customers": 530}
            for p, miss in zip(
                (0.04, 0.09, 0.14, 0.21, 0.29, 0.38, 0.47, 0.58, 0.69, 0.82),
                (0.00, 0.01, -0.02, 0.02, 0.0, 0.03, -0.02, 0.04, 0.03, -0.01),
                strict=True,
            )
        ],
        "profit": {
            "money": {"rule": "contact 1, offer 10, value 200, 30% accept"},
            "says": "calling the top 40 % earns most: 5.20 [4.90, 5.50] per customer at risk",
            "pays_from": 0.16,
            "share": estimate(0.4),
            "most": estimate(5.2),
            "curve": [[0.0, 0.0], [0.2, 4.0], [0.4, 5.2], [0.7, 4.1], [1.0, 2.3]],
        },
        "drivers": [
            driver("recency", 0.31, "up", "days since the last purchase"),
            driver("frequency", 0.17, "down", "purchases in 90 days", dependence=None),
            driver("rhythm", 0.11, "up", "time since over the own usual gap", separation=None),
            driver("monetary", 0.08, "mixed", "money spent in a year"),
            driver("nps", 0.03, "up", "the last answer to the NPS question", "down"),
        ],
        "calls": [
            call(1, "C00412", "red", 0.83, rules=["open complaint: yellow → red"]),
            call(2, "C01877", "red", 0.91),
            call(3, "C00093", "yellow", 0.52, reasons=["↑ last NPS answer was 4"]),
            call(4, "C03310", "yellow", 0.44, value_at_risk=None),
            call(5, "C02204", "green", 0.07, reasons=[], rules=["manual override by A. B."]),
        ],
        "calls_total": 5321,
        "kpis": None,
        "watch": None,
        "whole": None,
        "data": [
            log("purchases"),
            log("surveys", read=8_120, kept=8_120, folded=8_120, customers=2_204, rejected={}),
        ],
    }


@pytest.fixture
def summary() -> dict[str, Any]:
    return shop()


class Reader(HTMLParser):
    """Collects the elements, the attributes and the text a reader would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.seen: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.seen.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.seen).split())


def assert_harmless(page: str) -> None:
    reader = Reader(page)
    assert set(reader.tags) <= ALLOWED
    names = {name for name, _ in reader.attributes}
    assert not [name for name in names if name.startswith("on")]
    assert not names & {"src", "xlink:href", "action", "formaction", "srcset", "data"}
    assert all(value[:1] == "#" for name, value in reader.attributes if name == "href")
    styles = {value for name, value in reader.attributes if name == "style"}
    assert all(re.fullmatch(r"[-a-z]+:[-#\w.,() ]+(;[-a-z]+:[-#\w.,() ]+)*", s) for s in styles)
    # Other pages have no script at all.
    assert re.findall(r"<script>(.*?)</script>", page, re.DOTALL) in ([], [SCRIPT])
    outside = page.replace(SCRIPT, "")
    assert not re.search(r"https?:|url\(|@import", outside)
    assert reader.open == [], "every element is closed"


def with_texts(summary: dict[str, Any], text: str) -> dict[str, Any]:
    """The summary with one text put wherever data or configuration can reach the page."""
    changed = copy.deepcopy(summary)
    for key in ("as_of", "question", "churnkit", "model_version", "model_name", "verdict"):
        changed[key] = text
    changed["warnings"] = [text]
    for row in changed["calls"]:
        row |= {"customer_id": text, "reasons": [text], "rules": [text]}
        row |= dict.fromkeys(("changed", "action", "owner", "due", "segment", "reason"), text)
    for row in (*changed["models"], *changed["metrics"]):
        row |= {"name": text, "says": text}
    for row in changed["drivers"]:
        row["theme"] = text
        for told in (row["separation"], row["dependence"], *row["features"]):
            if told is not None:
                told |= {"name": text, "feature": text, "says": text, "unit": text}
    for row in changed["models"]:
        row["metrics"] = {text: estimate(0.7)}
    for row in changed["data"]:
        row |= {"log": text, "source": text, "rejected": {text: 3}}
    return changed


# What the page says


def test_page_tells_date_question_verdict_and_version(summary: dict[str, Any]) -> None:
    text = Reader(render(summary)).text
    assert "as of 2024-12-31" in text
    assert summary["question"] in text
    assert summary["verdict"] in text
    assert summary["warnings"][0] in text
    assert "churnkit 0.1.0 · model lightgbm, version 3" in text


def test_light_card_holds_count_share_value_and_realised_churn(summary: dict[str, Any]) -> None:
    text = Reader(render(summary)).text
    assert "■ red 639 customers, 12 % of all Value at risk 48,210" in text
    assert "Left in the held-out period 74 % of 616 [72 %, 76 %]" in text


@pytest.mark.parametrize(("light", "shape"), [("red", "■"), ("yellow", "▲"), ("green", "●")])
def test_every_light_has_its_word_and_its_shape(
    summary: dict[str, Any], light: str, shape: str
) -> None:
    page = render(summary)
    marked = re.findall(rf'class="badge {light}">([^<]*)<', page)
    wanted = 1 + sum(row["light"] == light for row in summary["calls"])
    assert marked == [f"{shape} {light}"] * wanted


def test_call_list_keeps_its_order_and_names_its_length(summary: dict[str, Any]) -> None:
    page = render(summary)
    ids = re.findall(r'<td class="id"><bdi>([^<]*)<', page)
    assert ids == ["C00412", "C01877", "C00093", "C03310", "C02204"]
    text = Reader(page).text
    assert "The first 5 of 5,321 customers" in text
    assert "open complaint: yellow → red" in text
    assert "none stands out" in text


def test_the_call_list_shows_shorter_horizons_where_they_were_asked_for(
    summary: dict[str, Any],
) -> None:
    assert "Within" not in Reader(render(summary)).text
    for row in summary["calls"]:
        row["within_days"] = {"10": 0.911, "20": 0.877}
    page = render(summary)
    text = Reader(page).text
    assert "Probability Within 10 d Within 20 d Value at risk" in text
    for place, value, shown in ((1, "0.911", "91\xa0%"), (2, "0.877", "88\xa0%")):
        cells = re.findall(rf'<td class="n w{place}" data-v="(.*?)">(.*?)</td>', page)
        assert cells == [(value, shown)] * 5


def test_models_are_shown_with_values_and_intervals(summary: dict[str, Any]) -> None:
    text = Reader(render(summary)).text
    assert "lightgbm used small trees on all features .733 [.720, .746] .579 [.567, .591]" in text
    assert text.count(" used ") == 1


def test_data_table_counts_rejected_rows_by_reason(summary: dict[str, Any]) -> None:
    text = Reader(render(summary)).text
    assert "5,010 × missing customer id" in text
    assert "258 × exact duplicate" in text
    assert "2023-01-01 to 2024-12-30" in text


# What it says when parts are missing


@pytest.mark.parametrize(
    ("part", "nothing", "says"),
    [
        ("lights", [], "No customer was given a light."),
        ("calls", [], "The first 0 of "),
        ("models", [], "The model was not compared with plain rules."),
        ("metrics", [], "The model was not compared with plain rules."),
        ("calibration", [], "Not known: there is no held-out period to count in."),
        ("drivers", [], "No drivers are known for this model."),
        ("data", [], "No log is described."),
        ("held_out_cutoff", None, "There is no held-out period"),
        ("verdict", None, "No verdict was reached."),
        ("profit", None, "Not known: there is no held-out period to reckon with."),
    ],
)
def test_missing_part_is_named_in_words(
    summary: dict[str, Any], part: str, nothing: Any, says: str
) -> None:
    assert says not in Reader(render(summary)).text
    assert says in Reader(render({**summary, part: nothing})).text


def test_no_warnings_no_warning_box(summary: dict[str, Any]) -> None:
    assert "Read this first" in render(summary)
    assert "Read this first" not in render({**summary, "warnings": []})


def test_every_part_missing_at_once(summary: dict[str, Any]) -> None:
    lists = {key: [] for key, value in summary.items() if isinstance(value, list)}
    page = render({**summary, **lists, "held_out_cutoff": None, "calls_total": 0})
    assert_harmless(page)
    assert "None" not in Reader(page).text


def test_no_amounts_is_said_once_and_the_column_goes(summary: dict[str, Any]) -> None:
    for row in (*summary["lights"], *summary["calls"]):
        row["value_at_risk"] = None
    page = render(summary)
    assert Reader(page).text.count("Value at risk is not known") == 1
    assert not re.search(r"<th[^>]*>Value at risk", page)
    assert Reader(page).text.count("Value at risk not known") == 3


def test_unknown_numbers_are_said_in_words(summary: dict[str, Any]) -> None:
    nothing = {"value": None, "low": None, "high": None}
    for row in summary["models"]:
        row["metrics"] = {"auroc": nothing, "log_loss": None}
    for row in summary["lights"]:
        row["held_out"] = None
    for row in summary["calibration"]:
        row["observed"] = nothing
    summary["data"][0] |= {"first": None, "last": None}
    page = render(summary)
    text = Reader(page).text
    assert "small trees on all features not known not known" in text
    assert text.count("Left in the held-out period not known") == 3
    assert "5,942 not known" in text
    assert "None" not in text
    assert "nan" not in page


def test_one_customer(summary: dict[str, Any]) -> None:
    counts = {"red": (1, 1.0), "yellow": (0, 0.0), "green": (0, 0.0)}
    for row in summary["lights"]:
        row["customers"], row["share"] = counts[row["light"]]
        row["held_out"] = None
    one = {"calls": summary["calls"][:1], "calls_total": 1}
    text = Reader(render({**summary, **one})).text
    assert "All 1 customer, most urgent first" in text
    assert "1 customer, 100 % of all" in text
    assert "0 customers, 0 % of all" in text


def test_missing_key_is_an_error_not_a_gap(summary: dict[str, Any]) -> None:
    from jinja2 import UndefinedError

    del summary["question"]
    with pytest.raises(UndefinedError, match="question"):
        render(summary)


# Nothing runs in it, nothing leaves it


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=60))
def test_any_text_leaves_the_page_whole(text: str) -> None:
    page = render(with_texts(shop(), text))
    assert_harmless(page)


def test_page_forbids_everything_but_its_own_style_and_script(summary: dict[str, Any]) -> None:
    page = render(summary)
    digest = b64encode(sha256(SCRIPT.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in page
    assert_harmless(page)


def test_yellow_is_never_a_text_colour(summary: dict[str, Any]) -> None:
    css = render(summary).split("<style>")[1].split("</style>")[0]
    yellow = r"(#FFC72C|var\(--yellow\)|yellow)"
    assert re.search(yellow, css)
    assert not re.search(rf"(?<![-\w])color:\s*{yellow}", css, re.IGNORECASE)
    assert not re.search(rf"text[^{{}}]*{{[^}}]*fill:\s*{yellow}", css, re.IGNORECASE)


def test_same_summary_same_page(summary: dict[str, Any]) -> None:
    again = json.loads(json.dumps(summary))
    assert render(summary) == render(again)


def test_summary_is_left_as_it_was(summary: dict[str, Any]) -> None:
    before = copy.deepcopy(summary)
    render(summary)
    assert summary == before


def test_importing_the_report_loads_no_template_engine() -> None:
    asks = (
        "import sys, churnkit.report; print('jinja2' in sys.modules, 'markupsafe' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]


# The drawings


def places(drawing: str, element: str, attribute: str) -> list[float]:
    found = re.findall(rf'<{element} [^>]*?\b{attribute}="([\d.]+)%?"', drawing)
    return [float(place) for place in found]


def test_lights_bar_lays_shares_end_to_end() -> None:
    drawing = lights_bar(lights())
    assert places(drawing, "rect", "x") == [0, 12, 46]
    assert places(drawing, "rect", "width") == [12, 34, 54]


def test_interval_rows_share_one_scale(summary: dict[str, Any]) -> None:
    *rows, axis = interval_rows(summary["models"], "auroc")
    dots = [places(row, "circle", "cx")[0] for row in rows]
    assert dots == sorted(dots), "the ladder goes up in AUROC"
    assert len({tuple(places(row, "line", "x1")[:3]) for row in rows}) == 1, "the same grid"
    assert ".600" in axis


@pytest.mark.parametrize(("share", "width"), [(0.25, 25), (None, 0), (1.7, 100), (-1, 0)])
def test_bar_stays_within_its_cell(share: float | None, width: float) -> None:
    assert places(bar(share), "rect", "width")[-1] == width
    assert slim_bar(share).endswith(f'H{width}"/></svg>')


@given(st.floats(-10, 10), st.floats(0.001, 1000))
def test_ticks_are_few_and_inside(low: float, stretch: float) -> None:
    scale = Scale(low, low + stretch)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 6
    assert all(scale.low - 1e-6 <= tick <= scale.high + 1e-6 for tick in ticks)


def test_a_driver_that_goes_against_what_is_expected_is_marked() -> None:
    text = render(shop())
    assert text.count("against what is expected") == 1
    assert "the last answer to the NPS question, against what is expected" in text


def test_a_driver_says_how_those_who_left_differ(summary: dict[str, Any]) -> None:
    text = Reader(render(summary)).text
    assert text.count("those who left: 74; those who stayed: 21 (medians)") == 4
    assert text.count("nothing stands out") == 1


def test_the_probability_is_drawn_by_the_value_of_a_feature(summary: dict[str, Any]) -> None:
    page = render(summary)
    assert page.count("Mean churn probability by ") == 4
    undrawn = [{**driver, "dependence": None} for driver in summary["drivers"]]
    assert "by the value of one feature" not in render({**summary, "drivers": undrawn})


# ── What a call earns ───────────────────────────────────────────────────────────────────────


def test_the_page_tells_what_calling_earns_and_with_which_amounts(summary: dict[str, Any]) -> None:
    text = " ".join(Reader(render(summary)).text.split())
    assert "calling the top 40 % earns most: 5.20 [4.90, 5.50] per customer at risk" in text
    assert "Reckoned with: contact 1, offer 10, value 200, 30% accept." in text
    assert "a call pays from a probability of 16 % on" in text
