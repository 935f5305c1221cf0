"""The page of ``churnkit check`` and what the terminal shows of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pandas as pd
import pytest

from churnkit import terminal
from churnkit.labels import Question
from churnkit.logs.collect import judge_all, load
from churnkit.logs.profile import profile
from churnkit.logs.schema import Contract
from churnkit.report.checkup import checkup_summary, render_checkup, verdict, write_checkup
from churnkit.report.history import hour_bars, month_bars
from churnkit.sources import connect, source_of
from tests.test_report import HOSTILE, Reader, assert_harmless, places

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def summarised(
    question: Question, too_little: tuple[str, ...] = (), one_in: int = 1, **logs: Any
) -> dict[str, Any]:
    """The summary of a check, as the project makes it."""
    contract = Contract(max_rejected_share=1.0)
    with connect() as con:
        rows = {log: source_of(given, log).attach(con, log) for log, given in logs.items()}
        checks = judge_all(con, rows, contract)
        profiles = [profile(con, log, contract, rows[log]) for log in logs]
        checked = load(con, checks, contract, one_in)
    listed = "reports/rejected.csv" if checked.rejected is not None else None
    return checkup_summary(checked, question, profiles, too_little, listed, one_in)


@pytest.fixture(scope="module")
def made(shop) -> str:
    """The summary of a shop with a few faults, as JSON."""
    purchases = shop.purchases.astype({"ts": object, "amount": object})
    purchases.loc[3, "amount"] = "ten EUR"
    purchases.loc[4, "ts"] = "2024-02-30 secret"
    purchases = pd.concat([purchases, purchases.iloc[:7]])
    summary = summarised(
        Question(horizon_days=30, lookback_days=90),
        purchases=purchases, activity=shop.activity, surveys=shop.surveys,
        customers=shop.customers,
    )  # fmt: skip
    return json.dumps(summary, allow_nan=False)


@pytest.fixture
def summary(made: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(made)
    return told


def with_text(summary: dict[str, Any], text: str) -> dict[str, Any]:
    """The summary with every text that comes from a user's data replaced."""
    for log in summary["logs"]:
        log["source"] = text
        log["rejected"] = {text: 3}
    summary["rejected"] = text
    summary["too_little"] = [text]
    summary["findings"] = [
        {"log": text, "code": "c", "severity": s, "says": text, "hint": text}
        for s in ("stop", "warn", "note")
    ]
    for profile_ in summary["profiles"]:
        examples = [{"file": text, "row": 1, "found": text}]
        profile_["set_aside"] = [{"reason": text, "rows": 3, "examples": examples, "mend": text}]
        for event in profile_["events"]:
            event["event"] = event["kind"] = text
        for answer in profile_["answers"]:
            answer["instrument"] = text
    summary["horizon"]["says"] = text
    return summary


# ── The page ────────────────────────────────────────────────────────────────────────────────


def test_the_page_has_a_section_for_every_question(summary):
    page = render_checkup(summary)
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == [
        "What was read", "What was set aside", "What to look at", "When", "Who",
        "How long until gone", "Enough?",
    ]  # fmt: skip


def test_every_reason_is_told_with_masked_examples(summary):
    text = Reader(render_checkup(summary)).text
    assert "unreadable amount" in text
    assert "txx XXR" in text
    assert "2999-99-99 xxxxxt" in text
    assert "duplicate" in text
    assert "ten EUR" not in text
    assert "secret" not in text


def test_findings_come_with_their_hints_the_worst_first(summary):
    summary["findings"] = [
        {"log": "purchases", "code": "b", "severity": "stop", "says": "worst", "hint": "mend it"},
        {"log": "purchases", "code": "a", "severity": "note", "says": "mild", "hint": ""},
    ]
    text = Reader(render_checkup(summary)).text
    assert text.index("worst") < text.index("mend it") < text.index("mild")
    assert "■ in the way" in text
    assert "○ good to know" in text


def test_findings_of_a_summary_are_sorted_over_all_logs(summary):
    order = [finding["severity"] for finding in summary["findings"]]
    assert order == sorted(order, key=["stop", "warn", "note"].index)
    assert {"purchases", "activity"} <= {finding["log"] for finding in summary["findings"]}


@pytest.mark.parametrize(
    ("severities", "too_little", "words"),
    [
        ([], [], "The logs look sound, and they are enough for the question."),
        (["note"], [], "The logs look sound, and they are enough for the question."),
        (["warn", "warn"], [], "2 things to look at."),
        (["stop", "warn"], ["few"], "2 things stand in the way, 1 thing to look at."),
    ],
)
def test_the_verdict_counts(severities: list[str], too_little: list[str], words: str):
    told = {"findings": [{"severity": s} for s in severities], "too_little": too_little}
    assert verdict(told) == words


def test_what_is_too_little_is_told(summary):
    summary["too_little"] = ["12 customers in the purchases log; 500 are wanted"]
    assert "12 customers in the purchases log" in Reader(render_checkup(summary)).text


def test_a_part_of_the_customers_is_called_so(summary, capsys):
    assert "read from one in" not in Reader(render_checkup(summary)).text
    summary["one_in"] = 8
    assert "read from one in 8 customers" in Reader(render_checkup(summary)).text
    terminal.show_checkup(summary)
    assert "read from one in 8 customers" in capsys.readouterr().out


def test_figures_from_a_part_of_the_customers_say_so():
    ids = [f"c{k}" for k in range(600)]
    frame = pd.DataFrame({"customer_id": ids, "ts": "2024-01-01", "amount": 5})
    summary = summarised(Question(), one_in=2, purchases=frame)
    (once,) = (f for f in summary["findings"] if f["code"] == "mostly_once")
    assert once["says"].endswith("(among one in 2 customers)")
    assert summary["logs"][0]["folded"] is None
    assert "not counted" in Reader(render_checkup(summary)).text


def test_a_sound_log_leaves_no_empty_tables():
    frame = pd.DataFrame(
        {"customer_id": ["a", "b"], "ts": ["2024-01-01 10:00", "2024-01-01 11:00"]}
    )
    summary = summarised(Question(), purchases=frame)
    summary["rejected"] = None
    text = Reader(render_checkup(summary)).text
    assert "every row keeps the contract" in text
    assert "Nothing stands out." in text
    assert "The history is too short to say" in text


def test_the_same_summary_makes_the_same_page_and_is_left_as_it_was(summary, made, tmp_path):
    write_checkup(summary, tmp_path / "check.html")
    assert (tmp_path / "check.html").read_text(encoding="utf-8") == render_checkup(summary)
    assert summary == json.loads(made)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_never_runs(summary, text: str):
    page = render_checkup(with_text(summary, text))
    assert_harmless(page)
    assert " ".join(text.split()) in Reader(page).text


def test_the_page_forbids_everything_but_its_own_style(summary):
    page = render_checkup(summary)
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert_harmless(page)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_fits_the_width_of_a_screen(summary, tmp_path, width: int):
    # The frame is wider than the page where something sticks out, so the two are compared.
    write_checkup(summary, tmp_path / "check.html")
    asks = (
        f"<iframe src=check.html style='width:{width}px;height:800px;border:0' onload=\""
        "const e=this.contentDocument.documentElement;"
        "document.title=e.scrollWidth+' '+e.clientWidth\"></iframe>"
    )
    (tmp_path / "frame.html").write_text(asks, encoding="utf-8")
    shown = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu",
         "--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}",
         "--dump-dom", (tmp_path / "frame.html").as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    told = re.search(r"<title>(\d+) (\d+)</title>", shown.stdout)
    assert told is not None, shown.stdout[:500]
    assert int(told[1]) <= int(told[2])


# ── The drawings ────────────────────────────────────────────────────────────────────────────


def test_bars_are_as_high_as_their_numbers():
    drawing = month_bars(
        [
            {"month": "2024-01", "rows": 100, "partial": False},
            {"month": "2024-02", "rows": 0, "partial": False},
            {"month": "2024-03", "rows": 50, "partial": True},
        ],
        "rows", "rows",
    )  # fmt: skip
    assert places(drawing, "rect", "height") == [84.0, 3.0, 42.0]
    assert re.findall(r'class="(bar|none|bar part)"', drawing) == ["bar", "none", "bar part"]
    assert "2024-03: 50 rows, a part of the month" in drawing


@pytest.mark.parametrize("count", [1, 2, 12, 40, 300])
def test_few_months_are_labelled_and_none_is_cut_off(count: int):
    names = [f"{2000 + k // 12}-{k % 12 + 1:02d}" for k in range(count)]
    drawing = month_bars([{"month": name, "rows": 1} for name in names], "rows", "rows")
    left = places(drawing, "text", "x")
    assert left[0] == 0
    assert len(left) <= 7
    assert all(x <= 85 for x in left)


def test_nothing_is_drawn_of_nothing():
    assert month_bars([], "rows", "rows") == ""
    assert hour_bars([0] * 24) == ""


# ── The terminal ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def shown(summary, capsys, monkeypatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    terminal.show_checkup(summary)
    out: str = capsys.readouterr().out
    return out


def test_the_terminal_is_plain_text_that_fits_eighty_columns(shown):
    assert "\x1b" not in shown
    path = "Rows set aside are listed in"
    assert all(len(line) <= 80 for line in shown.splitlines() if not line.startswith(path))


def test_the_terminal_tells_what_the_page_tells(shown, summary):
    told = " ".join(shown.split())
    for part in ("What was read", "What was set aside", "What to look at", "Rows by month"):
        assert part in told
    assert summary["horizon"]["says"].split(".")[0] in told
    assert "← suggested" in told
    assert "txx XXR" in told
    assert "also in activity" in told
    assert "The logs are enough for it. Next: churnkit train" in told


def test_months_are_a_small_plot(summary, capsys):
    summary["profiles"] = summary["profiles"][:1]
    summary["profiles"][0]["months"] = [
        {"month": f"2024-{k + 1:02d}", "rows": rows} for k, rows in enumerate([8, 4, 0, 1])
    ]
    terminal.show_checkup(summary)
    assert "█▄·▁" in capsys.readouterr().out


def test_a_path_with_brackets_is_no_markup(summary, capsys):
    summary["rejected"] = "/tmp/[bold]rejected[/bold].csv"
    summary["findings"][0]["says"] = "[red]plain[/red]"
    summary["too_little"] = ["[red]few[/red]"]
    terminal.show_checkup(summary)
    out = capsys.readouterr().out
    assert "/tmp/[bold]rejected[/bold].csv" in out
    assert "[red]plain[/red]" in out
    assert "[red]few[/red]" in out
