"""Commands as users give them, in this process."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner, Result

from churnkit.cli import app


def run(*arguments: str) -> Result:
    """What a command does; only what it cannot mean to raise comes out of it."""
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def told(*arguments: str) -> Any:
    """The JSON document that a command prints."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)
