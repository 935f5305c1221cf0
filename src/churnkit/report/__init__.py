"""A run, told once as a summary and shown as one self-contained HTML page."""

from churnkit.report.page import render, write_report
from churnkit.report.summary import check_dict, completed, model_rows, summarise

__all__ = ["check_dict", "completed", "model_rows", "render", "summarise", "write_report"]
