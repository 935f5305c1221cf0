"""What is planned for every customer at risk: tier, playbook, owner, due time, arm, list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.actions.calls import CALL, CHANNELS, WAITING, Calls
from churnkit.actions.due import WorkingWeek
from churnkit.actions.holdout import CONTROL, Holdout
from churnkit.actions.playbooks import ACTED_ON, NOBODY, Playbook, Playbooks
from churnkit.actions.tiers import Tiers
from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

PLANNED = (
    "tier", "playbook", "action", "channel", "owner", "due", "arm", "campaign", "listed",
)  # fmt: skip
"""The columns that `plan` adds."""

_NEEDED = ("customer_id", "value_at_risk", "rank", "light", "reason", "segment")
_LIGHTS = ("green", *ACTED_ON)
_NO_COLUMNS: Mapping[str, np.ndarray] = MappingProxyType({})


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
    tier = actions.tiers.of(frame["value_at_risk"].to_numpy(dtype=float))
    told = (frame[name].to_numpy(dtype=object) for name in ("light", "reason", "segment"))
    light, reason, segment = told
    _require_lights(light)
    chosen = _Chosen(actions.playbooks.of_rows(light, reason, tier, segment), actions.playbooks)
    owner = chosen.owners(static, actions.calls.owner)
    arms = actions.holdout.arms(frame["customer_id"])
    arms[~chosen.each(lambda playbook: playbook.holdout, False)] = ""
    held = arms == CONTROL
    by_person = chosen.each(lambda playbook: CHANNELS[playbook.channel], False)
    room = actions.calls.room(chosen.order(frame), owner, by_person, held)
    acts = chosen.there & ~held
    due = chosen.each(lambda p: actions.week.due(as_of, p.within).local.isoformat(), "")
    return frame.assign(
        tier=tier,
        playbook=chosen.each(lambda playbook: playbook.name, ""),
        action=chosen.each(lambda playbook: playbook.action, ""),
        channel=chosen.each(lambda playbook: playbook.channel, ""),
        owner=np.where(acts, owner, ""),
        due=np.where(acts, due, ""),
        arm=np.where(room, arms, ""),
        campaign=np.where(chosen.there, actions.holdout.campaign, ""),
        listed=np.where(acts, np.where(room, CALL, WAITING), ""),
    )


def counted(run: pd.DataFrame) -> dict[str, Any]:
    """How many customers of a plan are acted on now, wait, or are held out; and by whom how many.

    Returns
    -------
    dict
        ``call``, ``waiting`` and ``control``; of those acted on now ``by_owner``, by name, and
        ``by_playbook``, most first.
    """
    now = run[run["listed"] == CALL]
    return {
        "call": len(now),
        "waiting": int((run["listed"] == WAITING).sum()),
        "control": int((run["arm"] == CONTROL).sum()),
        "by_owner": {str(k): int(n) for k, n in now["owner"].value_counts().sort_index().items()},
        "by_playbook": {str(k): int(n) for k, n in now["playbook"].value_counts().items()},
    }


@dataclass(frozen=True)
class _Chosen:
    """The playbook of every row, by its position."""

    position: np.ndarray
    playbooks: Playbooks

    @property
    def there(self) -> np.ndarray:
        """Whether a row has one."""
        return self.position != NOBODY

    def each(self, tell: Callable[[Playbook], Any], nothing: Any) -> np.ndarray:
        """What each row's playbook tells; nothing where there is none."""
        told = [tell(playbook) for playbook in self.playbooks.entries]
        kind = bool if isinstance(nothing, bool) else object
        return np.array([*told, nothing], dtype=kind)[self.position]  # NOBODY is the last one

    def owners(self, static: Mapping[str, np.ndarray], otherwise: str) -> np.ndarray:
        """Who acts for each row."""
        owner = self.each(lambda playbook: playbook.owner or otherwise, "")
        for column in self.playbooks.columns:
            if column not in static:
                raise ConfigError(
                    f"a playbook takes its owner from {column!r}, which is no static column",
                    "Name the column in static of [logs.customers], or name an owner.",
                )
            named = np.array([_name(value) or otherwise for value in static[column]], dtype=object)
            asked = owner == f"{{{column}}}"
            owner[asked] = named[asked]
        return owner

    def order(self, frame: pd.DataFrame) -> np.ndarray:
        """Positions of the rows that have a playbook, first in rank first."""
        order = np.lexsort((frame["customer_id"].astype(str), frame["rank"]))
        return order[self.there[order]]


def _name(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _require_columns(frame: pd.DataFrame) -> None:
    lacking = [name for name in _NEEDED if name not in frame.columns]
    if lacking:
        raise DataError(
            f"the customers have no {lacking[0]!r}: nothing can be planned for them",
            f"Give {', '.join(_NEEDED)}.",
        )


def _require_lights(light: np.ndarray) -> None:
    odd = [told for told in dict.fromkeys(light) if told not in _LIGHTS]
    if odd:
        raise DataError(
            f"{odd[0]!r} in the column light is no colour",
            f"{did_you_mean(str(odd[0]), _LIGHTS)}Colours are {', '.join(_LIGHTS)}.",
        )
