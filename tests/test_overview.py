"""``churnkit`` alone shows the way; help and shell lead along it, and cost nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from pseudo import at_terminal, screen
from test_architecture import HEAVY
from typer.main import get_command
from typer.testing import CliRunner

from churnkit.cli import app
from churnkit.cli.panels import ORDER, PANELS
from churnkit.cli.values import GATES as OFFERED_GATES
from churnkit.cli.values import LIGHTS as OFFERED_LIGHTS
from churnkit.cli.values import POLICIES as OFFERED_POLICIES
from churnkit.fetch import CATALOGUE
from churnkit.gates import GATES
from churnkit.lights import LIGHTS
from churnkit.project_lights import POLICIES

SETTINGS = """
[logs.purchases]
path = "p.csv"
[logs.surveys]
path = "s.csv"
[output]
scores = "published"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def project(here: Path) -> Path:
    """A folder as commands leave it, with nothing in it that is ever loaded."""
    (here / "churnkit.toml").write_text(SETTINGS)
    return here


def trained(project: Path) -> None:
    (project / "models").mkdir()
    told = {"bundle": "lightgbm-2024-10-31", "version": "3", "sha256": "0"}
    (project / "models" / "champion.json").write_text(json.dumps(told))


def scored(project: Path) -> None:
    (project / "published").mkdir()
    told = {"newest": "2024-12-31", "days": {"2024-12-31": {}, "2024-12-24": {}}}
    (project / "published" / "current.json").write_text(json.dumps(told))


def alone() -> str:
    result = CliRunner().invoke(app, [], catch_exceptions=False)
    assert result.exit_code == 0
    return " ".join(result.stdout.split())


# ── The way ─────────────────────────────────────────────────────────────────────────────────


def test_without_a_project_it_shows_the_way_and_where_to_begin(here):
    shown = alone()
    places = [shown.index(f" {step} ") for step in ("init", "check", "train", "score", "calls")]
    assert places == sorted(places)
    assert "no churnkit.toml here yet Next: churnkit demo or churnkit init --purchases" in shown
    assert not list(here.iterdir())


def test_with_settings_it_leads_to_training(project):
    shown = alone()
    assert "settings churnkit.toml: purchases, surveys model none yet" in shown
    assert "● init" in shown
    assert "○ train" in shown
    assert "Next: churnkit check or churnkit train" in shown


def test_with_a_model_it_leads_to_scoring(project):
    trained(project)
    shown = alone()
    assert "model version 3, lightgbm-2024-10-31 published nothing yet" in shown
    assert "● train" in shown
    assert "○ score" in shown
    assert "Next: churnkit score --as-of DATE" in shown


def test_with_scores_it_leads_to_calls_and_then_to_the_next_day(project):
    trained(project)
    scored(project)
    shown = alone()
    assert "published 2024-12-31, 2 days in all" in shown
    assert "Next: churnkit calls --as-of 2024-12-31" in shown
    (project / "reports" / "calls-2024-12-31").mkdir(parents=True)
    (project / "reports" / "report-2024-12-31.html").touch()
    shown = alone()
    assert "report reports/report-2024-12-31.html" in shown
    assert "● calls" in shown
    assert "Next: churnkit run --as-of DATE" in shown


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("churnkit.toml", b"[logs\n"),
        ("churnkit.toml", b"\xff\xfe"),
        ("churnkit.toml", b"logs = 1\noutput = 2\n"),
        ("models/champion.json", b"[]"),
        ("published/current.json", b'{"newest": 7, "days": []}'),
        ("published/current.json", b"{"),
    ],
)
def test_nothing_in_the_folder_makes_it_fail(project, file, content):
    (project / file).parent.mkdir(exist_ok=True)
    (project / file).write_bytes(content)
    assert "From logs to lights" in alone()


def test_settings_that_cannot_be_read_are_told(project):
    (project / "churnkit.toml").write_text("[logs\n\x1b[2J")
    shown = alone()
    assert "churnkit.toml cannot be read: " in shown
    assert "\x1b[2J" not in shown
    assert "Next: churnkit check" in shown


def test_it_fits_the_terminal(project):
    scored(project)
    lines = screen(at_terminal([], project, columns=40)[1])
    assert max(map(len, lines)) <= 40
    assert any(line.startswith("  ●  score") for line in lines)


# ── Help ────────────────────────────────────────────────────────────────────────────────────


def commands() -> dict[str, click.Command]:
    root = get_command(app)
    context = click.Context(root)
    return {name: root.get_command(context, name) for name in root.list_commands(context)}


def test_every_command_stands_in_one_group_of_the_help():
    assert list(commands()) == list(ORDER)
    assert len(set(ORDER)) == len(ORDER)


def test_help_shows_the_groups_in_the_order_of_the_way(here):
    shown = CliRunner().invoke(app, ["--help"]).stdout
    places = [shown.index(f" {panel} ") for panel in PANELS]
    assert places == sorted(places)


# ── The shell ───────────────────────────────────────────────────────────────────────────────


def offered(line: str) -> list[str]:
    """What bash is offered for the last word of a line, which may be empty."""
    words = line.split(" ")
    environment = {
        "_CHURNKIT_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    result = CliRunner().invoke(app, [], env=environment, prog_name="churnkit")
    assert result.exit_code == 0, result.stderr
    return result.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("churnkit tr", ["train"]),
        ("churnkit lights s", ["set", "simulate"]),
        ("churnkit init --churn no_", ["no_purchase", "no_activity"]),
        ("churnkit train --allow ", list(GATES)),
        ("churnkit lights simulate --policy ", list(POLICIES)),
        ("churnkit lights set C1 ", list(LIGHTS)),
        ("churnkit promote ", ["challenger"]),
        ("churnkit run --retrain-if w", ["watch"]),
        ("churnkit backtest --every ", ["week", "month"]),
        ("churnkit fetch ", list(CATALOGUE)),
        ("churnkit calls --as-of 2024", ["2024-12-31", "2024-12-24"]),
    ],
)
def test_commands_and_values_are_completed(project, line, words):
    scored(project)
    assert sorted(offered(line)) == sorted(words)


def test_options_are_completed(here):
    assert {"--allow", "--tune", "--config", "--json"} <= set(offered("churnkit train --"))


def test_customers_are_not_offered(project):
    """They are nobody's business, and there are millions of them."""
    scored(project)
    assert offered("churnkit explain ") == []
    assert offered("churnkit history C") == []


def test_what_is_offered_is_what_there_is():
    assert dict(OFFERED_GATES) == GATES
    assert tuple(OFFERED_POLICIES) == tuple(POLICIES)
    assert tuple(OFFERED_LIGHTS) == LIGHTS


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_script(shell, monkeypatch):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    told = CliRunner().invoke(app, ["--show-completion", shell], prog_name="churnkit")
    assert f"_CHURNKIT_COMPLETE=complete_{shell}" in told.stdout


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ([], {}),
        ([], {"_CHURNKIT_COMPLETE": "complete_bash", "COMP_WORDS": "churnkit fetch c",
              "COMP_CWORD": "2"}),
    ],
    ids=["alone", "completing"],
)  # fmt: skip
def test_it_loads_nothing_heavy(project, arguments, environment):
    scored(project)
    code = (
        "import sys\n"
        "from churnkit.cli import app\n"
        f"try: app({arguments!r}, prog_name='churnkit')\n"
        "except SystemExit: pass\n"
        f"print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, cwd=project, env=_with(environment),
    )  # fmt: skip
    assert len(done.stdout.splitlines()) > 1
    assert done.stdout.splitlines()[-1] == "HEAVY []", done.stdout


def _with(environment: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **environment}
