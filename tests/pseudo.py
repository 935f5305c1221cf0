"""A command at a terminal of its own, and what stands on its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from pathlib import Path


def at_terminal(
    arguments: Sequence[str],
    folder: Path,
    *,
    columns: int = 80,
    interrupt_at: str = "",
    code: str = "from churnkit.cli import main; main()",
    **environment: str,
) -> tuple[int, str]:
    """The exit code of a command, and all that it wrote to a terminal of so many columns.

    Parameters
    ----------
    arguments, folder
        What the command is given, and where it runs.
    columns
        Width of the terminal.
    interrupt_at
        Press Ctrl-C once this stands in what it wrote.
    code
        The program.
    environment
        Variables besides a bare environment.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    kept = ("PATH", "HOME", "TMPDIR", "PYTHONPATH", "LANG")
    bare = {name: os.environ[name] for name in kept if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=slave, stdout=slave, stderr=slave, cwd=folder,
        env={**bare, "PYTHONUTF8": "1", "TERM": "xterm-256color", **environment},
        preexec_fn=_own_terminal,
    )  # fmt: skip
    os.close(slave)
    pressed = not interrupt_at

    def look(told: bytes) -> None:
        nonlocal pressed
        if not pressed and interrupt_at.encode() in told:
            pressed = True
            os.write(master, b"\x03")

    told = _all_of(master, look)
    os.close(master)
    return process.wait(timeout=60), told.decode("utf-8", "replace").replace("\r\n", "\n")


def _own_terminal() -> None:
    """Ctrl-C reaches whom the terminal controls."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _all_of(master: int, look: Callable[[bytes], None]) -> bytes:
    told = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # Linux says so when nobody writes any more
            return told
        if not piece:
            return told
        told += piece
        look(told)


def screen(told: str) -> list[str]:
    """The lines that stand on the screen after all of it was written: what was erased is gone."""
    lines, row, column, k = [""], 0, 0, 0
    while k < len(told):
        sign = told[k]
        if sign == "\x1b" and told[k + 1 : k + 2] == "[":
            end = next(e for e in range(k + 2, len(told)) if told[e].isalpha())
            number, what = told[k + 2 : end], told[end]
            if what == "A":
                row = max(row - int(number or 1), 0)
            elif what == "K":
                lines[row] = "" if number == "2" else lines[row][:column]
            k = end
        elif sign == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif sign == "\r":
            column = 0
        else:
            lines[row] = lines[row][:column].ljust(column) + sign + lines[row][column + 1 :]
            column += 1
        k += 1
    return [line.rstrip() for line in lines]
