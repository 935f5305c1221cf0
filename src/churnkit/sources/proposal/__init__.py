"""How a source seems to be read: which column is which, by its name and by what it holds."""

from churnkit.sources.proposal.propose import Proposal, propose

__all__ = ["Proposal", "propose"]
