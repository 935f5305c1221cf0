"""Make the sample of this folder anew: `python data/make.py`."""

from __future__ import annotations

from pathlib import Path

from churnkit.simulate import Shop, simulate

HERE = Path(__file__).parent


def sample() -> Shop:
    """The shop of the sample: 500 customers over two years."""
    return simulate(customers=500, seed=7)


if __name__ == "__main__":
    shop = sample()
    shop.purchases.to_csv(HERE / "purchases.csv", index=False)
    shop.surveys.to_csv(HERE / "surveys.csv", index=False)
    shop.activity.to_parquet(HERE / "activity.parquet", index=False)
