"""How many calls there is time for: the capacity of a week and the quotas of owners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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

    def room(
        self, order: np.ndarray, owner: Texts, by_person: np.ndarray, held: np.ndarray
    ) -> np.ndarray:
        """Whether there is time for each customer, going through them in order.

        A customer held out takes no time, and has room if there was some when its turn came: so
        controls are those who would have been called.

        Parameters
        ----------
        order
            Positions of the customers with an action, first in rank first; others have no room.
        owner, by_person, held
            Per customer: who acts, whether a person's time is needed, whether it is a control.

        Returns
        -------
        numpy.ndarray
            Boolean mask.
        """
        room = np.zeros(len(by_person), dtype=bool)
        room[order] = True
        if self.per_week is None and not self.quotas:
            return room
        asked = order[by_person[order]]
        room[asked] = False
        left = np.inf if self.per_week is None else self.per_week
        # Two positions may stand for one name, as where a column names who has a playbook, too.
        quota = {who: self.quotas.get(who, np.inf) for who in owner.words}
        told = (values.tolist() for values in (asked, owner.code[asked], held[asked]))
        for at, k, is_held in zip(*told, strict=True):
            who = owner.words[k]
            if left <= 0:
                break
            room[at] = quota[who] > 0
            if room[at] and not is_held:
                left -= 1
                quota[who] -= 1
        return room
