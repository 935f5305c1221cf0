"""How well the content of a column fits a column of the contract, whatever its name is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from churnkit.logs import DEFAULT_INSTRUMENTS
from churnkit.sources.proposal.evidence import Evidence

_ENOUGH = 50  # cells below which counting distinct ones proves nothing
_EVENTS = 200
_CATEGORIES = 500
_CHANNELS = 60
_GROUPS = 50
_SPARSE = frozenset({"ref", "discount"})
_PLURAL = re.compile(r"[A-Za-z]{3}[sS]$")
CURRENCIES = frozenset({
    "AED", "AFN", "ARS", "AUD", "BDT", "BGN", "BHD", "BRL", "CAD", "CHF", "CLP", "CNY", "COP",
    "CZK", "DKK", "DZD", "EGP", "EUR", "GBP", "HKD", "HUF", "IDR", "ILS", "INR", "IQD", "IRR",
    "IRT", "ISK", "JOD", "JPY", "KES", "KRW", "KWD", "KZT", "LBP", "LKR", "LYD", "MAD", "MXN",
    "MYR", "NGN", "NOK", "NZD", "OMR", "PEN", "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB",
    "SAR", "SEK", "SGD", "SYP", "THB", "TND", "TOMAN", "TRY", "TWD", "UAH", "USD", "UYU", "UZS",
    "VND", "YER", "ZAR", "€", "$", "£", "¥", "﷼",
})  # fmt: skip

QUESTIONS = frozenset(scale.name for scale in DEFAULT_INSTRUMENTS)


def fit(log: str, column: str, cells: Evidence) -> float | None:
    """What the content adds to (or takes from) the score of the name; ``None`` rules it out.

    Parameters
    ----------
    log, column
        The column of the contract.
    cells
        What the cells of the source column look like.

    Returns
    -------
    float or None
        Between -1 and 0.2.
    """
    if not cells.count:
        return 0.0 if cells.filled else -0.1  # blank, or no rows at all: only the name speaks
    judged = _JUDGES[column](cells, log)
    return None if judged is None else judged - 0.4 * (cells.filled < 0.5 and column not in _SPARSE)


def dates(cells: Evidence) -> bool:
    """Whether the cells are dates or times beyond doubt, not numbers that happen to read so."""
    times = cells.times
    return times is not None and times.share > 0.9 and times.time_format not in {
        "epoch_s", "epoch_ms"
    }  # fmt: skip


def names_something(cells: Evidence) -> bool:
    """Whether the cells could be ids: no times, decimals, yes or no, files, or objects."""
    decimals = cells.is_number and not cells.is_whole
    return not (
        dates(cells)
        or decimals
        or cells.is_boolean
        or cells.is_nested
        or cells.files > 0.5
        or _is_count_of(cells)
    )


def _is_count_of(cells: Evidence) -> bool:
    """Whether the column counts the things of its name: ``products`` from 1 to 200."""
    return bool(_PLURAL.search(cells.name)) and cells.is_whole and 0 <= cells.high < 10_000


def _customer(cells: Evidence, log: str) -> float | None:
    if not names_something(cells):
        return None
    told = -0.3 * (cells.length > 40) - 0.5 * (cells.negative > 0.01)
    told -= 0.3 * (cells.distinct < 3 and cells.count >= _ENOUGH)
    told -= 0.4 * (cells.is_whole and cells.high <= 10 and cells.count >= _ENOUGH)
    if log == "customers":
        return told + (0.1 if cells.repeats <= 1.02 else -0.25 * (cells.count >= _ENOUGH))
    if log == "surveys":
        return told  # most people answer once
    return told + (0.1 if cells.repeats >= 1.2 else -0.25 * each_once(cells))


def each_once(cells: Evidence) -> bool:
    """Whether each of many values stands in one row alone, as orders do and customers do not."""
    return cells.count >= _ENOUGH and cells.distinct == cells.count


def _order(cells: Evidence, _: str) -> float | None:
    if not names_something(cells):
        return None
    return -0.4 * (cells.distinct < 10 and cells.count >= _ENOUGH) - 0.3 * (cells.length > 40)


def _product(cells: Evidence, _: str) -> float | None:
    return None if not names_something(cells) else -0.3 * (cells.distinct < 3 < cells.count)


def _ref(cells: Evidence, _: str) -> float | None:
    return None if not names_something(cells) else -0.2 * (cells.distinct < 3 < cells.count)


def _time(cells: Evidence, _: str) -> float | None:
    if cells.times is None:
        return None if cells.is_number else -0.45
    return 0.1 if cells.times.share > 0.9 else -0.1


def _since(cells: Evidence, _: str) -> float | None:
    return None if cells.times is None or cells.times.share < 0.9 else 0.1


def _is_measure(cells: Evidence) -> bool:
    return cells.numbers >= 0.9 and not cells.is_boolean and not dates(cells)


def _money(cells: Evidence, _: str) -> float | None:
    if _is_measure(cells):
        return 0.1 * (not cells.is_whole)
    # Rather told and set aside than a whole column dropped for cells such as "n/a".
    return -0.2 if cells.numbers > 0.5 and not dates(cells) and not cells.is_boolean else None


def _discount(cells: Evidence, _: str) -> float | None:
    if not _is_measure(cells) or _is_share(cells) or cells.negative > 0.5:
        return None
    # Few whole numbers up to 100 are rather percent, unless the name says otherwise.
    percent = cells.is_whole and cells.low >= 0 and cells.high <= 100 and cells.distinct <= 25
    return -0.45 * percent


def _is_share(cells: Evidence) -> bool:
    """Whether the numbers may be parts of one; all zeros may."""
    return cells.low >= -1 and cells.high <= 1


def _quantity(cells: Evidence, _: str) -> float | None:
    if not _is_measure(cells):
        return None
    return 0.1 * cells.is_whole - 0.4 * (cells.high > 1e6)


def _number(cells: Evidence, _: str) -> float | None:
    return 0.0 if _is_measure(cells) else None


def _score(cells: Evidence, _: str) -> float | None:
    if not _is_measure(cells) and cells.numbers < 0.5:
        return None
    return 0.1 if cells.low >= -100 and cells.high <= 100 else -0.3


def _currency(cells: Evidence, _: str) -> float | None:
    return 0.1 if {code.upper() for code, _ in cells.top} <= CURRENCIES else None


def _few_words(cells: Evidence, most: int) -> bool:
    """Whether few values occur again and again, none of them a number with decimals or a date."""
    decimals = cells.is_number and not cells.is_whole
    if dates(cells) or decimals or cells.is_boolean or cells.is_nested:
        return False
    many = cells.distinct > max(most, 0.5 * cells.count) or cells.distinct > 20 * most
    return cells.length <= 60 and not (cells.count >= _ENOUGH and many) and cells.addresses < 0.5


def may_be_static(cells: Evidence) -> bool:
    """Whether a column could sort customers: few values, none of them a date or an address."""
    few = 1 < cells.distinct <= _GROUPS
    return few and (cells.is_boolean or _few_words(cells, _GROUPS))


def _category(cells: Evidence, _: str) -> float | None:
    return 0.0 if _few_words(cells, _CATEGORIES) else None


def _channel(cells: Evidence, _: str) -> float | None:
    return 0.0 if _few_words(cells, _CHANNELS) else None


def _event(cells: Evidence, _: str) -> float | None:
    if not _few_words(cells, _EVENTS):
        return None
    return -0.3 if cells.is_number else 0.05 * (1 < cells.distinct <= _EVENTS)


def _instrument(cells: Evidence, _: str) -> float | None:
    if not _few_words(cells, 60):
        return None
    known = QUESTIONS & {text.lower() for text, _ in cells.top}
    return -0.3 * cells.is_number + 0.2 * bool(known)


_JUDGES: Mapping[str, Callable[[Evidence, str], float | None]] = {
    "customer_id": _customer, "ts": _time, "amount": _money, "unit_price": _money,
    "order_id": _order, "product_id": _product, "quantity": _quantity, "currency": _currency,
    "discount": _discount, "category": _category, "channel": _channel,
    "event": _event, "value": _number, "ref": _ref, "instrument": _instrument, "score": _score,
    "since": _since,
}  # fmt: skip
