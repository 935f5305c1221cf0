"""Well-known public logs: what they are, and how they come onto this machine, verified."""

from churnkit.fetch.catalogue import CATALOGUE, Fingerprint, PublicSet, public_set
from churnkit.fetch.download import Patience
from churnkit.fetch.place import Fetched, fetch_set

__all__ = [
    "CATALOGUE",
    "Fetched",
    "Fingerprint",
    "Patience",
    "PublicSet",
    "fetch_set",
    "public_set",
]
