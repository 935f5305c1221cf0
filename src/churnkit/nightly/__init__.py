"""The night: steps that go on where they stopped, what they tell others, and what they decide."""

from churnkit.nightly.alone import alone
from churnkit.nightly.decisions import Decisions, RetrainRule, retrain_rule, waiting_until
from churnkit.nightly.journal import Journal
from churnkit.nightly.lines import JsonLines
from churnkit.nightly.notices import checked_address, metrics_text, ping
from churnkit.nightly.steps import Made, Night, Ran, Step, Tell, run_night

__all__ = [
    "Decisions",
    "Journal",
    "JsonLines",
    "Made",
    "Night",
    "Ran",
    "RetrainRule",
    "Step",
    "Tell",
    "alone",
    "checked_address",
    "metrics_text",
    "ping",
    "retrain_rule",
    "run_night",
    "waiting_until",
]
