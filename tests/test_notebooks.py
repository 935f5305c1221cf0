"""The notebooks run from top to bottom on the committed sample, without a warning on the way."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from pandas.testing import assert_frame_equal

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


# The notebook runs in a process of its own; closing its sockets warns in ours.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=1800, startup_timeout=300, resources={"metadata": {"path": path.parent}}
    )
    client.execute()
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    complaints = [o["text"] for o in outputs if o.output_type == "stream" and o["name"] == "stderr"]
    assert not complaints
    plots = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(plots) >= 4


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
