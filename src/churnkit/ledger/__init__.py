"""The ledger: everything that was ever said of whom, and done about it, in one place to ask."""

from churnkit.ledger.ledger import CaughtUp, Ledger
from churnkit.ledger.tables import FORMAT

__all__ = ["FORMAT", "CaughtUp", "Ledger"]
