"""What every way builds: about fifty columns of churnkit's catalogue, at monthly cutoffs."""

from __future__ import annotations

from datetime import date

WINDOWS: dict[str, int | None] = {
    "7d": 7, "30d": 30, "90d": 90, "180d": 180, "365d": 365, "all": None
}  # fmt: skip
KIND_WINDOWS = {"30d": 30, "90d": 90, "365d": 365}
COUNTED_KINDS = ("visit", "login", "email_open")
PURCHASE_TRENDS = (30, 90, 180)
SPEND_TREND = 90
ACTIVITY_TRENDS = (30, 90)

COUNTS = (
    *(f"purchases_count_{w}" for w in WINDOWS), "returns_count_365d", "returns_count_all",
    *(f"activity_count_{w}" for w in WINDOWS),
    *(f"{kind}_count_{w}" for kind in COUNTED_KINDS for w in KIND_WINDOWS),
    "complaint_opened_count_365d", "payments_failed_open", "nps_count_all",
)  # fmt: skip
SUMS = tuple(f"spend_sum_{w}" for w in WINDOWS)
REALS = (
    "recency", "tenure", "active_span", "gap_mean", "gap_std", "overdue_mean_ratio",
    *(f"purchases_trend_{days}d" for days in PURCHASE_TRENDS), f"spend_trend_{SPEND_TREND}d",
    "days_since_activity", "days_since_login", "days_since_complaint_opened",
    *(f"activity_trend_{days}d" for days in ACTIVITY_TRENDS),
    "nps_last", "nps_mean_365d", "nps_mean_all", "days_since_nps", "ces_last", "csat_last",
)  # fmt: skip
KEYS = ("customer_id", "as_of")
COLUMNS = (*COUNTS, *SUMS, *REALS)
"""Beside the `KEYS`: counts as 32-bit integers, sums as double and reals as single floats."""


def monthly_cutoffs(count: int) -> list[str]:
    """The starts of so many successive months, the last with a month of the log after it."""
    months = (divmod(2024 * 12 + 11 - back, 12) for back in reversed(range(count)))
    return [date(year, month + 1, 1).isoformat() for year, month in months]
