"""The four logs: their contract, the check of every row, and the events that are kept."""

from churnkit.logs.account import LogCheck
from churnkit.logs.collect import collect
from churnkit.logs.fold import kind_named
from churnkit.logs.inspection import Inspection, inspect
from churnkit.logs.rows import Rows
from churnkit.logs.schema import (
    DEFAULT_INSTRUMENTS,
    EVENT_KINDS,
    LEAVING,
    MONEY_UNITS,
    NO_SIGNS_OF_LIFE,
    QUANTITY_UNITS,
    SCHEMAS,
    SCORE_UNITS,
    Contract,
    Instrument,
    LogMapping,
    LogSchema,
)
from churnkit.logs.store import StoredLogs
from churnkit.logs.table import CustomerLogs, Events, Logs, Texts

__all__ = [
    "DEFAULT_INSTRUMENTS",
    "EVENT_KINDS",
    "LEAVING",
    "MONEY_UNITS",
    "NO_SIGNS_OF_LIFE",
    "QUANTITY_UNITS",
    "SCHEMAS",
    "SCORE_UNITS",
    "Contract",
    "CustomerLogs",
    "Events",
    "Inspection",
    "Instrument",
    "LogCheck",
    "LogMapping",
    "LogSchema",
    "Logs",
    "Rows",
    "StoredLogs",
    "Texts",
    "collect",
    "inspect",
    "kind_named",
]
