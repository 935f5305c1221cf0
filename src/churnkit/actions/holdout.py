"""Who is left alone on purpose, so that it shows what acting does: a stable share by keyed hash.

A customer's place is the HMAC-SHA256 (RFC 2104) of campaign and customer under a key, read as a
number in [0, 1). Whoever lies below the share is a control: whatever the run, the row order and
the other customers, and independently of other campaigns. Raising the share keeps the controls
and adds others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np

from churnkit.errors import ConfigError
from churnkit.sources.stores.address import secret

TREATED, CONTROL = "treated", "control"

_MOST = 0.5
_BLOCK = 64  # bytes that SHA-256 takes at once
_NAME = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Holdout:
    """The share of customers who get no action, so that acting is measured.

    Attributes
    ----------
    share
        Share of the treatable customers held out, in [0, 0.5]; 0 holds out nobody.
    campaign
        Name of the campaign: within one, a customer stays in or out.
    key
        Text under which customers are drawn, or ``${NAME}`` for an environment variable NAME or
        the content of the file NAME_FILE. Without one it is made from the campaign: then everybody
        who knows the campaign's name can tell who is a control.

    Raises
    ------
    ConfigError
        If the share lies outside, or the campaign has no name.
    """

    share: float = 0.1
    campaign: str = "retention"
    key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        _require_share(self.share)
        if not self.campaign.strip():
            raise ConfigError("campaign in [holdout] is empty", 'Name one: campaign = "spring".')

    def arms(self, customer_ids: Iterable[str]) -> np.ndarray:
        """``treated`` or ``control`` for each customer.

        Raises
        ------
        ConfigError
            If the key is ``${NAME}``, and neither NAME nor NAME_FILE is set.
        """
        key = self._filled() or f"churnkit holdout of {self.campaign}"
        return arm(customer_ids, self.campaign, self.share, key)

    @property
    def filled(self) -> Holdout:
        """The same with the key itself, for machines that have neither variable nor file.

        Raises
        ------
        ConfigError
            As `arms`.
        """
        return replace(self, key=self._filled())

    def _filled(self) -> str:
        match = _NAME.fullmatch(self.key)
        if match is None:
            return self.key
        try:
            return secret(match[1])
        except ConfigError as error:
            raise ConfigError(
                f"key in [holdout] is {self.key}: it cannot be read", error.mend
            ) from error


def arm(customer_ids: Iterable[str], campaign: str, share: float, key: str) -> np.ndarray:
    """Arm of each customer in a campaign.

    Parameters
    ----------
    customer_ids
        The customers, in any order.
    campaign
        Name of the campaign.
    share
        Share of controls, in [0, 0.5].
    key
        Text under which they are drawn.

    Returns
    -------
    numpy.ndarray
        ``"control"`` where the hash lies below the share, else ``"treated"``.

    Raises
    ------
    ConfigError
        If the share lies outside.
    """
    _require_share(share)
    below = int(share * 2**64).to_bytes(8)  # bytes are compared as the numbers they write
    # The length keeps "a" + "bc" from being "ab" + "c".
    digests = _digests(key.encode(), f"{len(campaign)}:{campaign}".encode(), customer_ids)
    held = np.array([digest[:8] < below for digest in digests], dtype=bool)
    return np.array([TREATED, CONTROL], dtype=object)[held.astype(np.intp)]


def _digests(key: bytes, before: bytes, texts: Iterable[str]) -> Iterator[bytes]:
    """HMAC-SHA256 of something and each text after it.

    As `hmac.digest` gives it, but the key is hashed once and not once for each of millions.
    """
    block = (key if len(key) <= _BLOCK else sha256(key).digest()).ljust(_BLOCK, b"\0")
    inner, outer = (sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
    inner.update(before)
    for text in texts:
        within, around = inner.copy(), outer.copy()
        within.update(str(text).encode())
        around.update(within.digest())
        yield around.digest()


def _require_share(share: float) -> None:
    if not 0 <= share <= _MOST:
        raise ConfigError(
            f"share = {share:g} in [holdout] is no share from 0 to {_MOST:g}",
            "Write 10 % as 0.1; more than half would leave few to act on.",
        )
