"""The notebooks run from top to bottom on the committed sample, without a warning on the way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from pandas.testing import assert_frame_equal

import churnkit
from churnkit import plots, simulate

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHAPTERS = ["01-explore", "02-features", "03-train", "04-lights", "05-outcomes", "06-own-feature"]
PUBLIC = {"churnkit": churnkit, "churnkit.plots": plots, "churnkit.simulate": simulate}


def cells(path: Path, kind: str) -> list[str]:
    read = nbformat.read(path, as_version=4)
    return [cell.source for cell in read.cells if cell.cell_type == kind]


def code_of(path: Path) -> ast.Module:
    return ast.parse("\n".join(cells(path, "code")))


def test_there_are_six() -> None:
    assert [path.stem for path in NOTEBOOKS] == CHAPTERS


# The notebook runs in a process of its own; closing its sockets warns in ours.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # threads that wait for each other cost time, too
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=1800, startup_timeout=300, resources={"metadata": {"path": path.parent}}
    )
    client.execute()
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    complaints = [o["text"] for o in outputs if o.output_type == "stream" and o["name"] == "stderr"]
    assert not complaints
    assert len([o for o in outputs if "image/png" in o.get("data", {})]) >= 3
    shown = [o["data"].get("text/html", "") for o in outputs if "data" in o]
    assert any(text.startswith("<div") for text in shown)
    assert max(map(len, shown)) < 60_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_short_and_has_prose(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert len(cells(path, "code")) <= 16
    assert cells(path, "markdown")[0].startswith("# ")
    assert "**The question: " in cells(path, "markdown")[0]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_uses_public_names_only(path: Path) -> None:
    code = code_of(path)
    known_as = dict(imported(code))
    assert known_as
    for node in ast.walk(code):
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_"), node.attr
            of = known_as.get(node.value.id) if isinstance(node.value, ast.Name) else None
            assert of is None or node.attr in public_names(of), f"{of.__name__}.{node.attr}"


def imported(code: ast.Module) -> Iterator[tuple[str, ModuleType]]:
    """The modules of churnkit under the names they have; anything that is not public fails."""
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "churnkit":
                    yield alias.asname or alias.name, PUBLIC[alias.name]
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "churnkit":
            for alias in node.names:
                assert alias.name in public_names(PUBLIC[node.module]), alias.name
                found = getattr(PUBLIC[node.module], alias.name)
                if isinstance(found, ModuleType):
                    yield alias.asname or alias.name, found


def public_names(module: ModuleType) -> list[str]:
    """What a module offers; one without a list offers what is defined in it."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return list(listed)
    return [name for name in vars(module) if not name.startswith("_")]


def test_paths_are_relative() -> None:
    for path in NOTEBOOKS:
        texts = [n.value for n in ast.walk(code_of(path)) if isinstance(n, ast.Constant)]
        assert not any(isinstance(t, str) and t.startswith(("/", "~", "C:")) for t in texts)


def test_links_lead_to_notebooks() -> None:
    """Each leads to the next one."""
    for path, following in pairwise(NOTEBOOKS):
        assert f"({following.name})" in cells(path, "markdown")[-1]


def test_notebooks_are_committed_without_outputs() -> None:
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in code), path.name


def test_sample_is_what_the_simulator_makes() -> None:
    """`python data/make.py` would write the same rows again."""
    import runpy

    shop = runpy.run_path(str(ROOT / "data" / "make.py"))["sample"]()
    dated = {"parse_dates": ["ts"]}
    for name in ("purchases", "surveys"):
        committed = pd.read_csv(ROOT / "data" / f"{name}.csv", **dated)
        assert_frame_equal(committed, getattr(shop, name), check_dtype=False)
    committed = pd.read_parquet(ROOT / "data" / "activity.parquet")
    assert_frame_equal(committed, shop.activity, check_dtype=False)
