"""The terminal shows texts as they are: nothing in them is markup, and nothing is obeyed."""

from __future__ import annotations

import json
import re
import typing
from pathlib import Path

import pytest
from pseudo import at_terminal, screen
from typer.testing import CliRunner

from churnkit import terminal
from churnkit.cli import app
from churnkit.terminal import checkup
from churnkit.terminal.scores import calls_table

BRACKETS = "/srv/[shop]/models/x [/churn] [red]a :smile: \\[b"
OBEYED = "\x1b]0;owned\x07\x1b[2J\r\x00\x7f\x9b31m\u2028\u202e\u2066"
LEGITIMATE = (
    "مشتری می\u200cرود ۱۲۳ \u200fe\u0301 👩\u200d👩\u200d👧 🏴\U000e0067\U000e007f 日本 \xa0ß"
)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that shows colours, and every line whole."""
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)


def explained(customer: str) -> dict[str, typing.Any]:
    """What is told of a customer whose id, rules and reasons are the same text."""
    pull = {"weight": 0.5, "theme": customer, "says": customer}
    return {
        "warnings": [customer],
        "customer_id": customer,
        "as_of": "2024-05-15",
        "churn_probability": 0.4,
        "light": "yellow",
        "rules": [customer],
        "unknown": [customer],
        "question": customer,
        "model": customer,
        "start": 0.1,
        "reasons": [pull],
        "rest": 0.1,
        "log_odds": 0.7,
        "since": None,
    }


def released(bundle: str) -> dict[str, typing.Any]:
    return {"version": "1", "bundle": bundle, "alias": "champion", "standing": bundle}


@pytest.mark.parametrize("text", [BRACKETS, LEGITIMATE])
def test_texts_are_shown_as_they_are(capsys, text):
    terminal.show_release(released(text))
    terminal.show_explained(explained(text))
    terminal.out().print(terminal.table(text, [text, "n"], [[text, 1]]))
    shown = capsys.readouterr()
    assert shown.err == f"Warning: {text}\n"
    # Release: bundle and standing. Customer: id, rule, unknown side, question, model, theme,
    # reason, and the id in what may be typed next. The table.
    assert shown.out.count(text) == 2 + 8 + 3


def test_nothing_in_a_text_is_obeyed(capsys):
    terminal.show_release(released(OBEYED))
    terminal.show_explained(explained(OBEYED))
    terminal.out().print(terminal.table(OBEYED, [OBEYED, "n"], [[OBEYED, 1]]))
    shown = capsys.readouterr()
    hidden = "�]0;owned��[2J����31m���"
    assert shown.err == f"Warning: {hidden}\n"
    assert shown.out.count(hidden) == 2 + 8 + 3
    assert "\x1b]" not in shown.out
    assert "\x1b[2J" not in shown.out
    assert not set(OBEYED) - set("\x1b]0;owned[2J31m") & set(shown.out)
    assert "\x1b[" in shown.out, "its own colours stay"


def test_findings_are_shown_without_what_a_terminal_obeys(capsys):
    finding = {"log": "activity", "severity": "warn", "says": f"{OBEYED}[/b]", "hint": OBEYED}
    checkup._show_findings(terminal.out(), [finding])
    shown = capsys.readouterr().out
    assert "�]0;owned" in shown
    assert "[/b]" in shown
    assert not {"\x07", "\x9b", "\x00", "\u202e"} & set(shown)


def test_a_line_feed_of_an_id_makes_no_second_row(capsys):
    terminal.out().print(terminal.table("Call list", ["customer"], [["a\nb"]]))
    assert "a�b" in capsys.readouterr().out


def test_json_holds_every_character_and_none_that_a_terminal_obeys(capsys):
    terminal.print_json({"id": OBEYED + LEGITIMATE, "lone": "\ud800"})
    shown = capsys.readouterr().out
    assert LEGITIMATE in shown
    assert not set(OBEYED) - set("]0;owned[2J31m") & set(shown)
    assert json.loads(shown) == {"id": OBEYED + LEGITIMATE, "lone": "\ud800"}


def test_an_error_is_told_without_what_a_terminal_obeys(tmp_path: Path):
    told = CliRunner().invoke(app, ["check", "--config", str(tmp_path / "\x1b[2J.toml")])
    assert told.exit_code == 2
    assert "�[2J.toml: no such file\n" in told.stderr


# ── What it makes of its width ──────────────────────────────────────────────────────────────


def call(**more: typing.Any) -> dict[str, typing.Any]:
    told = {"rank": 1, "customer_id": "C00746", "light": "red", "churn_probability": 0.85}
    why = {"rules": ["open complaint"], "reasons": ["↑ no visit in the last 90 days"]}
    deed = {"action": "personal call", "owner": "anna", "due": "2024-12-31T17:00:00+00:00"}
    return {**told, "within_days": {}, "value_at_risk": 616.0, **why, "changed": "", **deed, **more}


def shown_of(capsys: pytest.CaptureFixture[str], width: int, *calls: typing.Any) -> list[str]:
    terminal.out().print(calls_table(calls, width), width=width)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.mark.usefixtures("plain")
def test_a_wide_call_list_has_columns_for_what_to_do_and_why(capsys):
    head, row, more, *_ = shown_of(capsys, 160, call())[1:]
    assert head == "rank customer light churn value what to do why"
    says = "personal call (anna by ! open complaint; ↑ no visit in the last 90 days"
    assert row == f"1 C00746 ■ red 85% 616 {says}"
    assert more == "2024-12-31 17:00)"


@pytest.mark.usefixtures("plain")
def test_a_narrow_call_list_tells_why_below_what_to_do(capsys):
    head, *rows = shown_of(capsys, 80, call(changed="risk went from 61% to 85%"))[1:]
    assert head == "rank customer light churn value what to do, and why"
    assert rows[:3] == [
        "1 C00746 ■ red 85% 616 personal call (anna by 2024-12-31 17:00)",
        "! open complaint; ↑ no visit in the last 90",
        "days; changed: risk went from 61% to 85%",
    ]


@pytest.mark.usefixtures("plain")
def test_a_narrow_call_list_keeps_its_rows_apart_and_obeys_nothing(capsys):
    told = shown_of(capsys, 80, call(action="a\nb\x1b[2J", owner="c\nd"))
    assert "1 C00746 ■ red 85% 616 a�b�[2J (c�d by 2024-12-31 17:00)" in told
    bare = shown_of(capsys, 80, call(action="", rules=[]))
    assert bare[2].endswith("616 ↑ no visit in the last 90 days")


def test_explain_names_the_sides_of_which_nothing_is_known(capsys):
    terminal.show_explained({**explained("C1"), "unknown": ["NPS", "CES"]})
    assert "Nothing is known of NPS, CES.\n" in capsys.readouterr().out
    terminal.show_explained({**explained("C1"), "unknown": []})
    assert "Nothing is known" not in capsys.readouterr().out


def outcomes() -> dict[str, typing.Any]:
    def about(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.05, "high": value + 0.05}

    group = {
        "light": "red", "action": "mail with another way to pay", "treated": 320, "control": 35,
        "churn_treated": about(0.31), "churn_control": about(0.42), "difference": about(-0.11),
        "open": 12, "says": "unclear: -11.0 points of churn [-16.0, -6.0]", "saved_value": None,
    }  # fmt: skip
    lone = {**group, "light": "green", "churn_control": None, "difference": None}
    told = {"question": "no purchase", "first": "2024-10-01", "last": "2024-12-31", "notes": []}
    groups = {"groups": [group, lone], "together": {**group, "light": "", "action": ""}}
    return {**told, **groups, "ranking": {"says": "ranked by risk"}}


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("width", "red", "green"),
    [
        ("120", "35 42% [37%, 47%] -11.0 [-16.0, -6.0] 12", "35 nobody to tell 12"),
        ("80", "35 42% 12", "35 nobody 12"),
    ],
)
def test_outcomes_show_one_line_a_group_at_any_width(capsys, monkeypatch, width, red, green):
    monkeypatch.setenv("COLUMNS", width)
    terminal.show_outcomes(outcomes())
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    rows = [line for line in lines if "mail with another way to pay 320 31%" in line]
    assert rows[0].startswith("■ red")
    assert rows[0].endswith(red)
    assert rows[1].endswith(green)


# ── Narrow terminals ────────────────────────────────────────────────────────────────────────

IDS = ["C-2024-000000000001", "C-2024-000000000002"]
WIDE = [
    [who, 1_234_567 + k, "2024-12-31", "it has been silent for longer than is usual for it"]
    for k, who in enumerate(IDS)
]


def lines_of(capsys: pytest.CaptureFixture[str], width: int) -> list[str]:
    columns = ["customer", "value at risk", "last seen", "why"]
    terminal.out().print(terminal.table("A title", columns, WIDE), width=width)
    return capsys.readouterr().out.splitlines()


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("width", [30, 40, 50, 60, 70, 80, 120, 300])
def test_a_table_fits_any_width_and_breaks_no_id_and_no_number(capsys, width):
    lines = lines_of(capsys, width)
    assert max(map(len, lines)) <= width
    for whole in (*IDS, "1,234,567", "1,234,568", "2024-12-31"):
        assert any(whole in line.split() for line in lines), whole
    assert " ".join(" ".join(lines).split()).count("silent") == 2


@pytest.mark.usefixtures("plain")
def test_what_gives_way_is_prose_then_the_header_then_the_columns(capsys):
    assert len(lines_of(capsys, 120)) == 2 + len(WIDE)
    prose = [line.strip() for line in lines_of(capsys, 76)]
    assert prose[1].endswith("why")
    assert prose[3] == "longer than is usual for it"
    header = lines_of(capsys, 64)
    assert header[1].split() == ["value", "at"]
    assert [line.rstrip() for line in lines_of(capsys, 50)[1:4]] == [
        IDS[0],
        "  value at risk 1,234,567 · last seen 2024-12-31",
        "  why it has been silent for longer than is usual",
    ]


@pytest.mark.usefixtures("plain")
def test_prose_is_no_wider_than_is_read_easily(capsys):
    says = "word " * 60
    terminal.out().print(terminal.table("", ["n", "says"], [[1, says]]), width=400)
    assert max(len(line.rstrip()) for line in capsys.readouterr().out.splitlines()) < 110


@pytest.mark.usefixtures("plain")
def test_a_very_narrow_call_list_has_a_card_for_each_call(capsys):
    told = shown_of(capsys, 40, call(within_days={"30": 0.4}), call(rank=2, action="", rules=[]))
    assert told == [
        "Call list",
        "1 C00746 ■ red",
        "85% churn · 30 d 40% · value 616",
        "personal call (anna by 2024-12-31",
        "17:00)",
        "! open complaint",
        "↑ no visit in the last 90 days",
        "2 C00746 ■ red",
        "85% churn · value 616",
        "↑ no visit in the last 90 days",
    ]


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("width", ["40", "60", "80"])
def test_commands_keep_to_the_width(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", width)
    terminal.show_outcomes(outcomes())
    terminal.show_explained(explained("a text of several words"))
    assert max(map(len, capsys.readouterr().out.splitlines())) <= int(width)


def test_only_the_shape_of_a_light_has_its_colour(capsys):
    """Yellow letters are not read on white."""
    terminal.show_explained(explained("C1"))
    shown = capsys.readouterr().out
    assert "▲\x1b[0m yellow" in shown


def test_what_comes_next_is_told_at_a_terminal_only(capsys, monkeypatch):
    terminal.hint("churnkit calls", "churnkit run", config="my shop/churnkit.toml")
    shown = capsys.readouterr().out
    assert "Next: \x1b[0mchurnkit calls --config 'my shop/churnkit.toml'\n" in shown
    monkeypatch.delenv("FORCE_COLOR")  # it stands for a terminal
    terminal.hint("churnkit calls")
    assert capsys.readouterr().out == ""


# ── At a terminal, for real ─────────────────────────────────────────────────────────────────

SHOWN = """
from churnkit import terminal
from churnkit.terminal.encoding import plain_where_needed
from churnkit.terminal.tables import light
plain_where_needed()
rows = [[light(name), 1, "Ärger · 日本"] for name in ("green", "yellow", "red")]
terminal.out().print(terminal.table("Lights", ["light", "n", ""], rows))
terminal.print_json({"id": "Ärger 日本 ●"})
"""


def colours_in(told: str) -> set[str]:
    return set(re.findall(r"\x1b\[[\d;]*m", told)) - {"\x1b[0m", "\x1b[1m", "\x1b[2m"}


def test_a_terminal_gets_colours_shapes_and_words(tmp_path: Path):
    code, told = at_terminal([], tmp_path, code=SHOWN, columns=60)
    assert code == 0, told
    assert len(colours_in(told)) == 3
    assert screen(told)[2:5] == [
        "● green   1  Ärger · 日本",
        "▲ yellow  1  Ärger · 日本",
        "■ red     1  Ärger · 日本",
    ]


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colours_gets_shapes_and_words(tmp_path: Path, environment):
    told = at_terminal([], tmp_path, code=SHOWN, **environment)[1]
    assert not colours_in(told)
    assert "▲ yellow" in re.sub(r"\x1b\[[\d;]*m", "", told)


def test_an_encoding_without_shapes_gets_plain_signs_and_words(tmp_path: Path):
    """Nothing fails, columns stay, and no letter is lost."""
    plain = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "NO_COLOR": "1", "TERM": "dumb"}
    code, told = at_terminal([], tmp_path, code=SHOWN, **plain)
    lines = [line.rstrip() for line in told.splitlines()]
    assert code == 0, told
    assert told.isascii()
    assert lines[2] == r"o green   1  \xc4rger . \u65e5\u672c"
    assert lines[4].startswith("# red     1")
    assert json.loads("".join(lines[5:])) == {"id": "Ärger 日本 ●"}
