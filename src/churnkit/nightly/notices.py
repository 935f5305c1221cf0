"""What others are told of a night: a ping for a watchdog, and metrics for a scraper."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from churnkit.errors import ConfigError

_PATIENCE = 5.0  # seconds without a byte
_NO_LONGER = 10.0  # seconds in all
_PREFIX = "churnkit"
_LABEL = re.compile(r"[a-zA-Z_]\w*", re.ASCII)


class _Stay(HTTPRedirectHandler):
    """Follows nobody elsewhere: a watchdog answers where it is."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def checked_address(url: str) -> str:
    """The address of a watchdog, if it is one of the web.

    Raises
    ------
    ConfigError
        If it is not. The message does not repeat it: whoever knows it may ping.
    """
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname)
        sound = sound and url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        sound = False
    if sound:
        return url.rstrip("/")
    raise ConfigError(
        "healthcheck_url is no address of the web (it is not repeated here, since whoever knows "
        "it may ping)",
        "Write https://… or ${NAME} of an environment variable that holds it.",
    )


def ping(url: str, what: str = "", patience: float = _NO_LONGER) -> str:
    """Ask for an address as healthchecks.io wants it; nothing of the answer is used.

    Parameters
    ----------
    url
        A checked address.
    what
        ``start``, ``fail``, or empty for success.
    patience
        How long it may take in all, in seconds.

    Returns
    -------
    str
        Why it did not arrive, in words without the address; empty if it did. Nothing is raised.
    """
    whole = f"{url}/{what}" if what else url
    found = ["it took too long"]

    def ask() -> None:
        try:
            asked = Request(whole, headers={"User-Agent": _PREFIX})  # noqa: S310 - checked
            with closing(build_opener(_Stay).open(asked, timeout=min(_PATIENCE, patience))):
                found[0] = ""
        except Exception as error:  # whatever goes wrong, the run goes on
            code = getattr(error, "code", None)
            found[0] = f"the server answered {code}" if code else type(error).__name__

    # A server that sends a byte now and then would keep a mere timeout waiting for ever.
    waiting = Thread(target=ask, daemon=True)
    waiting.start()
    waiting.join(patience)
    return found[0]


def metrics_text(told: Mapping[str, Any]) -> str:
    """The metrics of a night in the text format of Prometheus.

    Parameters
    ----------
    told
        ``as_of_seconds`` (since 1970 in UTC), ``success``, ``exit_code``, ``steps`` (name →
        seconds), and where they are known ``lights`` (light → customers), ``verdict``,
        ``model_age_days``, ``model_version``, ``rows`` and ``rejected`` (log → rows).

    Returns
    -------
    str
        Gauges with their help, in a fixed order; families without a value are left out.
    """
    return "".join(f"{line}\n" for family in _families(told) for line in _family(*family))


_Samples = Sequence[tuple[Mapping[str, str], float]]


def _families(told: Mapping[str, Any]) -> Iterator[tuple[str, str, _Samples]]:
    yield "run_success", "Whether no step of the last run failed.", [({}, told["success"])]
    yield "run_exit_code", "Exit code of the last run.", [({}, told["exit_code"])]
    yield (
        "run_as_of_timestamp_seconds",
        "The day of the last run, as seconds since 1970 in UTC.",
        [({}, told["as_of_seconds"])],
    )
    yield "step_seconds", "How long a step took when it was done.", _by("step", told["steps"])
    yield "customers", "Customers at risk by light.", _by("light", told.get("lights"))
    yield "rows", "Rows of a log that keep the contract.", _by("log", told.get("rows"))
    yield "rejected_rows", "Rows of a log that were set aside.", _by("log", told.get("rejected"))
    if told.get("verdict"):
        verdicts = {name: name == told["verdict"] for name in ("ok", "watch", "retrain")}
        yield "verdict", "1 for what monitoring found.", _by("verdict", verdicts)
    if told.get("model_version"):
        yield "model_info", "The model that scored.", [({"version": told["model_version"]}, 1)]
    if told.get("model_age_days") is not None:
        says = "Days since the newest outcome that the model learnt from."
        yield "model_age_days", says, [({}, told["model_age_days"])]


def _by(label: str, values: Mapping[str, float] | None) -> _Samples:
    return [({label: name}, value) for name, value in (values or {}).items()]


def _family(name: str, says: str, samples: _Samples) -> Iterator[str]:
    if not samples:
        return
    yield f"# HELP {_PREFIX}_{name} {says}"
    yield f"# TYPE {_PREFIX}_{name} gauge"
    for labels, value in samples:
        told = ",".join(f'{_label(key)}="{_escaped(text)}"' for key, text in labels.items())
        yield (
            f"{_PREFIX}_{name}{{{told}}} {_number(value)}"
            if told
            else (f"{_PREFIX}_{name} {_number(value)}")
        )


def _label(name: str) -> str:
    if not _LABEL.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a label")
    return name


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if float(value).is_integer() else repr(float(value))
