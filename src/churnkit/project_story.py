"""The story of one customer in a project: its logs, its scores over time, and what was done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from churnkit.biography import biography, own_rhythms
from churnkit.clock import Cutoff, cutoffs_back_from, has_come
from churnkit.config import Settings
from churnkit.customer import own_logs, retrace_customer
from churnkit.lights import TrafficLight
from churnkit.logs import CustomerLogs
from churnkit.model import ChurnModel
from churnkit.progress import Progress, silent
from churnkit.project_history import days_told

STORY_WEEKS = 12
"""For so many weeks a story looks back, unless it is told otherwise."""

_WEEK = 7
_SCORED_WEEKS = 53  # scorings that are older are left to churnkit history
_SCORED = (
    "churn_probability", "value_at_risk", "light", "light_before", "base_light", "rules",
    "reasons", "changed", "override", "model_version",
)  # fmt: skip
_DEED = ("playbook", "action", "channel", "owner", "due", "arm", "campaign", "listed")
_SAME_DEED = ("playbook", "action", "owner", "arm")


def tell_story(
    settings: Settings,
    model: ChurnModel,
    logs: CustomerLogs,
    customer: str,
    as_of: Cutoff,
    weeks: int,
    light: TrafficLight,
    progress: Progress = silent,
) -> dict[str, Any]:
    """One customer's story up to a day: events, rhythm, scores over time, deeds.

    Parameters
    ----------
    settings, model, logs, customer, as_of
        The project, the model in use, the logs, the id, and when.
    weeks
        For so many weeks before is told what the model says of weeks without a scoring.
    light
        How lights are assigned.
    progress
        Told what is being done.

    Returns
    -------
    dict
        JSON-ready: what `churnkit.biography.biography` tells; in its ``rhythm`` also ``everyone``,
        see `churnkit.biography.own_rhythms`; and

        - ``course``, by day: ``day``, ``source`` (``ledger``: as it was scored then; ``model``: by
          the model of now, each day by itself), ``at_risk``; if that is true also
          ``churn_probability``, ``value_at_risk``, ``light``, ``base_light``, ``rules``,
          ``changed``; of a scoring ``light_before``, ``reasons``, ``override``,
          ``model_version``; of the model ``yellow_from``, ``red_from``, ``moves``;
        - ``moved``: what moved the score by the model of now since the first of these weeks, see
          `churnkit.customer.retrace_customer`;
        - ``edges``: from which probability on the customer is ``yellow`` and ``red`` at the cutoff,
          before any rule; ``None`` where never;
        - ``deeds``, what was planned, oldest first: ``day`` and ``last`` (the first and the last
          scoring that planned it), what the ledger has of it, ``outcomes``, and ``state``:
          ``done``, ``not_done``, ``control``, ``waiting``, ``open``, or ``lapsed`` where a later
          scoring planned it no more;
        - ``overrides``: ``day``, ``light`` (empty where one was taken back), ``before``,
          ``until``, ``owner``, ``reason``.

        ``missing`` may also hold ``no_scorings``.
    """
    own = own_logs(logs, customer)
    told = biography(own, model.question, as_of)
    progress("comparing with the intervals of all customers")
    silence = told["rhythm"]["silent"] or 0.0
    told["rhythm"]["everyone"] = own_rhythms(logs, model.question, as_of, silence)
    found = days_told(settings.open_ledger().of_customer(customer))
    known = [day for day in found if has_come(Cutoff.parse(day["day"], as_of.zone), as_of)]
    scored = [day for day in known if day["run"] is not None]
    asked = _unscored(as_of, weeks, [day["day"] for day in scored])
    traced = retrace_customer(
        model, logs, customer, asked, light, settings.money.margin, progress
    )  # fmt: skip
    points = traced["points"]
    told["course"] = _course(scored, points, as_of, model.version)
    told["moved"] = traced["moved"]
    told["edges"] = {light: points[-1].get(f"{light}_from") for light in ("yellow", "red")}
    told["deeds"] = list(_deeds(known))
    told["overrides"] = [
        {"day": day["day"], **entry} for day in known for entry in day["overrides"]
    ]
    if not scored:
        told["missing"].append("no_scorings")
    return told


def _unscored(as_of: Cutoff, weeks: int, scored: Sequence[str]) -> list[Cutoff]:
    """The cutoff, and the weekly days before it in whose week there was no scoring."""
    days = {Cutoff.parse(day, as_of.zone).local.date().toordinal() for day in scored}
    found = []
    for cutoff in cutoffs_back_from(as_of, "week", weeks + 1):
        last = cutoff.local.date().toordinal()
        if cutoff == as_of or not days & set(range(last - _WEEK + 1, last + 1)):
            found.append(cutoff)
    return found


def _course(
    scored: Sequence[Mapping[str, Any]],
    traced: Sequence[Mapping[str, Any]],
    as_of: Cutoff,
    version: str,
) -> list[dict[str, Any]]:
    """Scorings and what the model says of other days, by day; from when on it was at risk."""
    first = as_of.shifted(-_WEEK * _SCORED_WEEKS)
    points = [
        {"day": day["day"], "source": "ledger", "at_risk": True,
         **{name: day["run"][name] for name in _SCORED}}
        for day in scored
        if has_come(first, Cutoff.parse(day["day"], as_of.zone))
    ]  # fmt: skip
    same = {point["day"] for point in points if point["model_version"] == version}
    points += [{"source": "model", **state} for state in traced if state["day"] not in same]
    points.sort(key=lambda point: (point["day"], point["source"]))
    begun = next((k for k, point in enumerate(points) if point["at_risk"]), len(points))
    return points[begun:]


def _deeds(known: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What was planned; scorings in a row that plan the same tell it once."""
    planned = [day for day in known if (day["run"] or {}).get("action") or day["outcomes"]]
    last = max((day["day"] for day in known if day["run"] is not None), default="")
    deed: dict[str, Any] | None = None
    for day in planned:
        now = {name: (day["run"] or {}).get(name, "") for name in _DEED}
        goes_on = deed is not None and not deed["outcomes"] and all(
            deed[name] == now[name] for name in _SAME_DEED
        )  # fmt: skip
        if deed is not None and not goes_on:
            yield _stated(deed, last)
        begun = deed["day"] if deed is not None and goes_on else day["day"]
        deed = {"day": begun, "last": day["day"], **now, "outcomes": day["outcomes"]}
    if deed is not None:
        yield _stated(deed, last)


def _stated(deed: dict[str, Any], last: str) -> dict[str, Any]:
    """A deed with what became of it."""
    if deed["outcomes"]:
        state = "done" if deed["outcomes"][-1]["done"] else "not_done"
    elif deed["last"] != last:
        state = "lapsed"
    elif deed["arm"] == "control":
        state = "control"
    else:
        state = "waiting" if deed["listed"] == "waiting" else "open"
    return {**deed, "state": state}
