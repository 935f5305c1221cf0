"""Files and folders that appear whole or not at all, whatever happens on the way."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from churnkit.atomic import AlreadyThere, scratch_folder, whole_file, whole_folder
from churnkit.errors import ConfigError


@pytest.fixture
def old(tmp_path) -> Path:
    """A file of an earlier run."""
    path = tmp_path / "scores.csv"
    path.write_text("old")
    return path


def break_off(path: Path) -> None:
    path.write_text("ne")
    raise RuntimeError("half-way")


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """A disk that is full after so many bytes of each file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_is_replaced_when_all_is_written(old):
    with whole_file(old) as aside:
        aside.write_text("new")
        assert old.read_text() == "old"
    assert old.read_text() == "new"
    assert list(old.parent.iterdir()) == [old]


def test_who_reads_the_old_file_meanwhile_reads_it_to_its_end(old):
    with old.open() as reader:
        with whole_file(old) as aside:
            aside.write_text("new")
        assert reader.read() == "old"


def test_folders_on_the_way_are_made(tmp_path):
    with whole_file(tmp_path / "a" / "b" / "scores.csv") as aside:
        aside.write_text("new")
    assert (tmp_path / "a" / "b" / "scores.csv").read_text() == "new"


def test_others_may_read_the_file(old):
    with whole_file(old) as aside:
        aside.write_text("new")
    assert old.stat().st_mode & 0o777 == 0o644


def test_a_failure_leaves_the_old_file_and_nothing_else(old):
    with pytest.raises(RuntimeError, match="half-way"), whole_file(old) as aside:
        break_off(aside)
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


def test_a_full_disk_leaves_the_old_file_and_says_so(old):
    with (
        pytest.raises(ConfigError, match="cannot be written") as full,
        no_file_larger_than(1000),
        whole_file(old) as aside,
    ):
        aside.write_text("new" * 1000)
    assert "File too large" in full.value.found
    assert full.value.exit_code == 2
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


KILLED = """
import os, signal, sys
from pathlib import Path
from churnkit.atomic import scratch_folder, whole_file, whole_folder

old = Path(sys.argv[1])
with whole_file(old) as file, whole_folder(old.parent / "bundle") as folder:
    with scratch_folder(old.parent) as scratch:
        for aside in (file, folder / "part", scratch / "part"):
            aside.write_text("ne")
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_half_way_the_old_file_is_there_and_what_was_left_goes_with_the_next(old):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(old)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert old.read_text() == "old"
    assert len([*old.parent.iterdir()]) == 4
    with whole_file(old) as aside:
        aside.write_text("new")
    with whole_folder(old.parent / "bundle"):
        pass
    with scratch_folder(old.parent) as scratch:
        assert scratch.stat().st_mode & 0o777 == 0o700
    assert old.read_text() == "new"
    assert {*old.parent.iterdir()} == {old, old.parent / "bundle"}


def test_what_others_write_or_own_is_left_alone(old):
    foreign = [old.with_name(name) for name in (
        ".scores.csv.swp", ".scores.csv.0123456", ".scores.csv.0123456789", "scores.csv.01234567",
        ".others.csv.01234567", ".scores.csv.ABCDEF01",
    )]  # fmt: skip
    for path in foreign:
        path.touch()
    (old.parent / ".scores.csv.abcdef01").symlink_to(foreign[0])
    with whole_file(old) as first:
        first.write_text("first")
        with whole_file(old) as second:
            second.write_text("second")
        assert first.read_text() == "first"
    assert old.read_text() == "first"
    assert all(path.exists() for path in foreign)
    assert (old.parent / ".scores.csv.abcdef01").is_symlink()


def test_a_folder_cannot_be_made_below_a_file(old):
    with pytest.raises(ConfigError, match="cannot be written"), whole_file(old / "scores.csv"):
        pytest.fail("nothing can be written here")


def test_a_file_does_not_replace_a_folder(tmp_path):
    (tmp_path / "scores.csv" / "inside").mkdir(parents=True)
    with (
        pytest.raises(ConfigError, match="cannot be written"),
        whole_file(tmp_path / "scores.csv") as aside,
    ):
        aside.write_text("new")
    assert (tmp_path / "scores.csv" / "inside").is_dir()


def test_a_folder_appears_when_it_is_full(tmp_path):
    with whole_folder(tmp_path / "bundle") as aside:
        (aside / "model.json").write_text("{}")
        assert not (tmp_path / "bundle").exists()
    assert [path.name for path in (tmp_path / "bundle").iterdir()] == ["model.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_failure_leaves_no_folder(tmp_path):
    with pytest.raises(RuntimeError, match="half-way"), whole_folder(tmp_path / "bundle") as aside:
        break_off(aside / "model.json")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_no_folder(tmp_path):
    with (
        pytest.raises(ConfigError, match="cannot be written"),
        no_file_larger_than(1000),
        whole_folder(tmp_path / "bundle") as aside,
    ):
        (aside / "model.json").write_text("{}" * 1000)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_not_touched(tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "model.json").write_text("old")
    with (
        pytest.raises(AlreadyThere, match="cannot be written"),
        whole_folder(tmp_path / "bundle") as aside,
    ):
        (aside / "model.json").write_text("new")
    assert (tmp_path / "bundle" / "model.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_who_may_read_a_file_follows_from_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with whole_file(tmp_path / "scores.csv") as aside:
            aside.write_text("new")
        with whole_folder(tmp_path / "bundle"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "scores.csv").stat().st_mode & 0o777 == mode
    assert (tmp_path / "bundle").stat().st_mode & 0o077 == 0o077 & ~umask & 0o055
