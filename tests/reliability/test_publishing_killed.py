"""Lines 1 and 2: kill -9, a full disk or too large a file while scores are published."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import small
from killed import Zygote, key_of, publish, table_of, zygote

from churnkit.config import load_settings
from churnkit.errors import ConfigError
from churnkit.publishing import ScoreStore
from churnkit.simulate import Shop
from churnkit.training import Training

DAY, NEXT = "2024-05-15", "2024-05-22"
SOMEWHERE = """
[output]
csv = "scores.csv"
url = "sqlite:///scores.db"
table = "scores"

[mlflow]
tracking_uri = "http://127.0.0.1:9"
"""
DOCUMENTED = {"exit 1", "exit 2", "exit 3"}
LACKS = re.compile("No space left|disk is full|File too large|not enough memory or room")
LEFT = re.compile(r"\.[0-9a-f]{8}(/|$)|\.tmp|\.wal$|-journal$")


def files(store: ScoreStore) -> dict[str, bytes]:
    whole = (path for path in store.folder.rglob("*") if path.is_file())
    return {str(p.relative_to(store.folder)): p.read_bytes() for p in whole if p.name != ".lock"}


@pytest.fixture(scope="module")
def forks() -> Iterator[Zygote]:
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        patched.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with zygote() as ready:
            yield ready


# ── 1: of one publication ───────────────────────────────────────────────────────────────────


def check_after_a_kill(store: ScoreStore, old: dict[str, bytes], known: dict[str, int]) -> str:
    """Old scores are bit-identical, the pointer names a whole run; its name."""
    now = files(store)
    assert {name: now[name] for name in old} == old
    assert store.days() == (DAY,)
    run = store.manifest(DAY).run
    pd.testing.assert_frame_equal(store.read(DAY), table_of(known[run], DAY).to_pandas())
    return run


def test_01_kill_9_at_any_step_of_publishing_changes_nothing_published(forks, tmp_path, seen):
    store = ScoreStore(tmp_path)
    publish(tmp_path, 1, DAY)
    first = {name: data for name, data in files(store).items() if name != "current.json"}
    known, ends, step = {key_of(1)[:12]: 1, key_of(2)[:12]: 2}, [], 0
    while "exit 0" not in ends:
        step += 1
        ends.append(forks(do="publish", folder=tmp_path, seed=2, day=DAY, step=step))
        shown = check_after_a_kill(store, first, known)
        if shown == key_of(2)[:12]:
            break  # killed after the pointer was replaced, or not at all
        pointer = json.loads((tmp_path / "current.json").read_text())
        assert pointer["days"][DAY]["run"] == key_of(1)[:12]
    assert step > 10
    seen("steps of a publication, killed at each", step)
    assert publish(tmp_path, 2, DAY).run == key_of(2)[:12]  # a rerun succeeds, the lock is free
    left = {Path(name).stem for name in files(store) if name != "current.json"}
    assert left == {*known}  # no orphans


def test_01_kill_9_at_random_moments_of_publishing_changes_nothing_published(
    forks, tmp_path, trials, seen
):
    store, draw = ScoreStore(tmp_path), np.random.default_rng(11)
    publish(tmp_path, 1, DAY)
    known, killed, seed = {key_of(1)[:12]: 1}, 0, 1
    while killed < trials(8, 200):
        seed += 1
        known[key_of(seed)[:12]] = seed
        old = {name: data for name, data in files(store).items() if name.startswith("as_of")}
        shown = store.manifest(DAY)
        kept = {n: d for n, d in old.items() if shown.run in n and "/." not in n}
        ended = forks(
            do="publish", folder=tmp_path, seed=seed, day=DAY, seconds=draw.uniform(0, 0.03)
        )
        killed += ended == "killed"
        run = check_after_a_kill(store, kept, known)
        assert run in {shown.run, key_of(seed)[:12]}
        if seed % 10 == 0:  # else there would be more to read every time
            with store.lock():
                store.prune(keep=2)
    seen("kills of publishing survived", killed)
    last = publish(tmp_path, seed + 1, DAY)
    named = {*last.earlier, last.run}
    assert {Path(name).stem for name in files(store) if name != "current.json"} <= named


def test_01_a_first_run_that_is_killed_is_published_whole_or_not_at_all(forks, tmp_path):
    for step in range(1, 60):
        folder = tmp_path / str(step)
        ended = forks(do="publish", folder=folder, seed=1, day=DAY, step=step)
        store = ScoreStore(folder)
        assert store.days() in ((), (DAY,))
        publish(folder, 1, DAY)
        pd.testing.assert_frame_equal(store.read(DAY), table_of(1, DAY).to_pandas())
        assert len(files(store)) == 3
        if ended == "exit 0":
            break
    assert ended == "exit 0"


# ── 1: of the whole command, with ledger, spreadsheet, report and table ─────────────────────


@dataclass
class Victim:
    """A project whose commands are killed, and what it must hold whatever happens.

    ``folder`` is scored as of `DAY`; the commands are about `NEXT`.
    """

    folder: Path
    forks: Zygote
    said: Path
    content: dict[str, str] = field(default_factory=dict)
    old: dict[str, bytes] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def do(self, *arguments: str, **when: Any) -> str:
        """How a command ended; see `killed`."""
        return self.forks(
            do="command", folder=self.folder, said=str(self.said), arguments=list(arguments), **when
        )

    @property
    def store(self) -> ScoreStore:
        return load_settings(self.folder / "churnkit.toml").score_store()

    def know(self, whole: Victim) -> None:
        """What is there now must be there later; of `NEXT` what another project shows, or none."""
        for day in whole.store.days():
            manifest = whole.store.manifest(day)
            self.content[day], self.rows[day] = manifest.content, manifest.rows
        run = self.store.manifest(DAY).run
        self.old = {name: data for name, data in files(self.store).items() if run in name}

    def check(self) -> None:
        """Old scores are bit-identical, and nothing that can be read is half."""
        now = files(self.store)
        assert {name: now[name] for name in self.old} == self.old
        days = self.store.days()
        assert days in ((DAY,), (DAY, NEXT))
        assert {day: self.store.manifest(day).content for day in days} == {
            day: self.content[day] for day in days
        }
        for day in days:
            assert len(self.store.read(day)) == self.rows[day]
        ledger = load_settings(self.folder / "churnkit.toml").open_ledger()
        assert len(ledger.read(DAY)) == self.rows[DAY]
        runs = ledger.runs()
        assert {*runs["as_of"]} <= {*self.content}
        assert (runs["customers"] == runs["as_of"].map(self.rows)).all()
        self._check_exports()

    def _check_exports(self) -> None:
        with sqlite3.connect(self.folder / "scores.db") as con:
            told = dict(con.execute("SELECT as_of, count(*) FROM scores GROUP BY 1").fetchall())
        con.close()
        assert {day[:10]: rows for day, rows in told.items()}.items() <= self.rows.items()
        assert len(pd.read_csv(self.folder / "scores.csv")) in self.rows.values()
        for page in (self.folder / "reports").glob("*.html"):
            assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")

    def names(self) -> set[str]:
        """The files there are; runs by their day, since every forced one has another name."""
        whole = (p.relative_to(self.folder) for p in self.folder.rglob("*") if p.is_file())
        return {
            f"{p.parent}/RUN{p.suffix}" if p.parent.name.startswith("as_of=") else str(p)
            for p in whole
        }


@pytest.fixture(scope="module")
def scored(
    shop: Shop, training: Training, forks: Zygote, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project that was scored once; never to be changed."""
    folder = small.project(
        tmp_path_factory.mktemp("whole") / "scored", shop, training, more=SOMEWHERE
    )
    champion = {"bundle": "model", "version": "1"}
    (folder / "models").mkdir()
    shutil.move(folder / "model", folder / "models" / "model")
    (folder / "models" / "champion.json").write_text(json.dumps(champion))
    said = folder.with_name("said")
    assert Victim(folder, forks, said).do("score", "--as-of", DAY) == "exit 0", said.read_text()
    return folder


@pytest.fixture(scope="module")
def whole(scored: Path, forks: Zygote) -> Victim:
    """The same after a second day of which nothing was killed; never to be changed."""
    folder = shutil.copytree(scored, scored.with_name("whole"))
    whole = Victim(folder, forks, scored.with_name("said"))
    assert whole.do("score", "--as-of", NEXT) == "exit 0", whole.said.read_text()
    return whole


@pytest.fixture
def victim(scored: Path, forks: Zygote, tmp_path: Path) -> Victim:
    return Victim(shutil.copytree(scored, tmp_path / "project"), forks, tmp_path / "said")


@pytest.mark.parametrize(
    ("command", "quick", "full", "steps"), [("score", 3, 80, 120), ("run", 1, 20, 240)]
)
def test_01_kill_9_at_random_moments_of_a_whole_command_loses_nothing(
    victim, whole, command, quick, full, steps, trials, seen
):
    victim.know(whole)
    draw, killed, wanted = np.random.default_rng(7), 0, trials(quick, full)
    asked = (command, "--as-of", NEXT, "--force")
    while killed < wanted:
        for _ in range(min(5, wanted - killed)):
            when = {"step": int(draw.integers(1, steps)), "seconds": draw.choice([0.0, 0.01, 0.05])}
            killed += victim.do(*asked, **when) == "killed"
            victim.check()
        assert victim.do(*asked) == "exit 0", victim.said.read_text()
        victim.check()
        assert victim.names() >= whole.names()
        assert not [name for name in victim.names() if LEFT.search(name)]
    seen(f"kills of churnkit {command} survived", killed)


# ── 2: a full disk, and a limit on the size of files ────────────────────────────────────────


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes a real file system of a size; the test is skipped where none can be mounted."""
    made = []

    def mounted(size: str) -> Path:
        place = tmp_path / "disk"
        place.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)], capture_output=True
        )
        if done.returncode:
            pytest.skip("no file system can be mounted here")
        made.append(place)
        return place

    yield mounted
    for place in made:
        subprocess.run(["umount", str(place)], check=True)


def test_02_a_full_disk_is_told_and_leaves_the_old_scores(disk):
    place = disk("200k")
    store = ScoreStore(place / "scores")
    publish(store.folder, 1, DAY)
    before = files(store)
    needed = store.manifest(DAY).file.size
    filler = place / "filler"
    # Full while the rows are written, and when the manifest or the pointer is.
    for room in (0, 4_096, needed // 2, needed + 4_096):
        filler.write_bytes(b"x" * (shutil.disk_usage(place).free - room))
        with pytest.raises(ConfigError, match="No space left on device"):
            publish(store.folder, 2, NEXT)
        now = files(store)
        assert {name: now[name] for name in before} == before
        assert store.days() == (DAY,)
        filler.unlink()
    publish(store.folder, 2, NEXT)
    assert set(files(store)) > set(before)
    assert len(files(store)) == len(before) + 2  # no orphans
    assert store.days() == (DAY, NEXT)


def test_02_a_store_that_is_read_only_is_told_and_still_read(disk):
    place = disk("200k")
    store = ScoreStore(place / "scores")
    publish(store.folder, 1, DAY)
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    with pytest.raises(ConfigError, match="Read-only file system"):
        publish(store.folder, 2, DAY)
    assert len(store.read(DAY)) == len(table_of(1))


def test_02_a_limit_on_the_size_of_files_is_told(tmp_path):
    store = ScoreStore(tmp_path)
    publish(store.folder, 1, DAY)
    before, limits = files(store), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, limits[1]))
    try:
        with pytest.raises(ConfigError, match="File too large"):
            publish(store.folder, 3, DAY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files(store) == before


def fails_in_words(victim: Victim, **how: Any) -> bool:
    """Whether scoring fails, with a documented code and words; whatever was there is there."""
    ended, said = victim.do("score", "--as-of", NEXT, **how), victim.said.read_text()
    victim.check()
    assert ended in {"exit 0", *DOCUMENTED}
    assert "Traceback" not in said
    assert ended == "exit 0" or ("Error: " in said and LACKS.search(said)), said
    return ended != "exit 0"


def test_02_scoring_on_a_full_disk_says_so_and_loses_nothing(
    scored, whole, disk, tmp_path, trials, seen
):
    folder = shutil.copytree(scored, disk("12m") / "project")
    victim = Victim(folder, whole.forks, tmp_path / "said")
    victim.know(whole)
    filler, full = victim.folder.parent / "filler", 0
    filler.touch()
    for room in count(0, trials(150_000, 20_000)):
        os.truncate(filler, 0)
        filler.write_bytes(b"x" * (shutil.disk_usage(victim.folder).free - room))
        if not fails_in_words(victim):
            break
        full += 1
    filler.unlink()
    assert victim.do("score", "--as-of", NEXT, "--force") == "exit 0", victim.said.read_text()
    victim.check()
    assert victim.names() == whole.names()  # no orphans
    seen("full disks", full)


def test_02_scoring_with_a_limit_on_the_size_of_files_says_so_and_loses_nothing(
    victim, whole, trials, seen
):
    victim.know(whole)
    limits = np.linspace(2_000, 12_000, trials(2, 15)).astype(int)  # what is said needs room
    for limit in limits:
        assert fails_in_words(victim, largest=int(limit))
    assert not fails_in_words(victim)
    assert victim.names() == whole.names()  # no orphans
    seen("limits on files", len(limits))
