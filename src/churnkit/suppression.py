"""People who are to be left out of every run: salted hashes of what customers are called.

The hashes name nobody by themselves. Whoever has the salt, too, can find out whether an id that is
known anyway is among them, and nothing else; that is what each run does.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True)
class Suppression:
    """Who is left out.

    Attributes
    ----------
    salt
        64 hexadecimal digits, other ones for every project; so that lists of two projects cannot be
        compared, and no table that was made beforehand tells an id.
    hashes
        `hash_of` of each, in order of the hashes.
    """

    salt: str
    hashes: tuple[str, ...] = ()

    @classmethod
    def of_nobody(cls) -> Suppression:
        """An empty list with a salt of its own."""
        return cls(secrets.token_hex(32))

    def hash_of(self, customer: str) -> str:
        """The SHA-256 of salt and id, as 64 hexadecimal digits.

        >>> Suppression("00").hash_of("12748")[:12]
        '61d7b5206494'
        """
        return sha256((self.salt + customer).encode("utf-8", "surrogatepass")).hexdigest()

    def covers(self, customer: str) -> bool:
        """Whether a customer is left out."""
        return self.hash_of(customer) in self.hashes

    def with_hashes(self, *more: str) -> Suppression:
        """The list with some more on it."""
        return Suppression(self.salt, tuple(sorted({*self.hashes, *more})))
