"""Make a small project as a revision of churnkit leaves it on the disk, for test_upgrades.py.

The code of that revision does all of it, the commands too; so it is checked out beside::

    git worktree add --detach /tmp/old REVISION
    PYTHONPATH=/tmp/old/src python tests/upgrades/make.py tests/upgrades/NAME.tar.xz
    git worktree remove /tmp/old

What is kept here: ``models_and_lights`` of 1d17ed9 (the ledger was a file for each day, and nothing
was published), ``nights`` of 95f0c6a (published runs, the ledger a database, journals of nights),
and ``today`` of the newest revision that changed what is written; whoever changes a format keeps
``today`` under another name and makes it anew. Few customers and trees keep them small; MLflow's
store is left out, and the champion is found by ``models/champion.json`` as when a server is down.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

DAYS = ("2023-11-20", "2023-11-27")
LOGS = ("purchases", "activity", "surveys")
FEW = 60
SETTINGS = """\
[question]
horizon_days = 30
lookback_days = 90

[training]
cutoffs = 4

[model]
use = "lightgbm"
trees = 8
seeds = 1

[lights]
policy = "fixed"
yellow = 0.4
red = 0.7
"""
FROM_A_LOG = """
[logs.{log}]
path = "{log}.csv"
"""


def made(folder: Path) -> None:
    """Train, score two days, set a light, record an outcome, and where it is known run a night."""
    from churnkit.config import json_schema
    from churnkit.simulate import simulate

    shop = simulate(customers=400, days=330)
    for log in LOGS:
        getattr(shop, log).to_csv(folder / f"{log}.csv", index=False)
    version = json_schema()["properties"].get("version", {}).get("default")
    head = "" if version is None else f"version = {version}\n\n"
    told = head + SETTINGS + "".join(FROM_A_LOG.format(log=log) for log in LOGS)
    (folder / "churnkit.toml").write_text(told, encoding="utf-8")
    command(folder, "train", "--allow", "calibration", "--allow", "beaten")
    for log in LOGS:
        rows = pd.read_csv(folder / f"{log}.csv")
        few = rows["customer_id"].isin([f"C{k:05}" for k in range(FEW)])
        rows[few].to_csv(folder / f"{log}.csv", index=False)
    command(folder, "score", "--as-of", DAYS[0])
    (folder / "done.csv").write_text(f"customer_id,as_of,done\n{known(folder)},{DAYS[0]},yes\n")
    command(folder, "outcomes", "record", "done.csv")
    override = ("--as-of", DAYS[0], "--until", "2024-06-01", "--owner", "anna", "--reason", "met")
    command(folder, "lights", "set", known(folder), "red", *override)
    has_nights = command(folder, "run", "--help", may_fail=True) == 0
    command(folder, "run" if has_nights else "score", "--as-of", DAYS[1])


def known(folder: Path) -> str:
    """Somebody who was scored."""
    last = pd.read_csv(folder / "purchases.csv").query(f"ts < '{DAYS[0]}'").iloc[-1]
    return str(last["customer_id"])


def command(folder: Path, *arguments: str, may_fail: bool = False) -> int:
    """Run a command of the revision in the project; its exit code."""
    whole = [sys.executable, "-m", "churnkit", *arguments]
    done = subprocess.run(whole, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode and not may_fail:
        raise SystemExit(f"{arguments}: {done.stdout}{done.stderr}")
    return done.returncode


def packed(folder: Path, file: Path) -> None:
    """Everything but what MLflow keeps, pages and locks."""
    champion = json.loads((folder / "models" / "champion.json").read_text())["bundle"]
    with tarfile.open(file, "w:xz", preset=9) as tar:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            is_mlflow = name.parts[0] == "models" and name.parts[1:2] not in (
                (champion,), ("champion.json",)
            )  # fmt: skip
            is_page = name.parts[0] == "reports" or name.name.startswith(".")
            if path.is_file() and not is_mlflow and not is_page:
                tar.add(path, str(name), filter=_nobody)


def _nobody(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        made(Path(place))
        packed(Path(place), Path(sys.argv[1]))
