"""Those who wait are told what is being done, how far it is, and how long it takes yet."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from pseudo import at_terminal, screen
from rich.progress import Task, TaskID

from churnkit import terminal
from churnkit.clock import Cutoff
from churnkit.dataset import Schedule
from churnkit.evaluation import backtest
from churnkit.labels import Question
from churnkit.progress import Step, part_of, saying, silent, watched
from churnkit.scoring.fingerprints import fingerprints
from churnkit.terminal.waiting import Pace, _Times

# ── What the library tells ──────────────────────────────────────────────────────────────────


def test_a_step_is_the_text_it_says():
    told: list[str] = []
    told.append(Step("fitting", 1, 4))
    assert told == ["fitting"]
    assert f"{told[0]}" == "fitting"


def test_a_part_is_told_as_a_share_of_the_whole():
    told: list[Step] = []
    whole = part_of(told.append, 2, 4, "test 3 of 4: ", weight=0.5)
    part_of(whole, 1, 2)("building")
    whole("nobody knows how far")
    assert [(step, step.done, step.of) for step in told] == [
        ("test 3 of 4: building", 2.25, 4),
        ("test 3 of 4: nobody knows how far", 2.0, 4),
    ]


def test_what_is_said_before_keeps_how_far_it_is():
    told: list[str] = []
    says = saying(told.append, "score: ")
    says("reading")
    says(Step("scoring", 3, 7))
    assert told == ["score: reading", "score: scoring"]
    assert not isinstance(told[0], Step)
    assert (told[1].done, told[1].of) == (3, 7)


def test_blocks_are_counted_by_their_customers():
    told: list[Step] = []
    blocks = [SimpleNamespace(customer_count=n) for n in (3, 4)]
    assert list(watched(blocks, 7, told.append, "scoring")) == blocks
    assert [(step.done, step.of) for step in told] == [(0, 7), (3, 7)]
    assert list(watched([], 0, told.append, "scoring")) == []


def test_comparing_customers_tells_how_many_are_done(logs):
    told: list[Step] = []
    fingerprints(logs, Cutoff.parse("2024-04-01"), told.append)
    assert {step.of for step in told} == {logs.customer_count}
    assert told[0].done == 0


def test_a_backtest_goes_forward_over_all_its_tests(logs, monkeypatch):
    """Whatever is fitted: the share that is done never falls, and stays below all of it."""
    monkeypatch.setattr("churnkit.evaluation.trial_of", _trial_of_nothing)
    monkeypatch.setattr("churnkit.evaluation.choose", lambda trials: "recency")
    told: list[Step] = []
    backtest(logs, Question(horizon_days=30, lookback_days=90), Schedule(tests=3), told.append)
    assert [step.of for step in told] == [3] * 6
    assert [step.done for step in told[::2]] == [0, 1, 2]
    assert all(a.done < b.done for a, b in pairwise(told))
    assert told[-1].done < 3


def _trial_of_nothing(learnt, data, question, at, progress, how, rungs):
    progress(Step("fitting", 1, 2))
    return SimpleNamespace(metrics={})


# ── How long it takes yet ───────────────────────────────────────────────────────────────────


def test_the_time_left_follows_from_what_is_done():
    pace = Pace()
    pace.told(0, 10, at=5.0)
    assert pace.left(7.0) is None, "nothing is known yet"
    pace.told(2, 10, at=9.0)  # two seconds each
    assert pace.left(9.0) == pytest.approx(16.0)
    assert pace.left(12.0) == pytest.approx(13.0), "it goes on while nothing is told"
    assert pace.left(60.0) == 0.0


def test_a_step_that_begins_anew_has_a_pace_of_its_own():
    pace = Pace()
    pace.told(0, 10, at=0.0)
    pace.told(9, 10, at=900.0)
    pace.told(0, 3, at=901.0)
    assert pace.left(902.0) is None
    pace.told(1, 3, at=902.0)
    assert pace.left(902.0) == pytest.approx(2.0)


def test_a_search_that_goes_on_counts_only_what_it_does_itself():
    pace = Pace()
    pace.told(20, 30, at=0.0)
    pace.told(21, 30, at=10.0)
    assert pace.left(10.0) == pytest.approx(90.0)


# ── What is shown ───────────────────────────────────────────────────────────────────────────


def shown_of(pace: Pace, *, at: float, done: float, known: bool = True) -> str:
    fields = {"pace": pace, "known": known}
    task = Task(TaskID(0), "scoring", pace.of, done, _get_time=lambda: at, fields=fields)
    task.start_time = 0.0
    return _Times(wide=True).render(task).plain


def test_share_time_and_time_left_are_shown_where_they_are_known():
    pace = Pace()
    pace.told(0, 10, at=0.0)
    assert shown_of(pace, at=65.0, done=0) == "0%  1:05"
    pace.told(4, 10, at=100.0)
    assert shown_of(pace, at=110.0, done=4) == "40%  1:50  2:20 left"
    assert shown_of(pace, at=300.0, done=4) == "40%  5:00", "it takes longer than was thought"
    assert shown_of(pace, at=110.0, done=4, known=False) == "1:50"


# What stands at the end is shown whatever the time it takes.
WORK = """
import sys
from threading import Event
from churnkit import terminal
from churnkit.progress import Step
with terminal.progress() as progress:
    progress("reading and sorting")
    for k in range(4):
        progress(Step("fitting [bold]\x1b[2Jall", k, 4))
    if "wait" in sys.argv:
        Event().wait(60)
print("done")
"""


def test_nobody_is_told_where_nobody_looks(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # colours are asked for, a line that moves is not
    with terminal.progress() as progress:
        assert progress is silent


@pytest.mark.parametrize("columns", [40, 100])
def test_a_line_shows_what_is_done_and_nothing_stays(tmp_path: Path, columns: int):
    code, told = at_terminal([], tmp_path, code=WORK, columns=columns)
    assert code == 0, told
    assert "fitting [bold]�[2Jall" in told
    assert "75%" in told
    assert ("━" in told) == (columns == 100)
    assert "\x1b[2J" not in told
    assert [line for line in screen(told) if line] == ["done"]


def test_a_terminal_that_cannot_go_back_gets_a_line_for_each_thing(tmp_path: Path):
    told = at_terminal([], tmp_path, code=WORK, TERM="dumb")[1]
    assert told.splitlines() == [
        "reading and sorting",
        "fitting [bold]�[2Jall",
        "done",
    ]


def test_an_encoding_without_bars_gets_plain_ones(tmp_path: Path):
    plain = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    code, told = at_terminal([], tmp_path, code=WORK, columns=100, **plain)
    assert code == 0, told
    assert told.isascii()
    assert "75%" in told


def test_ctrl_c_leaves_a_clean_line(tmp_path: Path):
    code, told = at_terminal(["wait"], tmp_path, code=WORK, interrupt_at="75%")
    assert code != 0
    shown = [line for line in screen(told) if line]
    assert not [line for line in shown if "%" in line or "fitting" in line]
