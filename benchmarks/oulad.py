"""Withdrawals from courses of the Open University, between day 61 and day 150.

Contractual churn: a student churns with the event of unregistering. Asked is at day 61 of the
courses of October 2014, of those who had not left until then; learnt is from earlier courses, at
several days of each, as far as the 90 days after them were over when the test began. Reads the
sets from the folder that CHURNKIT_REAL_DATA names, the way `churnkit init` proposes; the only line
written by hand is the one that says which columns of the enrolments never change.

    python benchmarks/oulad.py
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from churnkit.clock import Cutoff, horizon_ends_by
from churnkit.config import Settings, load_settings
from churnkit.dataset import Dataset, Recipe, build_dataset
from churnkit.evaluation import Trial, trial_of
from churnkit.scaffold import write_config
from churnkit.sections import QuestionSection

EVENTS, ENROLMENTS = "oulad/events.parquet", "oulad/enrolments.parquet"
COURSES = {"2013B": "2013-02-01", "2013J": "2013-10-01", "2014B": "2014-02-01"}
"""Presentation → first day, of the courses learnt from."""

TEST_COURSES = {"2014J": "2014-10-01"}
TEST_DAY, DAYS = 61, (33, 47, 61, 75, 89)
"""Days of the courses at which is tested and learnt."""

STATIC = (
    "code_module", "gender", "region", "highest_education", "imd_band", "age_band",
    "num_of_prev_attempts", "studied_credits", "disability",
)  # fmt: skip
"""What the enrolments say that was known on the day of registration, and stays so."""

# Students enrol up to 322 days before the first day, and may have done nothing since.
ASKED = QuestionSection(churn="event", events=("unregister",), lookback_days=400)


def project(real: Path, folder: Path) -> Settings:
    """A project for the set: what `churnkit init` writes, and the static columns."""
    path = folder / "churnkit.toml"
    write_config(path, {"activity": real / EVENTS, "customers": real / ENROLMENTS}, ASKED)
    lines = path.read_text(encoding="utf-8").splitlines()
    proposed = next(k for k, line in enumerate(lines) if line.startswith("# static = "))
    lines[proposed] = f"static = {json.dumps(STATIC)}"
    path.write_text("\n".join(lines), encoding="utf-8")
    return load_settings(path)


def withdrawal_trial(settings: Settings, recipe: Recipe | None = None) -> Trial:
    """The ladder, learnt from earlier courses and tested at day 61 of the last ones."""
    logs, question, how = settings.read_logs(), settings.asked(), recipe or settings.recipe()
    at = _day(TEST_COURSES["2014J"], TEST_DAY)
    days = [_day(first, day) for first in COURSES.values() for day in DAYS]
    cutoffs = [c for c in days if horizon_ends_by(c, question.horizon_days, at)]
    spec = how.spec(logs, cutoffs)
    learnt = _of_courses(build_dataset(logs, question, cutoffs, spec), COURSES, DAYS)
    data = _of_courses(build_dataset(logs, question, [at], spec), TEST_COURSES, [TEST_DAY])
    return trial_of(learnt, data, question, at, recipe=how)


def _of_courses(data: Dataset, courses: dict[str, str], days: Collection[int]) -> Dataset:
    """The rows of students at these days of their own course who never left before.

    Other cutoffs of a student lie before the course, after it, or in it at other days.
    """
    wanted = {(p, _day(first, day).us) for p, first in courses.items() for day in days}
    rows = zip(data.features.customer_id, data.features.cutoff.tolist(), strict=True)
    asked = [(student.rpartition("_")[2], us) in wanted for student, us in rows]
    # A few left and did something afterwards, which elsewhere would say that they came back.
    stayed = data.features.column("cancellation_count_all") == 0
    return data.where(np.array(asked, dtype=bool) & stayed)


def _day(first: str, day: int) -> Cutoff:
    return Cutoff.parse(first).shifted(day)


def figures(trial: Trial) -> Iterator[tuple[str, float, float]]:
    """Rung, AUROC and log loss."""
    for name, metrics in trial.metrics.items():
        yield name, metrics["auroc"].value, metrics["log_loss"].value


def main() -> None:
    """Print what every rung reaches; with ``--json`` for programs."""
    told = os.environ.get("CHURNKIT_REAL_DATA")
    if not told:
        sys.exit("Set CHURNKIT_REAL_DATA to the folder with the real logs.")
    with tempfile.TemporaryDirectory() as folder:
        settings = project(Path(told), Path(folder))
        trial = withdrawal_trial(settings)
    found = {name: {"auroc": a, "log_loss": loss} for name, a, loss in figures(trial)}
    test = {"customers": len(trial.data), "base_rate": trial.data.base_rate, "rungs": found}
    if "--json" in sys.argv:
        print(json.dumps({"question": settings.asked().rule, **test}))
        return
    print(f"{settings.asked().rule}: {len(trial.data):,} students, {trial.data.base_rate:.1%} left")
    for name, auroc, loss in figures(trial):
        print(f"{name:>14}  AUROC {auroc:.3f}  log loss {loss:.3f}")


if __name__ == "__main__":
    main()
