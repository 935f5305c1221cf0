"""A project of few customers on the disk, scored by the model that all tests share."""

from __future__ import annotations

from pathlib import Path

from churnkit import bundle
from churnkit.simulate import Shop
from churnkit.training import Training

LOGS = ("purchases", "activity", "surveys")
SETTINGS = """
[question]
horizon_days = 30
lookback_days = 90

[logs.purchases]
path = "purchases.parquet"

[logs.activity]
path = "activity.parquet"

[logs.surveys]
path = "surveys.parquet"
"""


def project(
    folder: Path, shop: Shop, training: Training, customers: int = 120, more: str = ""
) -> Path:
    """Logs of some customers, ``churnkit.toml`` and a bundle ``model``; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    some = sorted(set(shop.purchases["customer_id"]))[:customers]
    for log in LOGS:
        rows = getattr(shop, log)
        rows = rows[rows["customer_id"].isin(some)]
        rows.to_parquet(folder / f"{log}.parquet", index=False)
    (folder / "churnkit.toml").write_text(SETTINGS + more, encoding="utf-8")
    bundle.save(training.model, folder / "model", training.card(), "")
    return folder
