"""The structure keeps its promises: floors, one owner for time, nothing heavy at the door."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "churnkit"

# Every module stands on a floor and imports only from lower ones.
FLOORS = {
    "errors": 0,
    "clock": 1, "atomic": 1, "metrics": 1, "spreadsheet": 1, "runlog": 1,
    "language": 1, "notebook": 1, "progress": 1, "pseudonyms": 1, "mentions": 1, "suppression": 1,
    "reach": 1, "standing": 1, "older_settings": 1,
    "logs": 2, "profit": 2, "publishing": 2, "nightly": 2, "schedule": 2,
    "forgetting": 2,
    "sources": 3, "simulate": 3, "campaign": 3, "index": 3,
    "features": 4, "labels": 4, "inputs": 4, "places": 4,
    "dataset": 5, "estimators": 5, "coverage": 5, "kpi": 5, "horizon": 5, "sinks": 5,
    "biography": 5,
    "model": 6, "screening": 6, "enough": 6, "audit": 6,
    "evaluation": 7, "explain": 7, "bundle": 7,
    "registry": 8, "lights": 8, "gates": 8, "rolling": 8, "spend": 8, "ledger": 8,
    "changes": 9, "actions": 9, "training": 9, "origin": 9, "tuning": 9,
    "plots": 9,
    "scoring": 10,
    "customer": 11, "challenge": 11, "replay": 11, "outcomes": 11, "sections": 11, "fetch": 11,
    "engines": 11,
    "report": 12, "config": 12, "monitor": 12,
    "release": 13,
    "project_outcomes": 14, "project_kpi": 14, "terminal": 14, "scaffold": 14,
    "project_retrain": 14, "project_monitor": 14, "project_history": 14, "project_sql": 14,
    "project_reveal": 15, "project_forget": 15, "project_story": 15, "project_lights": 15,
    "project_scores": 15, "project_spark": 15,
    "project_spark_scores": 16,
    "project": 17,
    "project_report": 18,
    "demo": 19, "project_run": 19,
    "cli": 20,
    "__main__": 21,
}  # fmt: skip
HEAVY = (
    "pandas", "numpy", "sklearn", "lightgbm", "mlflow", "duckdb", "pyarrow", "scipy", "sqlalchemy",
    "adbc_driver_manager", "pymysql", "persiantools", "python_calamine", "fastexcel", "icalendar",
    "pyspark", "babel", "matplotlib",
)  # fmt: skip


def modules() -> list[Path]:
    return sorted(p for p in SOURCE.rglob("*.py") if p != SOURCE / "__init__.py")


def module_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """First-level churnkit modules that a file imports, at the top or inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("churnkit"):
            deeper = node.module.split(".")[1:]
            names |= {deeper[0]} if deeper else {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("churnkit.")}
    return names & FLOORS.keys()


def test_every_module_has_a_floor() -> None:
    assert {module_of(path) for path in modules()} == FLOORS.keys()


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_to_lower_floors(path: Path) -> None:
    own = module_of(path)
    upward = {name for name in imported(path) - {own} if FLOORS[name] >= FLOORS[own]}
    assert not upward, f"{own} (floor {FLOORS[own]}) imports {sorted(upward)}"


def test_only_the_registry_imports_mlflow() -> None:
    importers = {
        module_of(path)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mlflow"))
        or (isinstance(node, ast.Import) and any(a.name.startswith("mlflow") for a in node.names))
    }
    assert importers == {"registry"}


def test_nothing_reads_the_wall_clock() -> None:
    told = "\n".join(path.read_text(encoding="utf-8") for path in modules())
    for clock in ("now(", "today(", "utcnow", "time.time(", "CURRENT_", "localtime"):
        assert clock not in told, clock


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from churnkit.cli import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit: pass\n"
        f"print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []", done.stdout


def test_public_names_load_from_the_top() -> None:
    import churnkit

    for name in churnkit.__all__:
        found = getattr(churnkit, name)
        assert not callable(found) or found.__doc__, name
    # Whoever imports a module of the package puts it where a function of that name was.
    assert set(churnkit.__all__) & FLOORS.keys() == {"plots"}
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        churnkit.nonsense  # noqa: B018 - the access itself is what is tested


def test_every_public_name_has_a_docstring() -> None:
    """Beyond what ruff sees: feature functions tell their meaning to the decorator instead."""
    from churnkit.features import CATALOGUE

    assert all(f.says and f.unit for f in CATALOGUE.values())
