"""Where models are logged, numbered and named: MLflow, which nothing else imports."""

from churnkit.registry.record import SHOWN, Measured, Record, read, record_of
from churnkit.registry.registry import CHALLENGER, CHAMPION, Registry, Version

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "SHOWN",
    "Measured",
    "Record",
    "Registry",
    "Version",
    "read",
    "record_of",
]
