"""The code of the README and of docs/ does what the pages show, each in a project of its own."""

from __future__ import annotations

import runpy
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from commands import run
from shown import assert_shown, words

from churnkit.features import load_own

ROOT = Path(__file__).parents[1]
examples: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "examples.py"))
PAGES: list[Path] = examples["pages"]()

# Blocks that nobody can run here; each says why on the page.
NOT_RUN = {
    "README.md": 1,  # shown on other pages
    "actions.md": 1,  # a sketch
    "docker.md": 2,  # no daemon
    "how-to/forget.md": 1,  # a salt
    "how-to/postgresql.md": 1,  # a server with a name
    "how-to/pseudonyms.md": 1,  # a scoring
    "how-to/schedule.md": 1,  # the services of a machine
    "how-to/warehouses.md": 1,  # shown below it
    "how-to/spark.md": 5,  # a cluster
    "operations.md": 1,  # the home of whoever runs it
    "performance.md": 1,  # a cluster
    "security.md": 1,  # logs of your own
    "tutorial/first-list.md": 1,  # installs
    "tutorial/online-retail.md": 1,  # the network
}


def name_of(page: Path) -> str:
    return page.relative_to(page.parent if page.name == "README.md" else ROOT / "docs").as_posix()


def in_this_process(arguments: list[str], folder: Path) -> tuple[int, str, str]:
    """What churnkit does in a folder: as `examples.churnkit`, but without a start of Python."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        for name in ("COLUMNS", "TERMINAL_WIDTH"):
            patched.setenv(name, examples["WIDTH"])
        patched.setenv("NO_COLOR", "1")
        result = run(*arguments)
    return result.exit_code, result.stdout, result.stderr


def session(folder: Path) -> Any:
    return examples["Session"](folder, in_this_process)


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Any:
    """A function that lays a project of some name into a folder; each is made once.

    The store of its models is there already, also that of the demo: to open a new one takes long.
    """
    made: dict[str, Path] = {}

    def lay(name: str, folder: Path) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            here = made[name] / "shop" if name == "empty" else made[name]
            shutil.copytree(empty_store, here / "models")
            examples["furnish"](name, session(made[name]))
        return Path(shutil.copytree(made[name], folder))

    return lay


@pytest.fixture(autouse=True)
def _no_features_of_others() -> Any:
    yield
    load_own()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_shows_what_happens(page: Path, projects: Any, tmp_path: Path) -> None:
    """Words are the same and numbers close; where the page says so, in the first line only."""
    text = page.read_text(encoding="utf-8")
    project = examples["project_of"](text)
    if all("not run" in b.asked for b in examples["blocks"](text) if b.is_example):
        pytest.skip("nothing on this page can be run here")
    if examples["missing"](project):
        pytest.skip("CHURNKIT_REAL_DATA names no folder")
    here = session(projects(project, tmp_path / "project"))
    then = {
        (block.start, number): lines
        for block in examples["blocks"](text)
        for number, (_, lines) in enumerate(block.commands() or [("", block.body.splitlines())])
    }
    seen: Counter[int] = Counter()
    for block, command, now in examples["played"](text, here, name_of(page)):
        shown = then[block.start, seen[block.start]]
        seen[block.start] += 1
        if command and not any(line.strip() for line in shown):
            continue  # run, and nothing shown of it
        if "varies" in block.asked:
            assert words(shown[0]) == words(now[0])
        else:
            assert_shown(shown, now)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_example_is_run_or_says_why_not(page: Path) -> None:
    blocks = [b for b in examples["blocks"](page.read_text(encoding="utf-8")) if b.is_example]
    excused = [block.asked["not run"] for block in blocks if "not run" in block.asked]
    assert len(excused) == NOT_RUN.get(name_of(page), 0)
    assert all(excused)
    for block in blocks:
        if block.kind == "console" and "not run" not in block.asked:
            assert block.commands(), block.body


def test_what_is_not_run_is_there() -> None:
    assert NOT_RUN.keys() <= {name_of(page) for page in PAGES}


def test_a_page_that_shows_something_else_is_noticed(tmp_path: Path) -> None:
    """The comparison itself: a word that is not printed, and a number that is far off."""
    page = "```console\n$ churnkit schedule cron\n{}\n$ echo $?\n2\n```\n"
    ((_, _, now), _) = examples["played"](page, session(tmp_path), "page.md")
    assert now[0].startswith("Error: ")
    assert_shown(now, now)
    with pytest.raises(AssertionError):
        assert_shown([f"{now[0]} indeed", *now[1:]], now)
    with pytest.raises(AssertionError):
        assert_shown(["12 customers"], ["15 customers"])


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({}, ["one", "1", "", "two", "2", "", "three", "3"]),
        ({"shown": "one; two"}, ["one", "1", "", "two", "2", "..."]),
        ({"shown": "one; three"}, ["one", "1", "...", "three", "3"]),
        ({"shown": "first 2 lines"}, ["one", "1", "..."]),
    ],
)
def test_parts_of_an_output(asked: dict[str, str], shown: list[str]) -> None:
    assert examples["selected"]("one\n1\n\ntwo\n2\n\nthree\n3\n", asked) == shown


def test_examples_are_written_anew(tmp_path: Path) -> None:
    """What is shown is replaced by what is printed, and the page stays as it is around it."""
    old = "Before.\n\n```console\n$ echo $?\nold\n```\n\n```python\nprint(1 + 1)\n```\n\n"
    old += "<!-- printed -->\n```text\n3\n```\nAfter.\n"
    new = examples["refreshed"](old, session(tmp_path), "page.md")
    assert new == old.replace("old\n", "0\n").replace("3\n```\nAfter", "2\n```\nAfter")
