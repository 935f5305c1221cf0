"""Overrides: a person's word over the light, kept with who, when, why, from and to."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import features_of

from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError
from churnkit.lights import (
    Override,
    Overrides,
    TrafficLight,
    clear_override,
    read_overrides,
    set_override,
)


def day(text: str) -> Cutoff:
    return Cutoff.parse(text)


def put(folder: Path, customer: str = "anna", light: str = "red", **changed: str) -> Override:
    told = {"day": "2024-03-01", "until": "2024-04-01", "owner": "mia", "reason": "said so"}
    told |= changed
    return set_override(
        folder, customer, light, day(told["day"]), day(told["until"]), told["owner"],
        told["reason"], told.get("before", ""),
    )  # fmt: skip


def test_an_override_holds_from_its_day_until_its_end(tmp_path):
    put(tmp_path)
    known = read_overrides(tmp_path)
    held = {
        d: [*known.at(day(d))] for d in ("2024-02-29", "2024-03-01", "2024-03-31", "2024-04-01")
    }
    assert held == {
        "2024-02-29": [], "2024-03-01": ["anna"], "2024-03-31": ["anna"], "2024-04-01": [],
    }  # fmt: skip


def test_it_has_the_last_word(tmp_path):
    put(tmp_path, "c0", "green")
    put(tmp_path, "c1", "red")
    held = read_overrides(tmp_path).at(day("2024-03-02"))
    found = TrafficLight().assign(
        np.array([0.9, 0.1, 0.1]), features_of(complaints_open=[1.0, 0.0, 0.0]), overrides=held
    )
    assert found.light.tolist() == ["green", "red", "green"]
    assert found.rules[0][-1] == "set to green by mia until 2024-04-01: said so"
    assert found.held.tolist() == ["red", "green", "green"]


def test_a_later_one_takes_the_place_of_an_earlier(tmp_path):
    put(tmp_path)
    put(tmp_path, light="yellow", day="2024-03-10", until="2024-03-12")
    known = read_overrides(tmp_path)
    assert known.at(day("2024-03-05"))["anna"].light == "red"
    assert known.at(day("2024-03-11"))["anna"].light == "yellow"
    # Over is over: the earlier one does not come back.
    assert not known.at(day("2024-03-12"))


def test_one_that_is_taken_back_gives_no_colour_and_stays_on_record(tmp_path):
    put(tmp_path)
    clear_override(tmp_path, "anna", day("2024-03-10"), "ben", "a mistake")
    known = read_overrides(tmp_path)
    assert known.at(day("2024-03-09"))
    assert not known.at(day("2024-03-10"))
    assert [(e.owner, e.light, e.before) for e in known.entries] == [
        ("mia", "red", ""), ("ben", "", "red"),
    ]  # fmt: skip


def test_the_file_is_only_added_to(tmp_path):
    put(tmp_path, "anna")
    first = (tmp_path / "overrides.jsonl").read_bytes()
    put(tmp_path, "بن")
    both = (tmp_path / "overrides.jsonl").read_bytes()
    assert both.startswith(first)
    assert json.loads(both.decode().splitlines()[1])["customer"] == "بن"


def test_of_many_who_write_at_once_none_is_lost(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: put(tmp_path, f"c{k}"), range(24)))
    assert len(read_overrides(tmp_path).entries) == 24


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"light": "blue"}, "'blue' is no light"),
        ({"until": "2024-03-01"}, "would end on 2024-03-01, and begin on 2024-03-01"),
        ({"until": "2023-03-01"}, "it would never hold"),
        ({"owner": "  "}, "needs an owner"),
        ({"reason": ""}, "needs a reason"),
        ({"reason": "x" * 501}, "at most 500 characters"),
    ],
)
def test_what_could_never_hold_is_refused_and_nothing_written(tmp_path, changed, said):
    with pytest.raises(ConfigError, match=said):
        put(tmp_path, **changed)
    assert not (tmp_path / "overrides.jsonl").exists()


def test_there_must_be_one_to_take_back(tmp_path):
    with pytest.raises(ConfigError, match="no override of customer 'anna' holds on 2024-03-01"):
        clear_override(tmp_path, "anna", day("2024-03-01"), "mia", "why not")


def line(**changed: str) -> str:
    told = {"customer": "a", "day": "2024-01-01", "light": "red", "before": ""}
    return json.dumps(told | {"until": "2024-02-01", "owner": "o", "reason": "r"} | changed)


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"customer": "a"}', line(light="pink"), line(day="soon"), line(more="")],
)
def test_a_broken_line_is_named_and_nothing_is_added(tmp_path, line):
    put(tmp_path)
    path = tmp_path / "overrides.jsonl"
    path.write_text(path.read_text() + line + "\n")
    before = path.read_bytes()
    with pytest.raises(DataError, match="line 2 is no override"):
        put(tmp_path)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        put(tmp_path / "file" / "ledger")


days = st.integers(1, 28).map(lambda d: f"2024-03-{d:02d}")


@given(st.lists(st.tuples(days, days, st.sampled_from(["red", "green", ""])), max_size=8), days)
def test_what_is_entered_for_later_changes_nothing_before(entries, at):
    made = tuple(
        Override("anna", start, light, "", max(start, end) if light else "", "mia", "r")
        for start, end, light in entries
    )
    known = tuple(entry for entry in made if entry.day <= at)
    assert Overrides(made).at(day(at)) == Overrides(known).at(day(at))
