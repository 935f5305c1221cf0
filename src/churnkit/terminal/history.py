"""Everything said and done about one customer, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from churnkit.terminal.console import out, printable, say
from churnkit.terminal.tables import light


def show_history(told: Mapping[str, Any]) -> None:
    """A line for each day, and below it why, what was planned, and what came of it."""
    console = out()
    console.print(Text(printable(f"Customer {told['customer_id']}", lines=False), style="bold"))
    for day in told["days"]:
        console.print()
        console.print(_headline(day))
        for sentence in _sentences(day):
            say(printable(sentence, lines=False), indent=2)


def _headline(day: Mapping[str, Any]) -> Text:
    run = day["run"]
    if run is None:
        return Text(day["day"], style="bold")
    told = [] if run["churn_probability"] is None else [f"{run['churn_probability']:.0%} churn"]
    told += [] if run["rank"] is None else [f"rank {run['rank']:,}"]
    told += [] if run["value_at_risk"] is None else [f"{run['value_at_risk']:,.0f} at risk"]
    return Text.assemble((f"{day['day']}  ", "bold"), light(run["light"]), f"  {', '.join(told)}")


def _sentences(day: Mapping[str, Any]) -> Iterator[str]:
    run = day["run"]
    if run is not None:
        if run["changed"]:
            yield f"before {run['light_before']}: {run['changed']}"
        yield from (f"! {rule}" for rule in run["rules"])
        yield from (f"· {reason}" for reason in run["reasons"])
        yield from _planned(run)
    for one in day["overrides"]:
        deed = f"set to {one['light']} until {one['until']}" if one["light"] else "override cleared"
        yield f"{deed} by {one['owner']}: {one['reason']}"
    for one in day["outcomes"]:
        more = [one["result"], "" if one["cost"] is None else f"cost {one['cost']:g}", one["note"]]
        details = f" ({', '.join(part for part in more if part)})" if any(more) else ""
        yield f"recorded: {'done' if one['done'] else 'not done'}{details}"


def _planned(run: Mapping[str, Any]) -> Iterator[str]:
    if not run["action"]:
        return
    if run["arm"] == "control":
        yield f"held out as control of {run['campaign']}: otherwise {run['action']}"
        return
    waits = ", waiting for want of time" if run["listed"] == "waiting" else ""
    yield f"{run['action']} ({run['channel']}) by {run['owner']}, due {run['due']}{waits}"
