"""The steps of a night: kept, done again, stopped; with cheap steps in place of the real ones."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.errors import Busy, ConfigError, DataError, NothingToDo
from churnkit.nightly import Journal, JsonLines, Made, Step, alone, run_night

DAY = "2024-05-15"


class Shop:
    """Three steps that each write a file; what they did is counted, and each may fail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(folder / "nights" / f"{DAY}.jsonl", folder)
        self.did: list[str] = []
        self.said: list[tuple[str, str]] = []
        self.inputs = {"check": "logs", "score": "model", "report": "page"}
        self.content = {"check": "checked", "score": "scored", "report": "reported"}
        self.failing: dict[str, Exception] = {}
        self.lacking: dict[str, str] = {}
        self.always: set[str] = set()

    def step(self, name: str, *needs: str) -> Step:
        def do(ran):
            self.did.append(name)
            if name in self.failing:
                raise self.failing[name]
            if name in self.lacking:
                return Made(lacking=self.lacking[name])
            path = self.folder / f"{name}.txt"
            path.write_text(self.content[name])
            before = {needed: ran[needed].told.get("content") for needed in needs}
            told = {"content": self.content[name], "before": before}
            return Made(told, [path], {name: path}, rows=7)

        inputs = {"input": self.inputs[name]}
        return Step(name, do, lambda: inputs, needs, always=name in self.always)

    def run(self, force=False):
        self.did.clear()
        self.said.clear()
        steps = [
            self.step("check"), self.step("score", "check"), self.step("report", "check", "score")
        ]  # fmt: skip
        return run_night(
            DAY, steps, self.journal, force=force,
            tell=lambda event, **told: self.said.append((event, told.get("step", ""))),
        )  # fmt: skip

    def states(self, force=False):
        return {ran.name: ran.state for ran in self.run(force).steps}


@pytest.fixture
def shop(tmp_path) -> Shop:
    return Shop(tmp_path)


def lines(shop: Shop) -> list[dict]:
    return [json.loads(line) for line in shop.journal.path.read_text().splitlines()]


# ── Once, and again ─────────────────────────────────────────────────────────────────────────


def test_a_night_does_every_step_once_and_in_order(shop):
    night = shop.run()
    assert night.success
    assert shop.did == ["check", "score", "report"]
    assert night.told("report")["before"] == {"check": "checked", "score": "scored"}
    assert [(e["event"], e["step"]) for e in lines(shop)] == [
        (event, step) for step in shop.did for event in ("started", "done")
    ]
    night.require_done()


def test_a_second_run_has_nothing_to_do(shop):
    shop.run()
    night = shop.run()
    assert shop.did == []
    assert {ran.state for ran in night.steps} == {"kept"}
    assert night.told("score")["content"] == "scored"
    with pytest.raises(NothingToDo, match=DAY) as told:
        night.require_done()
    assert told.value.exit_code == 99


def test_force_does_everything_anew_and_an_interrupted_force_goes_on(shop):
    shop.run()
    shop.failing["score"] = DataError("the logs are gone")
    assert shop.states(force=True) == {"check": "done", "score": "failed", "report": "not run"}
    shop.failing.clear()
    assert shop.states() == {"check": "kept", "score": "done", "report": "done"}


# ── What makes a step run again ─────────────────────────────────────────────────────────────


def test_a_step_with_other_inputs_runs_again_and_those_after_it_only_if_it_told_otherwise(shop):
    shop.run()
    shop.inputs["score"] = "another model"
    night = shop.run()
    assert shop.did == ["score"]
    assert night.steps[1].why == "input changed"
    shop.inputs["score"], shop.content["score"] = "a third model", "scored otherwise"
    assert shop.states() == {"check": "kept", "score": "done", "report": "done"}
    assert shop.run().news is False


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.unlink(), "score.txt is gone"),
        (lambda path: path.write_text("scoredX"), "score.txt was changed"),
        (lambda path: path.write_text("Scored"), "score.txt was changed"),
    ],
)
def test_a_step_whose_file_is_damaged_runs_again(shop, damage, why):
    shop.run()
    damage(shop.folder / "score.txt")
    night = shop.run()
    assert shop.did == ["score"]
    assert night.steps[1].why == why
    assert (shop.folder / "score.txt").read_text() == "scored"
    night.require_done()  # something was made good: that is not nothing


def test_a_step_that_lacked_data_is_tried_again_and_stops_nothing(shop):
    shop.lacking["score"] = "there is no earlier run"
    night = shop.run()
    assert night.success
    assert [ran.state for ran in night.steps][:2] == ["done", "lacking"]
    assert night.steps[1].why == "there is no earlier run"


def test_lacking_the_same_again_is_no_news(shop, tmp_path):
    steps = [Step("kpi", lambda _: Made(lacking="no month is over"))]
    for news in (True, False):
        night = run_night(DAY, steps, shop.journal, tell=lambda *_, **__: None)
        assert night.news is news


def test_what_no_digest_tells_is_looked_at_every_time_and_is_news_only_if_it_differs(shop):
    shop.always.add("check")
    shop.run()
    night = shop.run()
    assert shop.did == ["check"]
    assert not night.news
    shop.content["check"] = "other rows"
    assert shop.run().news
    assert shop.did == ["check", "score", "report"]


def test_a_project_can_be_moved(shop, tmp_path_factory):
    shop.run()
    moved = tmp_path_factory.mktemp("elsewhere") / "project"
    shop.folder.rename(moved)
    assert set(Shop(moved).states().values()) == {"kept"}


# ── Faults ──────────────────────────────────────────────────────────────────────────────────


def test_the_first_fault_ends_the_night_with_its_exit_code_and_the_next_run_goes_on_there(shop):
    shop.failing["score"] = DataError("a column is missing", "Mend it.")
    night = shop.run()
    assert [ran.state for ran in night.steps] == ["done", "failed", "not run"]
    assert night.steps[1].why == "a column is missing"
    with pytest.raises(DataError) as raised:
        night.require_done()
    assert raised.value is shop.failing["score"]
    assert lines(shop)[-1]["exit_code"] == 3
    assert ("failed", "score") in shop.said
    shop.failing.clear()
    night = shop.run()
    assert shop.did == ["score", "report"]
    assert night.steps[1].why == "it failed before"


def test_a_fault_that_nobody_foresaw_is_told_by_kind_and_place_only(shop):
    shop.failing["score"] = KeyError("customer 12748")
    night = shop.run()
    assert "12748" not in shop.journal.path.read_text()
    assert night.steps[1].why.startswith("KeyError in test_run_steps.py, line ")
    with pytest.raises(KeyError):
        night.require_done()


def test_inputs_that_cannot_be_told_are_a_fault_of_their_step(shop):
    def gone():
        raise ConfigError("there is no champion")

    steps = [shop.step("check"), Step("score", lambda _: Made(), gone)]
    night = run_night(DAY, steps, shop.journal, tell=lambda *_, **__: None)
    assert [ran.state for ran in night.steps] == ["done", "failed"]


# ── The file that only grows ────────────────────────────────────────────────────────────────

values = st.dictionaries(st.text(), st.integers() | st.text(st.characters(codec="utf-8")))


@settings(max_examples=50)
@given(st.lists(values, max_size=5), st.integers(0, 400))
def test_however_it_is_cut_off_every_whole_line_is_read_and_more_can_follow(
    tmp_path_factory, told, cut
):
    path = tmp_path_factory.mktemp("lines") / "file.jsonl"
    file = JsonLines(path)
    for entry in told:
        file.append({"told": entry})
    content = path.read_bytes() if told else b""
    path.write_bytes(content[: min(cut, len(content))])
    whole = path.read_bytes().count(b"\n")
    read = [entry["told"] for entry in file.read()]
    assert read[:whole] == told[:whole]
    assert len(read) - whole in (0, 1)  # a line that lacks only its end
    file.append({"told": {"last": 1}})
    assert [entry["told"] for entry in file.read()] == [*read, {"last": 1}]


def test_a_journal_of_a_newer_churnkit_is_refused_and_left_alone(shop):
    shop.run()
    with shop.journal.path.open("a") as file:
        file.write('{"format": 2, "event": "done", "step": "score"}\n')
    before = shop.journal.path.read_bytes()
    with pytest.raises(ConfigError, match="format 2"):
        shop.run()
    assert shop.journal.path.read_bytes() == before
    assert shop.did == []


KEYS = ("event", "step", "inputs", "seconds", "rows", "told", "wrote", "paths", "digest")


@pytest.mark.parametrize("wrong", [None, "other", [], {"x": 1}], ids=str)
@pytest.mark.parametrize("key", KEYS)
def test_a_step_whose_line_is_damaged_is_done_again(shop, key, wrong):
    shop.run()
    told = lines(shop)
    for entry in (e for e in told if (e["event"], e["step"]) == ("done", "score")):
        del entry[key]
        entry.update({} if wrong is None else {key: wrong})
    shop.journal.path.write_text("".join(json.dumps(e) + "\n" for e in told))
    assert shop.run().success
    assert shop.did == ["score"]
    assert not shop.run().news


@pytest.mark.parametrize(
    "line", ["{}", "[]", "7", '{"format": 1}', '{"format": null}', '{"format": 1, "event": []}',
             '{"format": 1, "event": "done"}', "[" * 100_000, "\xff"],
)  # fmt: skip
def test_a_line_of_something_else_changes_nothing(shop, line):
    shop.run()
    with shop.journal.path.open("a", encoding="latin-1") as file:
        file.write(f"{line}\n")
    assert set(shop.states().values()) == {"kept"}


def test_a_journal_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "nights").write_text("in the way")
    night = Shop(tmp_path).run()
    assert isinstance(night.error, ConfigError)
    assert "cannot be written" in night.error.found


def test_a_full_disk_stops_the_night_with_a_message(shop, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        night = shop.run()
    assert isinstance(night.error, ConfigError)
    assert "No space left" in night.error.found
    assert shop.did == []
    assert shop.run().success


# ── One at a time ───────────────────────────────────────────────────────────────────────────

HOLD = """
import sys
from pathlib import Path
from churnkit.nightly import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_refused_until_the_first_is_killed(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(Busy) as refused, alone(tmp_path):
            raise AssertionError("both hold it")
        assert refused.value.exit_code == 75
        first.kill()
        first.wait()
        with alone(tmp_path):
            pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"), alone(tmp_path / "file" / "ledger"):
        pass


# ── kill -9, between steps and within ───────────────────────────────────────────────────────

NIGHT = """
import os, signal, sys
from pathlib import Path
from churnkit.atomic import whole_file
from churnkit.nightly import Journal, Made, Step, alone, run_night

NAMES = ("check", "score", "calls", "monitor", "report")


def here(place):
    with (folder / "places.txt").open("a") as file:
        file.write(place + chr(10))
    if place == at:
        os.kill(os.getpid(), signal.SIGKILL)


def step(name, needs):
    def do(ran):
        here(f"{name} begins")
        with whole_file(folder / f"{name}.txt") as aside:
            aside.write_text(name)
            here(f"{name} writes")
        here(f"{name} wrote")
        return Made({"made": name}, [folder / f"{name}.txt"])

    return Step(name, do, lambda: {"input": "1"}, needs)


class Watched(Journal):
    def add(self, event, step="", **told):
        here(f"{step} before {event}")
        super().add(event, step, **told)
        here(f"{step} after {event}")


def whole_night():
    with alone(folder):
        steps = [step(name, NAMES[:k]) for k, name in enumerate(NAMES)]
        journal = Watched(folder / "night.jsonl", folder)
        return run_night("2024-05-15", steps, journal, tell=lambda *a, **k: None)


for line in sys.stdin:  # a process for each night, without loading everything for each
    path, at = line.rstrip(chr(10)).split(chr(9))
    folder, child = Path(path), os.fork()
    if not child:
        os._exit(not whole_night().success)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
PLACES = [
    f"{step} {place}"
    for step in ("check", "score", "calls", "monitor", "report")
    for place in ("before started", "begins", "writes", "wrote", "before done", "after done")
]


@pytest.fixture
def night() -> Iterator[Callable[..., int]]:
    """Runs a night in a process of its own, which kills itself at a place; tells its exit code."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", NIGHT], **pipes) as nights:

        def run(folder: Path, at: str = "nowhere") -> int:
            nights.stdin.write(f"{folder}\t{at}\n")
            nights.stdin.flush()
            return int(nights.stdout.readline())

        yield run
        nights.stdin.close()


def published(folder: Path) -> dict[str, str]:
    return {
        path.name: path.read_text() for path in folder.glob("*.txt") if path.name != "places.txt"
    }


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_killed_anywhere_nothing_half_is_left_and_the_next_run_finishes_the_night(tmp_path, night):
    whole = {f"{n}.txt": n for n in ("check", "score", "calls", "monitor", "report")}
    for place in PLACES:
        folder = tmp_path / place.replace(" ", "-")
        folder.mkdir()
        assert night(folder, place) == -9, place
        before, done = published(folder), steps_done(folder)
        assert before.items() <= whole.items(), place
        (folder / "places.txt").write_text("")
        assert night(folder) == 0, place
        assert published(folder) == whole, place
        begun = (folder / "places.txt").read_text()
        assert not [step for step in done if f"{step} begins" in begun], place


def steps_done(folder: Path) -> list[str]:
    told = JsonLines(folder / "night.jsonl").read()
    return [entry["step"] for entry in told if entry["event"] == "done"]
