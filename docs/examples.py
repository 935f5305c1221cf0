"""Run the examples of the README and of docs/, each page in a project of its own, and write them.

`python docs/examples.py [PAGE …]` runs those of some pages, or of all, and writes what they print;
tests/test_docs_pages.py checks that what is shown is what happens. Comments, which readers do not
see, say what a page or the block below needs:

=============================  ==================================================================
``<!-- project: NAME -->``     where the examples of a page run, see `PROJECTS`; else ``sample``
``<!-- before: COMMAND -->``   is run first, and not shown
``<!-- not run: WHY -->``      the block below cannot be run here
``<!-- shown: A; B -->``       of the output only what begins with A or with B, or ``first 9 lines``
``<!-- varies -->``            only the first line must stay as it is: the rest is learnt
``<!-- file: NAME -->``        the block below is the content of a file
``<!-- into: NAME -->``        the block below is added to the end of a file
``<!-- printed -->``           the block below is what the Python code above it prints
=============================  ==================================================================
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS, README = ROOT / "docs", ROOT / "README.md"
WIDTH = "90"

PART = re.compile(
    r"^<!-- (?P<key>before|not run|shown|varies|file|into|printed)(?:: (?P<value>.*?))? -->$"
    r"|^```(?P<kind>\w+)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
INIT = (
    "churnkit init --purchases data/purchases.csv --activity data/activity.parquet "
    "--surveys data/surveys.csv --horizon 60"
)
SAMPLE = (
    INIT,
    "churnkit train",
    "churnkit score --as-of 2025-01-01",
)
# What lies in the folder in which the examples of a page run, and what was done there.
PROJECTS = {
    "empty": ("", ()),
    "logs": ("the sample in data/", ()),
    "sample": ("the sample in data/", SAMPLE),
    "retail": ("Online Retail II, from the logs in CHURNKIT_REAL_DATA", ()),
}


@dataclass(frozen=True)
class Block:
    """A block of code of a page, and what the comments above it say."""

    kind: str
    body: str
    start: int
    asked: dict[str, str] = field(default_factory=dict)

    @property
    def is_example(self) -> bool:
        """Whether a reader would run it."""
        return self.kind in {"console", "python"} and "file" not in self.asked

    def commands(self) -> list[tuple[str, list[str]]]:
        """Its commands, and the lines that are shown below each."""
        told: list[tuple[str, list[str]]] = []
        for line in self.body.splitlines():
            if line.startswith("$ "):
                told.append((line[2:], []))
            elif told:
                told[-1][1].append(line)
        return told


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page in order; a comment is about the block that follows it."""
    asked: dict[str, str] = {}
    for part in PART.finditer(text):
        if part["key"]:
            asked[part["key"]] = part["value"] or ""
        else:
            yield Block(part["kind"], part["body"], part.start("body"), asked)
            asked = {}


def project_of(text: str) -> str:
    """The name of the project in which the examples of a page run."""
    named = re.search(r"^<!-- project: (\w+) -->$", text, re.MULTILINE)
    return named[1] if named else "sample"


def pages() -> list[Path]:
    """Every page that holds an example, the README first."""
    found = (README, *sorted(DOCS.rglob("*.md")))
    return [p for p in found if any(b.is_example for b in blocks(p.read_text(encoding="utf-8")))]


# Running them.


def churnkit(arguments: list[str], folder: Path) -> tuple[int, str, str]:
    """The exit code of churnkit in a folder, and what it prints and warns of."""
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    environment |= {"COLUMNS": WIDTH, "TERMINAL_WIDTH": WIDTH, "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "churnkit", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    return done.returncode, done.stdout, done.stderr


@dataclass
class Session:
    """What a reader has in front of him: a folder, the last exit code, the names of his Python."""

    folder: Path
    churnkit: Callable[[list[str], Path], tuple[int, str, str]] = churnkit
    code: int = 0
    names: dict[str, Any] = field(default_factory=dict)

    def run(self, command: str, refused: bool = False) -> str:
        """What a command prints; an error only where one is expected."""
        if command == "echo $?":
            return f"{self.code}\n"
        first, *rest = shlex.split(as_recipe(command))
        if first == "cd":
            self.folder = (self.folder / rest[0]).resolve()
            return ""
        if first != "churnkit":
            return subprocess.run(
                command, shell=True, cwd=self.folder, capture_output=True, text=True, check=True
            ).stdout
        self.code, said, warned = self.churnkit(rest, self.folder)
        if self.code and not refused:
            raise RuntimeError(f"{command}: exit {self.code}\n{warned}")
        return "\n".join([said, warned] if said else [warned]) if self.code else said

    def execute(self, code: str, page: str) -> str:
        """What Python code prints; its names stay for the code that follows on the page."""
        printed = io.StringIO()
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(printed):
            exec(compile(code, page, "exec"), self.names)
        return printed.getvalue()


def played(text: str, session: Session, page: str) -> Iterator[tuple[Block, str, list[str]]]:
    """Do what a page shows: its examples, each command or code with the lines it shows by now.

    Yields
    ------
    tuple
        The block, the command (empty for what Python prints), and the lines to show.
    """
    printed = ""
    for block in blocks(text):
        if "before" in block.asked:
            session.run(block.asked["before"])
        if "not run" in block.asked:
            continue
        if "file" in block.asked or "into" in block.asked:
            put(block, session.folder)
        elif block.kind == "python":
            printed = session.execute(block.body, page)
        elif "printed" in block.asked:
            yield block, "", selected(printed, block.asked)
        elif block.kind == "console":
            commands = block.commands()
            following = [command for command, _ in commands[1:]] + [""]
            for (command, _), after in zip(commands, following, strict=True):
                output = session.run(command, refused=after == "echo $?")
                asked = {} if command == "echo $?" else block.asked
                yield block, command, selected(output, asked)


def as_recipe(command: str) -> str:
    """The command behind a target of the Makefile, else the command itself."""
    if not command.startswith("make "):
        return command
    target = command.removeprefix("make ")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(rf"^{target}:.*\n\t(.*)$", makefile, re.MULTILINE)
    if recipe is None:
        raise ValueError(f"the Makefile has no target {target}")
    return recipe[1].replace("$(BIN)/", "")


def put(block: Block, folder: Path) -> None:
    """Write the content of a block to its file, or at the end of it."""
    if "file" in block.asked:
        (folder / block.asked["file"]).write_text(block.body, encoding="utf-8")
        return
    with (folder / block.asked["into"]).open("a", encoding="utf-8") as file:
        file.write("\n" + block.body)


def selected(output: str, asked: dict[str, str]) -> list[str]:
    """The lines of an output that are shown: some paragraphs, and few rows of a call list."""
    lines = [line.rstrip() for line in output.rstrip().splitlines()]
    wanted = asked.get("shown", "")
    if first := re.fullmatch(r"first (\d+) lines", wanted):
        cut = int(first[1])
        return lines[:cut] + ["..."] * (len(lines) > cut)
    if wanted:
        lines = paragraphs(lines, tuple(wanted.split("; ")))
    return without_most_calls(lines)


def paragraphs(lines: list[str], beginnings: tuple[str, ...]) -> list[str]:
    """The paragraphs that begin so, and dots for what is between them."""
    kept: list[str] = []
    for paragraph in "\n".join(lines).split("\n\n"):
        if paragraph.startswith(beginnings):
            kept += [""] * bool(kept and kept[-1] != "...") + paragraph.splitlines()
        elif not kept or kept[-1] != "...":
            kept.append("...")
    return kept


def without_most_calls(lines: list[str], calls: int = 3) -> list[str]:
    """Lines with the call list cut after a few customers."""
    kept: list[str] = []
    rows, in_calls = 0, False
    for line in lines:
        in_calls = (in_calls or line.startswith("Call list")) and bool(line.strip())
        rows = rows + bool(re.match(r"\s+\d+  ", line)) if in_calls else 0
        if rows <= calls:
            kept.append(line)
        elif rows == calls + 1 and kept[-1] != "...":
            kept.append("...")
    return kept


# Where they run.


def furnish(project: str, session: Session) -> None:
    """Make a project of `PROJECTS` in the folder of a session."""
    files, commands = PROJECTS[project]
    if project == "retail":
        lay_retail(session.folder)
    elif files:
        shutil.copytree(ROOT / "data", session.folder / "data")
    for command in commands:
        session.run(command)


def lay_retail(folder: Path) -> None:
    """Write Online Retail II, as UCI publishes it, to one CSV file."""
    import duckdb

    lines = Path(os.environ["CHURNKIT_REAL_DATA"]) / "online_retail_ii" / "transactions.parquet"
    duckdb.sql(f"""
        COPY (SELECT order_id AS Invoice, product_id AS StockCode, description AS Description,
                     quantity AS Quantity, strftime(timestamp, '%d/%m/%Y %H:%M') AS InvoiceDate,
                     unit_price AS Price, customer_id AS "Customer ID", country AS Country
              FROM '{lines}')
        TO '{folder / "online_retail_II.csv"}' (HEADER)
    """)


def missing(project: str) -> bool:
    """Whether a project cannot be made on this machine."""
    return project == "retail" and not os.environ.get("CHURNKIT_REAL_DATA")


# Writing them anew.


def refreshed(text: str, session: Session, page: str) -> str:
    """The page with what its examples print; a command that shows nothing stays as it is."""
    written: dict[int, list[str]] = {}
    shown = {
        (block.start, number): lines
        for block in blocks(text)
        for number, (_, lines) in enumerate(block.commands())
    }
    for block, command, lines in played(text, session, page):
        new = written.setdefault(block.start, [])
        if not command:
            new += lines
            continue
        number = sum(line.startswith("$ ") for line in new)
        quiet = not any(line.strip() for line in shown[block.start, number])
        new += [f"$ {command}", *([] if quiet else [*lines, ""])]
    for start in sorted(written, reverse=True):
        (block,) = (b for b in blocks(text) if b.start == start)
        body = "\n".join(written[start]).rstrip() + "\n"
        text = text[:start] + body + text[start + len(block.body) :]
    return text


def main(names: list[str]) -> None:
    """Write the examples of the named pages anew, or of all that can run on this machine."""
    with tempfile.TemporaryDirectory() as scratch:
        for number, page in enumerate([Path(name).resolve() for name in names] or pages()):
            text = page.read_text(encoding="utf-8")
            project = project_of(text)
            if missing(project):
                print(f"{page.relative_to(ROOT)}: left as it is, its logs are not here")
                continue
            made = Path(scratch) / project
            if not made.exists():
                made.mkdir()
                furnish(project, Session(made))
            folder = shutil.copytree(made, Path(scratch) / str(number))
            page.write_text(refreshed(text, Session(folder), str(page)), encoding="utf-8")
            print(f"{page.relative_to(ROOT)}: written")


if __name__ == "__main__":
    main(sys.argv[1:])
