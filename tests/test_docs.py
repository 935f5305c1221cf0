"""What the README and the generated pages say is what happens."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
generate: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "generate.py"))

NUMBER = re.compile(r"-?(?:\d[\d,]*)?\.?\d+")
SHOWN = [
    (number, command, shown)
    for number, (_, commands) in enumerate(generate["blocks"](README))
    for command, shown in commands
]


def ran(command: str, folder: Path) -> str:
    """What a command of the README prints in a folder, as `generate.ran`, but in this process."""
    churnkit, *arguments = shlex.split(generate["as_churnkit"](command))
    assert churnkit == "churnkit"
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        for name in ("COLUMNS", "TERMINAL_WIDTH"):
            patched.setenv(name, generate["WIDTH"])
        patched.setenv("NO_COLOR", "1")
        result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def numbers(line: str) -> list[float]:
    return [float(n.replace(",", "")) for n in NUMBER.findall(line)]


SECONDS = re.compile(r"^([●○] \w+ +done +)[\d.]+(?=\s|$)")
RUN = re.compile(r"\b[0-9a-f]{12}\b")


def masked(line: str) -> str:
    """A line without the name of a run and the seconds of a step, which differ every time."""
    return RUN.sub("RUN", SECONDS.sub(r"\1", line))


def words(line: str) -> str:
    return " ".join(NUMBER.sub("#", line).split())


def close(shown: float, now: float) -> bool:
    """Learnt numbers move a little with the versions of the libraries below."""
    return abs(shown - now) <= 0.05 + 0.15 * abs(shown)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = generate["working_folder"](tmp_path_factory.mktemp("readme"))
    return made


@pytest.mark.parametrize(
    ("block", "command", "shown"), SHOWN, ids=[f"{b}: {c[:40]}" for b, c, _ in SHOWN]
)
def test_readme_command_prints_what_is_shown(
    block: int, command: str, shown: list[str], folder: Path
) -> None:
    """Words are the same and numbers close, line by line; the call list may change its order."""
    if command == "make test":
        pytest.skip("this very run")
    output = generate["shortened"](ran(command, folder))
    now, then = outside_calls(output), outside_calls(shown)
    assert [words(line) for line in now] == [words(line) for line in then]
    for line_now, line_then in zip(now, then, strict=True):
        assert all(map(close, numbers(line_then), numbers(line_now))), (line_then, line_now)


def outside_calls(lines: list[str]) -> list[str]:
    """Lines that do not depend on which customers happen to come first."""
    kept, in_calls = [], False
    for line in lines:
        in_calls = (in_calls or line.startswith("Call list")) and bool(line.strip())
        if line.strip() and (not in_calls or line.startswith(("Call list", "rank"))):
            kept.append(masked(line))
    return kept


def test_readme_shows_what_was_made(folder: Path) -> None:
    """Runs after the commands: the files that the README promises are there."""
    if not (folder / "scores.csv").exists():
        pytest.skip("the commands above did not run in this process")
    header = (folder / "scores.csv").read_text(encoding="utf-8").splitlines()[0]
    promised = README.split("`scores.csv` holds")[1].split("The report is")[0]
    assert header.split(",") == re.findall(r"`(\w+)`", promised)


def test_readme_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code.strip().splitlines()) <= 12
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "lightgbm" in printed
    assert "churn_probability" in printed


def test_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "own_frames.py"), run_name="__main__")
    printed = capsys.readouterr().out.splitlines()
    assert "is used" in printed[0]
    assert len(printed) == 6


def test_own_features_of_the_guide_are_point_in_time() -> None:
    """The example, audited on the sample with the built-in features beside it."""
    from churnkit.audit import audit
    from churnkit.clock import cutoffs_between
    from churnkit.features import FeatureSpec, load_own
    from churnkit.sources import read_logs

    logs = read_logs(ROOT / "data" / "purchases.csv")
    cutoffs = cutoffs_between(logs.first_day("purchases"), logs.last_day("purchases"), 1)
    try:
        names = load_own(ROOT / "examples" / "own_features.py")
        result = audit(logs, FeatureSpec.learn(logs, cutoffs[0]), cutoffs, customers=30)
        own = [c.name for c in FeatureSpec.learn(logs, cutoffs[0]).columns() if c.feature.own]
    finally:
        load_own()
    assert names == ("large_purchases_count",)
    assert len(own) == 6
    assert result.leaks == ()


def test_readme_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    assert [t for t in targets if not (ROOT / t).exists()] == []


@pytest.mark.parametrize("name", list(generate["PAGES"]))
def test_generated_page_is_true(name: str) -> None:
    page: Callable[[], str] = generate["PAGES"][name]
    committed = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert committed == page(), "run `make docs`"


def test_the_two_commands_are_make_targets() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test"):
        assert f"`make {target}`" in README
        assert re.search(rf"^{target}: ", makefile, re.MULTILINE)
