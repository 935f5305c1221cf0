"""A night whose work costs nothing: what each step was asked for, and how it may fail."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from churnkit.atomic import whole_file
from churnkit.errors import DataError
from churnkit.project_run import Work

DAY, NEXT, LATER = "2024-05-15", "2024-05-22", "2024-07-01"
ORDER = ["check", "score", "calls", "kpi", "monitor"]
SETTINGS = """
[question]
horizon_days = 30
lookback_days = 90

[logs.purchases]
path = "purchases.csv"

"""


class Fake:
    """The work of a project that costs nothing, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.did: list[str] = []
        self.reported: list[dict] = []
        self.version, self.rejected, self.verdict = "1", 0, "ok"
        self.published: list[str] = []
        self.failing: dict[str, BaseException] = {}
        self.warnings: list[str] = []
        self.csv = False
        self.alias = "champion"
        self.trained_with = None

    def work(self) -> Work:
        names = ("check", "score", "calls", "kpi", "monitor", "report", "train", "champion")
        return Work(**{name: getattr(self, name) for name in names}, days=lambda _: self.published)

    def _did(self, name: str) -> None:
        self.did.append(name)
        if name in self.failing:
            raise self.failing[name]

    def _write(self, name: str, text: str) -> Path:
        with whole_file(self.folder / name) as aside:
            aside.write_text(text)
        return self.folder / name

    def check(self, settings, html, progress):
        self._did("check")
        progress("checking the logs")
        html.parent.mkdir(exist_ok=True)
        html.write_text("checked")
        log = {
            "log": "purchases", "read": 100, "kept": 100 - self.rejected, "customers": 9,
            "first": "2023-01-01", "last": "2024-07-30", "rejected": {"bad_time": self.rejected},
        }  # fmt: skip

        def require_clean() -> None:
            if self.rejected > 50:
                raise DataError("too many rows are set aside")

        return SimpleNamespace(summary={"logs": [log], "findings": []}, require_clean=require_clean)

    def score(self, settings, as_of, progress, force=False):
        self._did("score")
        day = str(as_of)
        self.published = sorted({*self.published, day})
        paths = {
            "scores": self._write(f"scores/as_of={day}/1.parquet", f"scores of {self.version}"),
            "ledger": self._write("ledger/ledger.duckdb", f"up to {day}"),
            "report": self._write(f"reports/report-{day}.html", "report"),
        }
        if self.csv:
            paths["csv"] = self._write("newest.csv", day)
        return {
            "lights": [{"light": name, "customers": n} for name, n in
                       (("red", 2), ("yellow", 3), ("green", 4))],
            "model_version": self.version, "warnings": self.warnings,
            "paths": {"table": "postgresql://host/shop scores",
                      **{name: str(path) for name, path in paths.items()}},
        }  # fmt: skip

    def calls(self, settings, as_of):
        self._did("calls")
        path = self._write(f"reports/calls-{as_of}/anna.csv", "12748")
        return {"call": 2, "waiting": 1, "paths": {"anna": str(path)}}

    def kpi(self, settings, as_of, html, progress):
        self._did("kpi")
        html.write_text("kpi")
        return {"nrr": float("nan")}

    def monitor(self, settings, as_of, html, progress):
        self._did("monitor")
        html.write_text("monitor")
        return {"verdict": self.verdict, "reason": f"It is {self.verdict}.", "alarms": [],
                "untried": [], "model": {"age_days": 12}}  # fmt: skip

    def report(self, settings, as_of, progress, known):
        # Whenever anything else was done: it would be in every list of what was.
        self.reported.append(known)
        names = {"report": f"reports/report-{as_of}.html", "list": f"reports/report-{as_of}.csv"}
        told = f"report with {json.dumps(known)}"
        return {"paths": {name: str(self._write(file, told)) for name, file in names.items()}}

    def champion(self, settings):
        # Trained up to 2024-04-01, so that what came by 2024-05-01 is known to it.
        training = {"cutoffs": ["2024-03-01", "2024-04-01"]}
        return self.version, {"training": training, "horizon_days": 30, "model": self.version}

    def train(self, settings, progress):
        self._did("train")
        self.trained_with = settings.schedule()
        if self.alias == "champion":
            self.version = str(int(self.version) + 1)
        gates = [{"name": "chance", "passed": self.alias != ""}]
        return SimpleNamespace(
            released=SimpleNamespace(
                alias=self.alias, version="2", says="better on later customers",
                card={"gates": gates},
            )
        )  # fmt: skip
