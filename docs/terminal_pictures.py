"""Draw what the terminal shows: `python docs/terminal_pictures.py FOLDER`, a project of the demo.

The command is run for real; its colours are drawn as SVG with letters of the reader's machine.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

PICTURES = {
    "terminal.svg": ["score", "--as-of", "2024-12-31"],
    "terminal_alone.svg": [],
}
WIDTH, LINES = 104, 52
THEME = TerminalTheme(
    (255, 255, 255),
    (32, 33, 36),
    [(32, 33, 36), (163, 0, 27), (27, 158, 119), (175, 135, 0), (0, 92, 175), (126, 60, 150),
     (0, 120, 130), (95, 99, 104)],
)  # fmt: skip


def shown(command: list[str], folder: Path) -> str:
    """What a command writes to a terminal that shows colours."""
    environment = {
        **os.environ,
        "COLUMNS": str(WIDTH),
        "FORCE_COLOR": "1",
        "TERM": "xterm-256color",
    }
    done = subprocess.run(
        [sys.executable, "-m", "churnkit", *command],
        cwd=folder, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def picture(told: str, command: list[str]) -> str:
    """The lines as SVG; nothing in it is fetched."""
    console = Console(record=True, width=WIDTH, file=StringIO(), highlight=False)
    lines = told.splitlines()
    cut = ["…"] if len(lines) > LINES else []
    console.print(Text(f"$ churnkit {' '.join(command)}".rstrip(), style="bold"))
    for line in [*lines[:LINES], *cut]:
        console.print(Text.from_ansi(line), soft_wrap=True)
    drawn = console.export_svg(title="churnkit", theme=THEME, unique_id="churnkit")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)


def main() -> None:
    """Write the pictures."""
    images = Path(__file__).parent / "images"
    images.mkdir(exist_ok=True)
    for name, command in PICTURES.items():
        drawn = picture(shown(command, Path(sys.argv[1])), command)
        (images / name).write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
