"""The money of a purchases log: signs, units, outliers, currencies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from churnkit.logs.profile.counts import SIZES, Counts
from churnkit.logs.profile.finding import Finding, agree, share, some
from churnkit.logs.schema import MONEY_UNITS, LogMapping

_ENOUGH = 200
_DECADE = SIZES
_HUNDREDFOLD = 2 * SIZES
_HALF_DECADE = SIZES // 2
_ALMOST_ALL, _MOST, _HALF = 0.98, 0.9, 0.5
_LEAST_CLUSTER, _LARGEST_CLUSTER = 20, 0.4
_TOP_ROWS, _TOP_SHARE = 0.001, 0.25
_FEW_ZEROS = 0.05


@dataclass(frozen=True)
class Sizes:
    """Amounts above zero by size, in rising order.

    Attributes
    ----------
    size
        ``floor(SIZES * log10(amount in 1/100))``, every step from the smallest to the largest.
    rows, whole, money
        Rows of that size, those without cents, and the sum of their amounts.
    """

    size: np.ndarray
    rows: np.ndarray
    whole: np.ndarray
    money: np.ndarray

    @property
    def median(self) -> int:
        """Size of the amount in the middle."""
        return self.quantile(0.5)

    def quantile(self, q: float) -> int:
        """Size below or at which a share of the rows lies."""
        risen = np.cumsum(self.rows)
        return int(self.size[np.searchsorted(risen, q * risen[-1])])

    def between(self, low: float, high: float) -> int:
        """Rows of the sizes ``low <= size < high``."""
        return int(self.rows[(self.size >= low) & (self.size < high)].sum())


def worth(size: float) -> float:
    """The amount at the lower edge of a size, in money."""
    return float(10 ** (size / SIZES)) / MONEY_UNITS


def money_findings(counts: Counts, mapping: LogMapping) -> Iterator[Finding]:
    """Zero and negative amounts, prices of nothing, cents among units, outliers, currencies."""
    if counts.has("amount"):
        yield from _signs(counts)
        yield from _size_findings(counts)
    if counts.has("unit_price"):
        yield from _prices(counts)
    if counts.has("currency"):
        yield from _currencies(counts, mapping)


def _signs(counts: Counts) -> Iterator[Finding]:
    of_sign = dict(
        counts.all(
            "SELECT CASE WHEN below_zero THEN 'below' WHEN size IS NULL THEN 'zero' END, "
            f"sum(rows)::BIGINT FROM {counts.of('money')} WHERE below_zero IS NOT NULL GROUP BY ALL"
        )
    )
    below, zero = (of_sign.get(sign, 0) for sign in ("below", "zero"))
    yield from _zeros(zero, counts.rows)
    if below > _HALF * counts.rows:
        yield Finding(
            "mostly_returns", "stop",
            f"{share(below, counts.rows)} of the amounts are below zero, and read as returns",
            "Is the sign turned round, as in a ledger? Turn it at the source.",
        )  # fmt: skip
    elif below:
        yield Finding(
            "returns", "note",
            f"{some(below, 'row')} ({share(below, counts.rows)}) {agree(below, 'has', 'have')} an "
            "amount below zero and count as returns, not as purchases",
        )  # fmt: skip


def _zeros(zero: int, rows: int) -> Iterator[Finding]:
    if zero:
        yield Finding(
            "zero_amounts", "warn" if zero > _FEW_ZEROS * rows else "note",
            f"{some(zero, 'row')} ({share(zero, rows)}) {agree(zero, 'has', 'have')} the "
            f"amount 0 and {agree(zero, 'counts as a purchase', 'count as purchases')}",
            "Samples, gifts or write-offs? If they are no purchases, set them aside with exclude.",
        )  # fmt: skip


def _size_findings(counts: Counts) -> Iterator[Finding]:
    told = counts.arrays(
        "SELECT size, sum(rows)::BIGINT AS rows, sum(whole)::BIGINT AS whole, "
        "sum(hundreds)::BIGINT AS hundreds, sum(charm)::BIGINT AS charm, sum(money) AS money "
        f"FROM {counts.of('money')} WHERE NOT below_zero AND size IS NOT NULL "
        "GROUP BY size ORDER BY size"
    )
    if not len(told["size"]) or told["rows"].sum() < _ENOUGH:
        return
    sizes = Sizes(told["size"], told["rows"], told["whole"], told["money"])
    yield from _hundredfold(sizes)
    yield from _in_cents(sizes, int(told["hundreds"].sum()), int(told["charm"].sum()))
    yield from _top_rows(sizes)


def _hundredfold(sizes: Sizes) -> Iterator[Finding]:
    """Amounts a hundred times too large: a second hill two powers of ten above the first.

    A long tail also reaches that far, but falls all the way; a hill has a valley before it, or
    stands out by having no cents where the others do.
    """
    middle = sizes.median
    start = middle + _HUNDREDFOLD - _HALF_DECADE // 2
    cluster = sizes.between(start, start + _DECADE)
    valley = sizes.between(start - _HALF_DECADE, start)
    rest = sizes.between(-np.inf, start)
    if not max(_LEAST_CLUSTER, 0.001 * rest) <= cluster <= _LARGEST_CLUSTER * rest:
        return
    above = sizes.size >= start
    whole_above = sizes.whole[above].sum() / max(sizes.rows[above].sum(), 1)
    whole_below = sizes.whole[~above].sum() / max(rest, 1)
    if cluster > 2 * valley or (whole_above > _ALMOST_ALL and whole_below < _HALF):
        rows = int(sizes.rows[above].sum())
        yield Finding(
            "hundredfold", "warn",
            f"{some(rows, 'amount')} ({share(rows, sizes.rows.sum())}) "
            f"{agree(rows, 'is', 'are')} about 100 times as large as the others, whose middle is "
            f"{worth(middle + 0.5):,.2f}: cents among whole units?",
            "Bring all amounts to one unit at the source.",
        )  # fmt: skip


def _in_cents(sizes: Sizes, hundreds: int, charm: int) -> Iterator[Finding]:
    rows, whole = int(sizes.rows.sum()), int(sizes.whole.sum())
    if whole < rows or worth(sizes.median) < 100:
        return
    if hundreds > _ALMOST_ALL * rows:
        yield Finding(
            "round_amounts", "note",
            f"{share(hundreds, rows)} of the amounts are multiples of 100: is the unit a "
            "small one, such as cents or rials?",
            "Nothing to mend if thresholds and values are thought of in the same unit.",
        )  # fmt: skip
    elif charm > _MOST * rows:
        yield Finding(
            "amounts_in_cents", "warn",
            f"all amounts are whole numbers and {share(charm, rows)} of them end in 00, 50, 90, 95 "
            f"or 99, as prices in cents do; their middle is {worth(sizes.median + 0.5):,.0f}",
            "If they are cents, divide by 100 at the source, or every value here is 100 times too "
            "large.",
        )  # fmt: skip


def _top_rows(sizes: Sizes) -> Iterator[Finding]:
    money, whole = np.cumsum(sizes.money[::-1]), float(sizes.money.sum())
    bins = int(np.searchsorted(money, _TOP_SHARE * whole, side="right")) + 1
    rows = int(sizes.rows[-bins:].sum())
    if rows <= max(int(_TOP_ROWS * sizes.rows.sum()), 1):
        yield Finding(
            "outliers", "warn",
            f"the {some(rows, 'largest row', 'largest rows')} of {sizes.rows.sum():,} "
            f"{agree(rows, 'holds', 'hold')} {share(money[bins - 1], whole)} of all sales, "
            f"{agree(rows, 'an amount', 'amounts')} of {worth(sizes.size[-bins]):,.0f} or more",
            "Look at them: mistyped amounts, or a few very large customers?",
        )  # fmt: skip


def _prices(counts: Counts) -> Iterator[Finding]:
    below, zero = counts.one(
        "SELECT COALESCE(sum(price_below), 0)::BIGINT, COALESCE(sum(price_zero), 0)::BIGINT "
        f"FROM {counts.of('customer')}"
    )
    if below + zero:
        rows = below + zero
        yield Finding(
            "prices_not_above_zero", "note",
            f"{some(rows, 'row')} {agree(rows, 'has', 'have')} a price of 0 ({zero:,}) or below "
            f"({below:,})",
            "Samples, write-offs or bad debt; set them aside with exclude if they are no trade.",
        )  # fmt: skip


def _currencies(counts: Counts, mapping: LogMapping) -> Iterator[Finding]:
    told = counts.all(
        "SELECT COALESCE(currency, 'none named'), rows FROM "
        f"{counts.of('currency')} ORDER BY rows DESC, currency"
    )
    if len(told) < 2:
        return
    shown = ", ".join(f"{name[:12]} {share(rows, counts.rows)}" for name, rows in told[:5])
    shown += " …" if len(told) > 5 else ""
    if mapping.rates:
        yield Finding(
            "currencies", "note", f"{len(told)} currencies, brought to one by rates: {shown}"
        )
    else:
        yield Finding(
            "currencies", "warn",
            f"{len(told)} currencies are added up as if they were one: {shown}",
            "Say in [logs.purchases.rates] what one unit of each is worth.",
        )  # fmt: skip
