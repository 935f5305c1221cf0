"""Ready files for what starts a program every night: cron, systemd, Airflow and others."""

from churnkit.schedule.files import TARGETS, Scheduled, write_files
from churnkit.schedule.nightly_job import NightlyJob, executable_here, executable_named

__all__ = [
    "TARGETS",
    "NightlyJob",
    "Scheduled",
    "executable_here",
    "executable_named",
    "write_files",
]
