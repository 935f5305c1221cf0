"""The whole way on a simulated shop, by the same steps that a user's own files take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from churnkit.config import FILE_NAME, load_settings
from churnkit.progress import Progress, silent
from churnkit.project import check_project, score_project, train_project
from churnkit.project_report import report_project
from churnkit.scaffold import write_config
from churnkit.sections import QuestionSection
from churnkit.simulate import simulate

HORIZON_DAYS, LOOKBACK_DAYS = 60, 180


def run(
    folder: Path, customers: int = 4000, seed: int = 7, progress: Progress = silent
) -> dict[str, Any]:
    """Simulate a shop, train, and score it as of the end of its last day.

    Parameters
    ----------
    folder
        Where everything is written. Logs, settings, scores and report of an earlier demo are
        replaced; its models stay, each under a name of its own.
    customers, seed
        Size and seed of the shop.
    progress
        Told what is being done.

    Returns
    -------
    dict
        The summary of the report with the first of its calls, and ``paths``: name → what was
        written.
    """
    progress(f"simulating {customers:,} customers over two years")
    files = simulate(customers=customers, seed=seed).write(folder / "data")
    question = QuestionSection(horizon_days=HORIZON_DAYS, lookback_days=LOOKBACK_DAYS)
    write_config(folder / FILE_NAME, files, question, force=True)
    settings = load_settings(folder / FILE_NAME)
    as_of = check_project(settings, progress=progress).inspection.logs.day_after_last("purchases")
    trained = train_project(settings, progress)
    # With what was just trained: a champion of an earlier demo may know other logs.
    told = score_project(settings, as_of, trained.released.bundle, progress=progress)
    shown = report_project(settings, as_of, progress=progress)
    paths = {
        **told["paths"],
        **shown["paths"],
        "model": str(trained.released.bundle),
        "mlflow": str(settings.models / "mlflow.db"),
        "settings": str(folder / FILE_NAME),
    }
    return {**told, "kpis": shown["kpis"], "watch": shown["watch"], "paths": paths}
