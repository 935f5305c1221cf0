"""Manual overrides: a person's word over the light, with an owner, a reason and an end.

They lie in a file of JSON lines to which entries are only ever added, so that it tells who set
what, when, from which colour to which; none is taken out but those of customers who are forgotten.
Nothing but a person's command writes to it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from churnkit.atomic import made_folder, whole_file
from churnkit.clock import Cutoff, has_come
from churnkit.errors import ConfigError, DataError
from churnkit.lights.colours import LIGHTS, SHAPES
from churnkit.mentions import Mentions

FILE_NAME = "overrides.jsonl"
_LONGEST_TEXT = 500


@dataclass(frozen=True)
class Override:
    """One entry of the file.

    Attributes
    ----------
    customer
        Id of the customer.
    day
        The day on which it was set or cleared; it holds from the start of that day on.
    light
        The colour that it gives; empty where it takes an earlier one back.
    before
        The light that the customer had when it was set; empty if it had none.
    until
        The first day on which it no longer holds; empty where it takes one back.
    owner, reason
        Who answers for it, and why.
    """

    customer: str
    day: str
    light: str
    before: str
    until: str
    owner: str
    reason: str

    @property
    def says(self) -> str:
        """The override as a reason that people read."""
        return f"set to {self.light} by {self.owner} until {self.until}: {self.reason}"

    def holds(self, at: Cutoff) -> bool:
        """Whether it gives a colour at a cutoff."""
        if not self.light:
            return False
        begun = has_come(Cutoff.parse(self.day, at.zone), at)
        return begun and not has_come(Cutoff.parse(self.until, at.zone), at)


@dataclass(frozen=True)
class Overrides:
    """All entries, in the order in which they were written."""

    entries: tuple[Override, ...] = ()

    def at(self, cutoff: Cutoff) -> dict[str, Override]:
        """Customer → the override that holds at a cutoff.

        Of several that were set by then the last one counts; one that was taken back, or is over,
        gives no colour, and none before it does again.
        """
        latest: dict[str, Override] = {}
        for entry in self.entries:
            if has_come(Cutoff.parse(entry.day, cutoff.zone), cutoff):
                latest[entry.customer] = entry
        return {name: entry for name, entry in latest.items() if entry.holds(cutoff)}

    def told(self, cutoff: Cutoff) -> list[dict[str, Any]]:
        """Those that hold at a cutoff as JSON-ready values, by customer."""
        held = self.at(cutoff)
        return [asdict(held[name]) for name in sorted(held)]


def read_overrides(folder: Path) -> Overrides:
    """The overrides of a folder; none where there is no file.

    Raises
    ------
    DataError
        If a line of the file cannot be read; none is skipped, since one may take another back.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return Overrides()
    entries = []
    for number, line in enumerate(_lines(path), 1):
        try:
            entry = Override(**json.loads(line))
            if entry.light and entry.light not in LIGHTS:
                raise ValueError(f"{entry.light!r} is no light")
            Cutoff.parse(entry.day)
            if entry.light:
                Cutoff.parse(entry.until)
        except (ValueError, TypeError, ConfigError) as error:
            raise DataError(
                f"{path}, line {number} is no override ({error})",
                "Mend the line, or restore the file from a copy; churnkit only ever adds lines.",
            ) from error
        entries.append(entry)
    return Overrides(tuple(entries))


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read ({error})", "Restore the file from a copy."
        ) from error
    # Not `splitlines`: a reason may hold separators such as U+2028, which JSON leaves as they are.
    return text.removesuffix("\n").split("\n") if text else []


def set_override(
    folder: Path,
    customer: str,
    light: str,
    day: Cutoff,
    until: Cutoff,
    owner: str,
    reason: str,
    before: str = "",
) -> Override:
    """Give a customer a light until a day.

    Parameters
    ----------
    folder
        Where the file lies; made when missing.
    customer
        Its id, as it stands in the scores.
    light
        The colour.
    day, until
        When it begins, and the first day on which it no longer holds.
    owner, reason
        Who answers for it, and why; neither may be empty.
    before
        The light it had.

    Raises
    ------
    ConfigError
        If the light is none, the end is not after the beginning, or owner or reason is empty.
    """
    if light not in LIGHTS:
        raise ConfigError(f"{light!r} is no light", f"Use one of {', '.join(SHAPES)}.")
    if has_come(until, day):
        raise ConfigError(
            f"the override would end on {until}, and begin on {day}: it would never hold",
            "Give a later day to --until.",
        )
    return _added(folder, Override(customer, str(day), light, before, str(until), owner, reason))


def clear_override(folder: Path, customer: str, day: Cutoff, owner: str, reason: str) -> Override:
    """Take the override of a customer back from a day on.

    Raises
    ------
    ConfigError
        If none holds on that day, or owner or reason is empty.
    """
    held = read_overrides(folder).at(day)
    if customer not in held:
        raise ConfigError(
            f"no override of customer {customer!r} holds on {day}",
            "churnkit lights list shows those that do.",
        )
    return _added(folder, Override(customer, str(day), "", held[customer].light, "", owner, reason))


def _added(folder: Path, entry: Override) -> Override:
    for name, text in (("id of a customer", entry.customer), ("owner", entry.owner),
                       ("reason", entry.reason)):  # fmt: skip
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ConfigError(f"the {name} {text!r} is no text", "Write it in UTF-8.")
    for name, text in (("owner", entry.owner), ("reason", entry.reason)):
        if not text.strip() or len(text) > _LONGEST_TEXT:
            raise ConfigError(
                f"an override needs {'an' if name == 'owner' else 'a'} {name} of at most "
                f"{_LONGEST_TEXT} characters",
                f"Name it with --{name}.",
            )
    _append(folder, [entry])
    return entry


def lines_of(folder: Path, mentions: Mentions) -> Counter[str]:
    """Customer → entries, of those who are sought.

    Raises
    ------
    DataError
        If a line of the file cannot be read.
    """
    entries = read_overrides(folder).entries
    return Counter(entry.customer for entry in entries if entry.customer in mentions)


def forget_overrides(folder: Path, mentions: Mentions) -> None:
    """Take the entries of some customers out, and their names out of what is said of others.

    Raises
    ------
    DataError
        If a line of the file cannot be read.
    ConfigError
        If the folder cannot be written to.
    """
    with _changing(folder) as path:
        known = read_overrides(folder).entries
        told = [mentions.pruned(asdict(e)) for e in known if e.customer not in mentions]
        if told != [asdict(entry) for entry in known]:
            with whole_file(path) as aside:
                lines = (json.dumps(entry, ensure_ascii=False) for entry in told)
                aside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _append(folder: Path, entries: Sequence[Override]) -> None:
    """Add lines."""
    read_overrides(folder)  # a broken file is not added to
    with _changing(folder) as path, whole_file(path) as aside:
        known = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = [json.dumps(asdict(entry), ensure_ascii=False) for entry in entries]
        aside.write_text(known + "".join(f"{line}\n" for line in lines), encoding="utf-8")


@contextmanager
def _changing(folder: Path) -> Iterator[Path]:
    """The file, under a lock, so that of two who change it at once neither is lost."""
    from filelock import FileLock

    with FileLock(made_folder(folder) / ".overrides.lock"):
        yield folder / FILE_NAME
