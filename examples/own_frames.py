"""Frames with names of their own: map the columns, declare the scales, ask, and call.

Run it from anywhere: `python examples/own_frames.py`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import churnkit as ck

DATA = Path(__file__).parents[1] / "data"


def main() -> None:
    """Train on the sample under other column names and print whom to call."""
    orders = pd.read_csv(DATA / "purchases.csv").rename(
        columns={"customer_id": "Client No", "ts": "Booked", "amount": "Net"}
    )
    answers = pd.read_csv(DATA / "surveys.csv")
    columns = {"customer_id": "Client No", "ts": "Booked", "amount": "Net", "order_id": "order_id"}
    contract = ck.Contract(
        mappings={"purchases": ck.LogMapping(columns)},
        instruments=(
            ck.Instrument("nps", 0, 10),
            ck.Instrument("ces", 1, 7),
            ck.Instrument("csat", 1, 5),
        ),
        zone="Europe/Berlin",
    )
    logs = ck.read_logs(orders, surveys=answers, contract=contract)
    training = ck.train(logs, ck.Question("no_purchase", horizon_days=60, lookback_days=180))
    print(training.backtest.verdict)
    training.require_gates()
    as_of = ck.Cutoff.parse("2025-01-01", "Europe/Berlin")
    scores = ck.score(training.model, logs, as_of, ck.TrafficLight(ck.Fixed(yellow=0.3, red=0.6)))
    for call in scores.call_list(5).to_dict("records"):
        print(f"{call['customer_id']} {call['light']}: {call['reasons']}")


if __name__ == "__main__":
    main()
