"""A run, told once as a summary and shown as one self-contained HTML page."""

from churnkit.report.page import render, write_report
from churnkit.report.summary import check_dict, completed, model_rows, summarise, summary_of

__all__ = [
    "check_dict",
    "completed",
    "model_rows",
    "render",
    "summarise",
    "summary_of",
    "write_report",
]
