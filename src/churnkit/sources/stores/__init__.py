"""Tables and queries of SQL stores as logs: PostgreSQL, and all that SQLAlchemy reaches."""

from churnkit.sources.stores.source import SqlSource

__all__ = ["SqlSource"]
