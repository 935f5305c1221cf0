"""How many calls there is time for: the capacity of a week and the quotas of owners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType

import numpy as np

from churnkit.errors import ConfigError
from churnkit.logs import Texts

CHANNELS: Mapping[str, bool] = MappingProxyType(
    {"call": True, "visit": True, "mail": False, "message": False, "letter": False}
)
"""How a customer is reached, and whether a person does it and so needs time for it."""

CALL, WAITING = "call", "waiting"


@dataclass(frozen=True)
class Calls:
    """What people have time for in the week that a run plans.

    Only calls and visits take time; mails, messages and letters are sent whatever the capacity.

    Attributes
    ----------
    per_week
        Calls and visits of all owners together, 1 or more; ``None`` for no limit.
    quotas
        Owner → calls and visits of that owner, 0 or more; others have no limit of their own.
    owner
        Who acts where a playbook names no owner, or its column names nobody.

    Raises
    ------
    ConfigError
        If the capacity is below 1, a quota below 0, or the owner has no name.
    """

    per_week: int | None = None
    quotas: Mapping[str, int] = field(default_factory=dict)
    owner: str = "retention team"

    def __post_init__(self) -> None:
        if self.per_week is not None and self.per_week < 1:
            raise ConfigError(
                f"per_week = {self.per_week} in [calls]: nobody could be called",
                "Give the calls of a week, 1 or more, or leave it out for no limit.",
            )
        for owner, quota in self.quotas.items():
            if quota < 0:
                raise ConfigError(
                    f"the quota of {owner!r} in [calls.quotas] is {quota}",
                    "Give 0 for somebody who is away, else the calls of a week.",
                )
        if not self.owner.strip() or self.owner.strip().startswith("{"):
            raise ConfigError(
                f"owner = {self.owner!r} in [calls] is nobody", "Name a person or a team."
            )

    def turns(self, rank: np.ndarray, owner: Texts) -> Turns:
        """Up to which rank there is time, for each owner and for all together.

        Parameters
        ----------
        rank, owner
            Rank and owner of each customer who takes somebody's time: neither a mail nor a control
            does.
        """
        if self.per_week is None and not self.quotas:
            return Turns()
        last = {}
        has_room = np.ones(len(rank), dtype=bool)
        for who, quota in self.quotas.items():
            # Two positions may stand for one name, as where a column names who has a playbook, too.
            theirs = np.isin(owner.code, [k for k, word in enumerate(owner.words) if word == who])
            last[who] = _nth(rank[theirs], quota)
            has_room &= ~theirs | (rank <= last[who])
        return Turns(inf if self.per_week is None else _nth(rank[has_room], self.per_week), last)


@dataclass(frozen=True)
class Turns:
    """Up to which rank, inclusive, people have time for who is to be called or visited.

    A customer held out takes no time, and has room if there was some when its turn came: so
    controls are those who would have been called.

    Attributes
    ----------
    last
        The last rank there is time for at all, infinite without a limit.
    of
        Owner → the last rank that has a quota.
    """

    last: float = inf
    of: Mapping[str, float] = field(default_factory=dict)

    def room(self, rank: np.ndarray, owner: Texts, by_person: np.ndarray) -> np.ndarray:
        """Boolean mask of the customers there is time for; mails need none.

        Parameters
        ----------
        rank, owner, by_person
            Per customer with an action: its rank, who acts, whether a person's time is needed.
        """
        quota = np.array([*(self.of.get(who, inf) for who in owner.words), inf])  # -1 is nobody
        return ~by_person | (rank <= np.minimum(self.last, quota[owner.code]))


def _nth(rank: np.ndarray, n: int) -> float:
    """The n-th rank, infinite where there are fewer; 0 for none."""
    if n < 1:
        return 0.0
    return inf if len(rank) < n else float(np.partition(rank, n - 1)[n - 1])
