"""Playbooks: for which customers what is done, how, by whom and within which time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from churnkit.actions.calls import CHANNELS
from churnkit.actions.due import Within
from churnkit.actions.tiers import TIERS
from churnkit.errors import ConfigError, did_you_mean
from churnkit.logs import Texts

ACTED_ON = ("red", "yellow")
"""Colours that get an action; green customers are left alone."""

NOBODY = -1
"""Position of the playbook of those who have none."""


@dataclass(frozen=True)
class Playbook:
    """What is done for customers of a kind. What names no value takes them all.

    Attributes
    ----------
    name
        How it is called in every table.
    action
        What is done, in words.
    channel
        One of `churnkit.actions.calls.CHANNELS`.
    due
        Within which time, such as ``"4 working hours"``; see `churnkit.actions.due.Within`.
    light, reason, tier, segment
        Colours, reason groups, tiers of the value at risk and segments it is for.
    owner
        Who does it: a person or a team, or ``"{column}"`` for a static column of the customers
        that names them. Without one, the owner of `churnkit.actions.calls.Calls`.
    holdout
        Whether customers may be held out as controls.

    Raises
    ------
    ConfigError
        If a text is empty, a colour, tier or channel is unknown, or a value stands twice.
    """

    name: str
    action: str
    channel: str
    due: str
    light: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    tier: tuple[str, ...] = ()
    segment: tuple[str, ...] = ()
    owner: str = ""
    holdout: bool = True

    def __post_init__(self) -> None:
        for key in ("name", "action"):
            if not getattr(self, key).strip():
                raise ConfigError(f"{key} of {self} is empty", "Write a few words.")
        if "green" in self.light:
            raise ConfigError(
                f"{self} is for green customers, who are left alone",
                "Take green out of light; a rule in [lights] can lift those who need somebody.",
            )
        for key, values, known in (
            ("light", self.light, ACTED_ON),
            ("tier", self.tier, TIERS),
            ("channel", (self.channel,), tuple(CHANNELS)),
        ):
            self._require_known(key, values, known)
        for key in ("light", "reason", "tier", "segment"):
            self._require_once(key, getattr(self, key))
        self._require_owner()
        self.within  # noqa: B018 - a time that is none is told here

    def __str__(self) -> str:
        return f"the playbook {self.name!r}"

    @property
    def within(self) -> Within:
        """The time there is."""
        try:
            return Within.parse(self.due)
        except ConfigError as error:
            raise ConfigError(f"{self}: {error.found}", error.mend) from error

    @property
    def column(self) -> str:
        """The static column that names the owner; empty where the owner is named outright."""
        return self.owner[1:-1] if self.owner.startswith("{") else ""

    def require_reasons(self, known: Collection[str]) -> None:
        """Refuse reasons that no customer can have.

        Raises
        ------
        ConfigError
            If one is not among the known.
        """
        self._require_known("reason", self.reason, sorted(known))

    def _require_known(self, key: str, values: Sequence[str], known: Sequence[str]) -> None:
        for value in values:
            if value not in known:
                raise ConfigError(
                    f"{self} names a {key} that does not exist: {value!r}",
                    f"{did_you_mean(value, known)}Known are {', '.join(known)}.",
                )

    def _require_once(self, key: str, values: Sequence[str]) -> None:
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            raise ConfigError(f"{twice[0]!r} stands twice in {key} of {self}", "Keep one.")

    def _require_owner(self) -> None:
        if ("{" in self.owner or "}" in self.owner) and (
            self.owner[0] + self.owner[-1] != "{}"
            or not self.column.strip()
            or set(self.column) & {"{", "}"}
        ):
            raise ConfigError(
                f"owner = {self.owner!r} of {self} is neither a name nor a column",
                'Write owner = "anna", or owner = "{account_manager}" for a static column.',
            )


SHIPPED = (
    Playbook(
        "open_complaint", "call and settle the complaint", "call", "4 working hours",
        reason=("open_complaint",), owner="service", holdout=False,
    ),
    Playbook(
        "failed_payment", "payment reminder with another way to pay", "mail", "1 working day",
        reason=("failed_payment",), owner="billing",
    ),
    Playbook(
        "renewal_due", "success call before the renewal", "call", "2 working days",
        reason=("renewal_due",), owner="customer success",
    ),
    Playbook(
        "unresolved_ticket", "call back until the ticket is solved", "call", "1 working day",
        reason=("unresolved_ticket",), owner="service", holdout=False,
    ),
    Playbook(
        "unhappy_answer", "call and ask what went wrong", "call", "2 working days",
        reason=("detractor", "low_ease"), owner="service lead",
    ),
    Playbook(
        "silent_new_buyer", "onboarding mail", "mail", "2 working days",
        reason=("tenure", "early life"), tier=("middle", "low", "unknown"), owner="marketing",
    ),
    Playbook(
        "valuable_overdue", "personal offer", "call", "2 working days",
        reason=("own_interval", "rhythm"), tier=("high",), owner="account owner",
    ),
    Playbook(
        "red_high", "personal call", "call", "1 working day",
        light=("red",), tier=("high",), owner="account owner",
    ),
    Playbook(
        "red_middle", "call", "call", "3 working days",
        light=("red",), tier=("middle", "unknown"),
    ),
    Playbook(
        "red_low", "win-back mail", "mail", "3 working days",
        light=("red",), owner="marketing",
    ),
    Playbook(
        "yellow_high", "mail with an offer", "mail", "3 working days",
        light=("yellow",), tier=("high",), owner="marketing",
    ),
    Playbook(
        "yellow_rest", "reactivation mail", "mail", "5 working days",
        light=("yellow",), owner="marketing",
    ),
)  # fmt: skip
"""The shipped playbooks, what is most urgent first; docs/actions.md tells why."""

SHIPPED_REASONS = tuple(sorted({reason for playbook in SHIPPED for reason in playbook.reason}))
"""The reason groups that the shipped playbooks name."""


@dataclass(frozen=True)
class Playbooks:
    """Playbooks in order: the first that takes a customer holds.

    Attributes
    ----------
    entries
        The playbooks.

    Raises
    ------
    ConfigError
        If two have one name, one can never be reached, or a red or yellow customer has none.
    """

    entries: tuple[Playbook, ...] = SHIPPED

    def __post_init__(self) -> None:
        names = [playbook.name for playbook in self.entries]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"two playbooks are called {name!r}", "Rename one.")
        cube = _Cube(self.entries)
        for playbook in self.entries:
            before = cube.claim(playbook)
            if before:
                raise ConfigError(
                    f"{playbook} can never be reached: {_listed(before)} before it "
                    f"{'takes' if len(before) == 1 else 'take'} all its customers",
                    "Move it up, name fewer customers in the ones before it, or remove it.",
                )
        hole = cube.hole()
        if hole:
            raise ConfigError(
                f"there is no playbook for customers of {hole}",
                "Add one last in [[playbooks]] that names neither light, reason, tier nor "
                "segment, or leave shipped_playbooks = true in [calls].",
            )

    @classmethod
    def of(
        cls, own: Iterable[Playbook], known_reasons: Collection[str], *, shipped: bool = True
    ) -> Playbooks:
        """One's own playbooks, and after them the shipped ones.

        Shipped ones give way: to one's own of the same name, and where one's own take all
        their customers.

        Parameters
        ----------
        own
            One's own playbooks in order.
        known_reasons
            Reason groups that customers can have, besides those of the shipped playbooks.
        shipped
            Whether the shipped ones follow.

        Raises
        ------
        ConfigError
            As the class, and if a reason is not known.
        """
        first = tuple(own)
        for playbook in first:
            playbook.require_reasons({*known_reasons, *SHIPPED_REASONS})
        if not shipped:
            return cls(first)
        names = {playbook.name for playbook in first}
        rest = tuple(playbook for playbook in SHIPPED if playbook.name not in names)
        cube = _Cube((*first, *rest))
        for playbook in first:
            cube.claim(playbook)
        return cls((*first, *(playbook for playbook in rest if not cube.claim(playbook))))

    @property
    def columns(self) -> tuple[str, ...]:
        """Static columns of the customers that name owners, sorted."""
        return tuple(sorted({playbook.column for playbook in self.entries} - {""}))

    def of_texts(self, *columns: Texts) -> np.ndarray:
        """Position of the playbook of each customer; `NOBODY` for green ones.

        Parameters
        ----------
        *columns
            Light, reason, tier and segment of each; a missing text is an empty one.
        """
        shape = [len(texts.words) + 1 for texts in columns]  # one more, for the missing text
        codes = [np.where(t.code < 0, len(t.words), t.code).astype(np.int64) for t in columns]
        cells, cell_of = np.unique(np.ravel_multi_index(codes, shape), return_inverse=True)
        places = zip(*(at.tolist() for at in np.unravel_index(cells, shape)), strict=True)
        vocabularies = [(*texts.words, "") for texts in columns]
        found = [
            self._first_taking(tuple(v[k] for v, k in zip(vocabularies, place, strict=True)))
            for place in places
        ]
        return np.array(found, dtype=np.int16)[cell_of]

    def _first_taking(self, told: tuple[str, ...]) -> int:
        return next(self._taking(told)) if told[0] in ACTED_ON else NOBODY

    def _taking(self, told: tuple[str, ...]) -> Iterator[int]:
        for at, playbook in enumerate(self.entries):
            wanted = zip(_wanted(playbook), told, strict=True)
            if all(not some or value in some for some, value in wanted):
                yield at


class _Cube:
    """Every combination of colour, reason, tier and segment, and which playbook holds it.

    Reasons and segments are those that playbooks name; ``None`` stands for all others.
    """

    def __init__(self, playbooks: Sequence[Playbook]) -> None:
        reasons = sorted({reason for playbook in playbooks for reason in playbook.reason})
        segments = sorted({segment for playbook in playbooks for segment in playbook.segment})
        self._axes = (ACTED_ON, (*reasons, None), TIERS, (*segments, None))
        self._holder = np.full([len(axis) for axis in self._axes], NOBODY)
        self._claimed: list[Playbook] = []

    def claim(self, playbook: Playbook) -> tuple[Playbook, ...]:
        """Give a playbook the free ones of its cells; if none is free, tell who holds them."""
        cells = np.ix_(*map(_positions, self._axes, _wanted(playbook)))
        holders = self._holder[cells]
        if (holders != NOBODY).all():
            return tuple(self._claimed[at] for at in np.unique(holders))
        self._holder[cells] = np.where(holders == NOBODY, len(self._claimed), holders)
        self._claimed.append(playbook)
        return ()

    def hole(self) -> str:
        """The first combination that no playbook holds, in words; empty if there is none."""
        free = np.argwhere(self._holder == NOBODY)
        if not len(free):
            return ""
        told = zip(("light", "reason", "tier", "segment"), self._axes, free[0], strict=True)
        return ", ".join(
            f"any other {key}" if axis[at] is None else f"{key} {axis[at]!r}"
            for key, axis, at in told
            if len(axis) > 1  # on which playbooks look at all
        )


def _positions(axis: Sequence[str | None], wanted: Sequence[str]) -> list[int]:
    return [at for at, value in enumerate(axis) if not wanted or value in wanted]


def _wanted(playbook: Playbook) -> tuple[tuple[str, ...], ...]:
    return playbook.light, playbook.reason, playbook.tier, playbook.segment


def _listed(playbooks: Sequence[Playbook]) -> str:
    named = [repr(playbook.name) for playbook in playbooks]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
