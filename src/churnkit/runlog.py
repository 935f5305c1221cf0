"""What programs read while a run is at work: one JSON object a line, on standard error.

Each line is made of a closed list of fields, none of which holds the id of a customer, an address
or a secret; docs/run_log.schema.json is their JSON Schema.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

LOGGER = "churnkit.run"
FIELDS = ("as_of", "step", "seconds", "rows", "exit_code", "error", "message")
_LEVELS = {"failed": logging.ERROR, "warning": logging.WARNING}
_LONGEST = 500
# What a message quotes may come from the data, and may hold quotes itself: so all from the first
# to the last. Addresses may hold a secret.
_QUOTED = re.compile(r"""['"«“‘].*['"»”’]""", re.DOTALL)
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


class JsonLine(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; of a record of another library only which one, and how grave it is."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        if record.name != LOGGER:  # what it says may hold anything
            return json.dumps({**told, "event": "library", "error": record.name})
        told["event"] = record.getMessage()
        fields = {name: getattr(record, name, None) for name in FIELDS}
        return json.dumps({**told, **{k: v for k, v in fields.items() if v not in (None, "")}})


@contextmanager
def as_json() -> Iterator[None]:
    """Write what is told, and the warnings of other libraries, as JSON while this lasts."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine())
    root, own = logging.getLogger(), logging.getLogger(LOGGER)
    heard = (root.handlers[:], root.level)
    root.handlers, root.level = [handler], logging.WARNING
    # By itself, since libraries that set up logging take the handlers of the root away.
    own.handlers, own.propagate = [handler], False
    own.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers, root.level = heard
        own.handlers = []


def tell(event: str, **fields: Any) -> None:
    """Tell of an event; nobody hears it unless `as_json` is on.

    Parameters
    ----------
    event
        Its name.
    fields
        Some of `FIELDS`. What a message quotes, and addresses in it, are left out.
    """
    unknown = fields.keys() - set(FIELDS)
    if unknown:
        raise TypeError(f"no line has the field {sorted(unknown)[0]}")
    if fields.get("message"):
        fields["message"] = masked(fields["message"])
    if fields.get("seconds") is not None:
        fields["seconds"] = round(fields["seconds"], 3)
    for handler in logging.getLogger(LOGGER).handlers:
        # Not by `log`, which a library may have switched off, and which keeps "message" for itself.
        record = logging.LogRecord(
            LOGGER, _LEVELS.get(event, logging.INFO), "", 0, event, None, None
        )
        vars(record).update(fields)
        handler.handle(record)


def masked(text: str) -> str:
    """The first line of a message without what it quotes and without addresses.

    Examples
    --------
    >>> masked("no column 'customer 12748' in sqlite:///shop.db")
    "no column '…' in …"
    """
    bare = _ADDRESS.sub("…", _QUOTED.sub("'…'", text))
    return bare.split("\n", 1)[0][:_LONGEST]
