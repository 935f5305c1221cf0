"""Keyed pseudonyms: what customers are called in place of their ids, and the key that makes them.

A pseudonym is the first half of an HMAC-SHA256 of the id. Whoever has the key can make the
pseudonym of an id; nobody can make the id of a pseudonym, but by trying the ids there are, for
which the key is needed, too. Two keys make names that have nothing in common.
"""

from __future__ import annotations

import hmac
import os
import re
import stat
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from churnkit.errors import ConfigError

KEY_VARIABLE = "CHURNKIT_PSEUDONYM_KEY"
"""The environment variable that holds the key."""

PREFIX = "ps_"
"""How every pseudonym begins; so no spreadsheet takes one for a number."""

LEAST_BYTES = 32
"""A shorter key is refused: it could be guessed."""

FINGERPRINT = "pseudonyms"
"""Under this name published runs and models tell the fingerprint of the key, if there was one."""

_DIGITS = 32
_MOST_BYTES = 4_096  # what is longer is some other file
_LEAST_DISTINCT = 8
_BLOCK = 64  # bytes that SHA-256 takes at a time
_SHAPE = re.compile(rf"{PREFIX}[0-9a-f]{{{_DIGITS}}}")
_MAKE_ONE = 'python -c "import secrets; print(secrets.token_hex(32))" makes one.'


def is_pseudonym(text: str) -> bool:
    """Whether a text looks like a pseudonym.

    >>> is_pseudonym("ps_0123456789abcdef0123456789abcdef"), is_pseudonym("ps_12748")
    (True, False)
    """
    return _SHAPE.fullmatch(text) is not None


class Pseudonyms:
    """Names customers by a key.

    They hold 128 bits: among a billion customers two are called the same with a probability of
    less than 1 in 10²⁰.

    Parameters
    ----------
    key
        At least `LEAST_BYTES` bytes that nobody can guess. It shows in no text of this object.

    Raises
    ------
    ConfigError
        If the key is too short, or repeats a few characters.

    Examples
    --------
    >>> names = Pseudonyms(b"a key only for this example, 1234")
    >>> names.of("12748")
    'ps_04a70c8be264455e7e01cf80b06560df'
    >>> names
    Pseudonyms(key 8a748ad339cf)
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < LEAST_BYTES or len(set(key)) < _LEAST_DISTINCT:
            raise ConfigError(
                f"the key of the pseudonyms is too weak: it has {len(key)} bytes, "
                f"{len(set(key))} of them different",
                f"Take at least {LEAST_BYTES} that nobody can guess. {_MAKE_ONE}",
            )
        self._key = key

    def of(self, customer: str) -> str:
        """The pseudonym of an id, as reading makes it of what the log has.

        >>> Pseudonyms(b"a key only for this example, 1234").of("").startswith(PREFIX)
        True
        """
        return PREFIX + hmac.digest(self._key, customer.encode(), "sha256").hex()[:_DIGITS]

    @property
    def fingerprint(self) -> str:
        """What tells this key from others and tells nothing of it: 12 hexadecimal digits."""
        # No id holds the sign U+0000, so that this is the pseudonym of nobody.
        return hmac.digest(self._key, b"\0which key is it", "sha256").hex()[:12]

    @property
    def pads(self) -> tuple[bytes, bytes]:
        """The inner and the outer block of HMAC (RFC 2104), as secret as the key itself."""
        key = sha256(self._key).digest() if len(self._key) > _BLOCK else self._key
        block = key.ljust(_BLOCK, b"\0")
        return bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pseudonyms) and hmac.compare_digest(self._key, other._key)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"Pseudonyms(key {self.fingerprint})"


def key_there(file: Path | None, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a key is at hand: in the environment, or in a file that is there."""
    return bool(environment.get(KEY_VARIABLE)) or (file is not None and file.exists())


def read_pseudonyms(
    file: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Pseudonyms:
    """The pseudonyms by the key of the environment, or else of a file; blanks around it are none.

    Parameters
    ----------
    file
        A file that others may not read, and nobody but its owner may write.
    environment
        Where `KEY_VARIABLE` is looked up.

    Raises
    ------
    ConfigError
        If there is no key, or two that differ; if the file cannot be read, is open to others or is
        no key; or if the key is too weak. None of the messages holds it.
    """
    told = environment.get(KEY_VARIABLE, "").strip().encode()
    kept = b"" if file is None or (told and not file.exists()) else _key_of(file)
    if not told and not kept:
        raise ConfigError(
            "customers are to be called by pseudonyms, and there is no key for them",
            f"Put it into the environment as {KEY_VARIABLE}, or name a file with key_file in "
            f"[privacy]. {_MAKE_ONE}",
        )
    if told and kept and not hmac.compare_digest(told, kept):
        raise ConfigError(
            f"{KEY_VARIABLE} and {file} hold two different keys", "Take one of them away."
        )
    return Pseudonyms(told or kept)


def require_same(kept: str | None, names: Pseudonyms | None, where: str) -> None:
    """Refuse to call customers otherwise than what was kept does: all would be strangers to it.

    Parameters
    ----------
    kept
        Fingerprint of the key by which it calls them, empty if by their ids; ``None`` where nothing
        is kept yet.
    names
        What they are called now.
    where
        How messages call what was kept.

    Raises
    ------
    ConfigError
        If the two differ.
    """
    now = "" if names is None else names.fingerprint
    if kept is None or kept == now:
        return
    if kept and now:
        raise ConfigError(
            f"{where} calls customers by the key {kept}, and the key at hand is {now}",
            "Give the key that it was kept with. For a new key, begin with new folders of scores "
            "and ledger in [output].",
        )
    was, is_now = ("pseudonyms", "ids") if kept else ("ids", "pseudonyms")
    raise ConfigError(
        f"{where} calls customers by {was}, and [privacy] asks for {is_now}",
        f"Set pseudonymise = {'true' if kept else 'false'} again, or begin with new folders of "
        "scores and ledger in [output]; the old ones stay as they are.",
    )


def _key_of(file: Path) -> bytes:
    try:
        mode = file.stat().st_mode
        with file.open("rb") as open_file:
            content = open_file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"the key of the pseudonyms cannot be read from {file} ({error.strerror})",
            f"Check key_file in [privacy], or set {KEY_VARIABLE}.",
        ) from error
    # A group may read: that is how orchestrators hand a secret to a user that is not root.
    if os.name == "posix" and mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ConfigError(
            f"{file} holds the key of the pseudonyms, and others may use it "
            f"(mode {stat.S_IMODE(mode):04o})",
            f"Close it: chmod 600 {file}. Whoever had it may know it: think of a new key.",
        )
    if len(content) > _MOST_BYTES:
        raise ConfigError(
            f"{file} is too long for a key of pseudonyms", "Check key_file in [privacy]."
        )
    if not content.strip():
        raise ConfigError(f"{file} is empty: it should hold the key of the pseudonyms", _MAKE_ONE)
    return content.strip()
