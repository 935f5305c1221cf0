"""The description that MLflow reads of a model: its signature and an example, and no code.

It names no loader: MLflow shows the model, and only churnkit, which verifies the bundle first,
loads it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BUNDLE, MODEL = "bundle", "model"
_EXAMPLE = "input_example.json"


def write_model(folder: Path, bundle: Path, inputs: Sequence[Mapping[str, Any]], run: str) -> None:
    """Fill a folder with a copy of the bundle, its description, and an example of its input.

    Parameters
    ----------
    folder
        An empty folder.
    bundle
        The bundle.
    inputs
        See `Record.inputs`; without any there is no signature.
    run
        Id of the run that the model belongs to.
    """
    from mlflow.models import Model

    shutil.copytree(bundle, folder / BUNDLE)
    told: dict[str, Any] = {}
    if inputs:
        (folder / _EXAMPLE).write_text(_example(inputs), encoding="utf-8")
        told["signature"] = _signature(inputs)
        told["saved_input_example_info"] = {
            "artifact_path": _EXAMPLE,
            "type": "dataframe",
            "pandas_orient": "split",
        }
    flavors = {"churnkit": {"bundle": BUNDLE}}
    Model(artifact_path=MODEL, run_id=run, flavors=flavors, **told).save(str(folder / "MLmodel"))


def _signature(inputs: Sequence[Mapping[str, Any]]) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    columns = [
        ColSpec(column["type"], column["name"], required=column["type"] == "integer")
        for column in inputs
    ]
    return ModelSignature(Schema(columns), Schema([ColSpec("double", "churn_probability")]))


def _example(inputs: Sequence[Mapping[str, Any]]) -> str:
    rows = zip(*(column["example"] for column in inputs), strict=True)
    return json.dumps(
        {"columns": [column["name"] for column in inputs], "data": [list(row) for row in rows]}
    )
