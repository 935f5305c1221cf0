"""Which customers are about to leave, why, and whom to call first."""

__version__ = "0.1.0.dev0"
