"""What is planned for every customer at risk: tier, playbook, owner, due time, arm, list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.actions.calls import CALL, CHANNELS, WAITING, Calls, Turns
from churnkit.actions.due import WorkingWeek
from churnkit.actions.holdout import CONTROL, TREATED, Holdout
from churnkit.actions.playbooks import ACTED_ON, NOBODY, Playbook, Playbooks
from churnkit.actions.tiers import TierEdges, Tiers
from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError, did_you_mean
from churnkit.lights.priority import rank_of
from churnkit.logs import Texts

if TYPE_CHECKING:
    import pandas as pd

PLANNED = (
    "tier", "playbook", "action", "channel", "owner", "due", "arm", "campaign", "listed",
)  # fmt: skip
"""The columns that `plan` adds."""

_TOLD = ("light", "reason", "segment")
_NEEDED = ("customer_id", "value_at_risk", "rank", *_TOLD)
_ARMS = (TREATED, CONTROL)
_AT_ONCE = 100_000
_LIGHTS = ("green", *ACTED_ON)
_NO_COLUMNS: Mapping[str, np.ndarray] = MappingProxyType({})
_COUNTED = ("channel", "playbook")


@dataclass(frozen=True)
class Actions:
    """How a run is turned into deeds.

    Attributes
    ----------
    playbooks, tiers, week, calls, holdout
        What is done for whom, how tiers are cut, when people work, how much they have time for,
        and who is held out.

    Raises
    ------
    ConfigError
        If somebody has a quota and no playbook that calls or visits.
    """

    playbooks: Playbooks = field(default_factory=Playbooks)
    tiers: Tiers = field(default_factory=Tiers)
    week: WorkingWeek = field(default_factory=WorkingWeek)
    calls: Calls = field(default_factory=Calls)
    holdout: Holdout = field(default_factory=Holdout)

    def __post_init__(self) -> None:
        if self.playbooks.columns:
            return  # only the customers tell who the owners are
        calling = [p for p in self.playbooks.entries if CHANNELS[p.channel]]
        owners = sorted({playbook.owner or self.calls.owner for playbook in calling})
        for owner in self.calls.quotas:
            if owner not in owners:
                raise ConfigError(
                    f"{owner!r} has a quota in [calls.quotas] and no playbook that calls or visits",
                    f"{did_you_mean(owner, owners)}Those who call are {', '.join(owners)}.",
                )


def plan(
    frame: pd.DataFrame,
    actions: Actions,
    as_of: Cutoff,
    static: Mapping[str, np.ndarray] = _NO_COLUMNS,
) -> pd.DataFrame:
    """A run with what is planned for each customer.

    Controls keep the playbook that would have held, its action and its channel, so that like is
    compared with like; nobody owns them, nothing is due, and they are on no list. Who waits for
    want of time has no arm, and neither has a customer held out whose turn would not have come.

    Parameters
    ----------
    frame
        One row per customer at risk, with ``customer_id``, ``value_at_risk`` (NaN if unknown),
        ``rank`` (1 first), ``light``, ``reason`` and ``segment``.
    actions
        How it is turned into deeds.
    as_of
        The cutoff, from which due times run.
    static
        Static column of the customers → its value for each row, for the columns that playbooks
        take owners from (`churnkit.actions.playbooks.Playbooks.columns`).

    Returns
    -------
    pandas.DataFrame
        The rows in their order with the columns of `PLANNED`, all text: ``due`` is an ISO
        instant, ``arm`` ``treated``, ``control`` or empty, ``listed`` ``call`` (to be done now,
        by whatever channel), ``waiting`` (for want of time) or empty.

    Raises
    ------
    DataError
        If the frame lacks a column, or holds a colour that is none.
    ConfigError
        If a playbook takes its owner from a column that is not there, or the key of the holdout
        is not set.
    """
    _require_columns(frame)
    ids = frame["customer_id"].to_numpy(dtype=object)
    theirs = Theirs(
        ids=lambda rows: ids[rows].tolist(),
        rank=rank_of(np.lexsort((ids.astype(str), frame["rank"]))),
        value=frame["value_at_risk"].to_numpy(dtype=float),
        **{name: _texts(frame[name].to_numpy(dtype=object)) for name in _TOLD},
        static={name: _texts(values) for name, values in static.items()},
    )
    found = planned(theirs, actions, as_of)
    return frame.assign(**{name: _words(texts) for name, texts in found.items()})


@dataclass(frozen=True)
class Theirs:
    """What planning must know of the customers at risk, in any order.

    Attributes
    ----------
    ids
        Tells the ids of some rows.
    rank
        Rank of each, from 1 on.
    value
        Value at risk, NaN where unknown.
    light, reason, segment
        As in the frame of `plan`.
    static
        Static column → its text of each row, for the columns that playbooks take owners from.
    """

    ids: Callable[[np.ndarray], Sequence[str]]
    rank: np.ndarray
    value: np.ndarray
    light: Texts
    reason: Texts
    segment: Texts
    static: Mapping[str, Texts] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What a plan follows from beside a customer's own numbers: what is known of all customers.

    Attributes
    ----------
    tiers
        The edges of the tiers.
    turns
        Up to which rank people have time.
    """

    tiers: TierEdges
    turns: Turns


@dataclass(frozen=True)
class Wanted:
    """What is wanted for each customer, whether or not there is time for it.

    Attributes
    ----------
    tier, owner
        Tier of the value at risk, and who would act.
    there, by_person
        Whether there is a playbook at all, and whether it needs a person's time.
    arms
        Position of the arm, -1 for those who are never held out.
    """

    tier: Texts
    owner: Texts
    there: np.ndarray
    by_person: np.ndarray
    arms: np.ndarray
    _chosen: _Chosen

    @property
    def held(self) -> np.ndarray:
        """Whether each customer is held out."""
        return self.arms == _ARMS.index(CONTROL)

    @property
    def takes_time(self) -> np.ndarray:
        """Whether somebody's time is needed for each customer."""
        return self.by_person & ~self.held


def wanted(theirs: Theirs, actions: Actions, tiers: TierEdges | None = None) -> Wanted:
    """What is wanted for each customer, each by itself.

    Parameters
    ----------
    theirs, actions
        As for `planned`.
    tiers
        The edges of the tiers, where these are only some of the customers.
    """
    _require_lights(theirs.light.words)
    tier = actions.tiers.levels(theirs.value, tiers)
    found = actions.playbooks.of_texts(theirs.light, theirs.reason, tier, theirs.segment)
    chosen = _Chosen(found, actions.playbooks)
    owner = chosen.owners(theirs.static, actions.calls.owner)
    arms = _arms(theirs, actions.holdout, chosen.mask(lambda playbook: playbook.holdout))
    by_person = chosen.mask(lambda playbook: CHANNELS[playbook.channel])
    return Wanted(tier, owner, chosen.there, by_person, arms, chosen)


def planned(
    theirs: Theirs, actions: Actions, as_of: Cutoff, limits: Limits | None = None
) -> dict[str, Texts]:
    """What is planned for each customer: column of `PLANNED` → its text of each row.

    Parameters and errors are those of `plan`; it needs the memory of a few numbers a customer.
    Where these are only some of the customers, the limits are those of all.
    """
    asked = wanted(theirs, actions, None if limits is None else limits.tiers)
    if limits is None:
        some = asked.takes_time
        turns = actions.calls.turns(theirs.rank[some], asked.owner.where(some))
    else:
        turns = limits.turns
    chosen, owner, arms = asked._chosen, asked.owner, asked.arms
    room = chosen.there & turns.room(theirs.rank, owner, asked.by_person)
    acts = chosen.there & ~asked.held
    nobody = np.full(len(acts), -1, dtype=np.int16)
    due = chosen.each(lambda p: actions.week.due(as_of, p.within).local.isoformat())
    return {
        "tier": asked.tier,
        "playbook": chosen.each(lambda playbook: playbook.name),
        "action": chosen.each(lambda playbook: playbook.action),
        "channel": chosen.each(lambda playbook: playbook.channel),
        "owner": Texts(owner.words, np.where(acts, owner.code, -1)),
        "due": Texts(due.words, np.where(acts, due.code, nobody)),
        "arm": Texts(_ARMS, np.where(room, arms, nobody)),
        "campaign": Texts((actions.holdout.campaign,), np.where(chosen.there, nobody + 1, nobody)),
        "listed": Texts((CALL, WAITING), np.where(acts, np.where(room, nobody + 1, 1), nobody)),
    }


def _arms(theirs: Theirs, holdout: Holdout, treatable: np.ndarray) -> np.ndarray:
    """Position of the arm of each customer in `_ARMS`; -1 of those who are never held out."""
    arms = np.full(len(treatable), -1, dtype=np.int16)
    rows = np.flatnonzero(treatable)
    for start in range(0, max(len(rows), 1), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        arms[some] = holdout.arms(theirs.ids(some)) == CONTROL
    return arms


def _texts(values: np.ndarray) -> Texts:
    """A column as texts; a missing value is told as an empty text is."""
    import pandas as pd

    code, known = pd.factorize(np.asarray(values, dtype=object))
    return Texts(tuple(known), code)


def _words(texts: Texts) -> np.ndarray:
    return np.array([*texts.words, ""], dtype=object)[texts.code]


def counted(run: pd.DataFrame) -> dict[str, Any]:
    """How many customers of a plan are acted on now, wait, or are held out; and by whom how many.

    Returns
    -------
    dict
        ``call``, ``waiting`` and ``control``; of those acted on now ``by_owner``, by name,
        ``by_channel`` and ``by_playbook``, most first.
    """
    now = run[run["listed"] == CALL]
    return {
        "call": len(now),
        "waiting": int((run["listed"] == WAITING).sum()),
        "control": int((run["arm"] == CONTROL).sum()),
        "by_owner": {str(k): int(n) for k, n in now["owner"].value_counts().sort_index().items()},
        **{f"by_{name}": _most_first(now[name].value_counts()) for name in _COUNTED},
    }


def tally(plan: Mapping[str, Texts]) -> dict[str, Any]:
    """What `counted` tells of a run, from what `planned` gave."""
    listed, arm = plan["listed"], plan["arm"]
    now = listed.code == listed.words.index(CALL)
    return {
        "call": int(now.sum()),
        "waiting": int((listed.code == listed.words.index(WAITING)).sum()),
        "control": int((arm.code == arm.words.index(CONTROL)).sum()),
        "by_owner": dict(sorted(_counts(plan["owner"].where(now)).items())),
        **{f"by_{name}": _most_first(_counts(plan[name].where(now))) for name in _COUNTED},
    }


def tallied(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What `tally` tells of two parts of the customers together."""
    told: dict[str, Any] = {
        name: one[name] + other[name] for name in ("call", "waiting", "control")
    }
    for name in ("by_owner", *(f"by_{name}" for name in _COUNTED)):
        both = Counter(one[name]) + Counter(other[name])
        told[name] = dict(sorted(both.items())) if name == "by_owner" else _most_first(both)
    return told


def _most_first(counts: Mapping[Any, int] | pd.Series[int]) -> dict[str, int]:
    """What is counted, the most first, and of as many the first by name."""
    return {str(k): int(n) for k, n in sorted(counts.items(), key=lambda e: (-e[1], str(e[0])))}


def _counts(texts: Texts) -> dict[str, int]:
    """Text → rows; two positions may stand for one text."""
    found: dict[str, int] = {}
    each = np.bincount(texts.code[texts.code >= 0], minlength=len(texts.words)).tolist()
    for word, n in zip(texts.words, each, strict=True):
        if n:
            found[word] = found.get(word, 0) + n
    return found


@dataclass(frozen=True)
class _Chosen:
    """The playbook of every row, by its position."""

    position: np.ndarray
    playbooks: Playbooks

    @property
    def there(self) -> np.ndarray:
        """Whether a row has one."""
        return self.position != NOBODY

    def mask(self, tell: Callable[[Playbook], bool]) -> np.ndarray:
        """Whether something holds of each row's playbook; not where there is none."""
        told = [tell(playbook) for playbook in self.playbooks.entries]
        return np.array([*told, False], dtype=bool)[self.position]  # NOBODY is the last one

    def each(self, tell: Callable[[Playbook], str]) -> Texts:
        """What each row's playbook tells; nothing where there is none."""
        return Texts(tuple(tell(playbook) for playbook in self.playbooks.entries), self.position)

    def owners(self, static: Mapping[str, Texts], otherwise: str) -> Texts:
        """Who acts for each row."""
        owner = self.each(lambda playbook: playbook.owner or otherwise)
        for column in self.playbooks.columns:
            if column not in static:
                raise ConfigError(
                    f"a playbook takes its owner from {column!r}, which is no static column",
                    "Name the column in static of [logs.customers], or name an owner.",
                )
            named = static[column]
            names = tuple(_name(word) or otherwise for word in named.words)
            asked = np.array([*(word == f"{{{column}}}" for word in owner.words), False])
            code = np.where(named.code < 0, len(names), named.code) + len(owner.words)
            owner = Texts(
                (*owner.words, *names, otherwise),
                np.where(asked[owner.code], code, owner.code).astype(np.int32),
            )
        return owner


def _name(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _require_columns(frame: pd.DataFrame) -> None:
    lacking = [name for name in _NEEDED if name not in frame.columns]
    if lacking:
        raise DataError(
            f"the customers have no {lacking[0]!r}: nothing can be planned for them",
            f"Give {', '.join(_NEEDED)}.",
        )


def _require_lights(lights: Sequence[str]) -> None:
    odd = [told for told in lights if told not in _LIGHTS]
    if odd:
        raise DataError(
            f"{odd[0]!r} in the column light is no colour",
            f"{did_you_mean(str(odd[0]), _LIGHTS)}Colours are {', '.join(_LIGHTS)}.",
        )
