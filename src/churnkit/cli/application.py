"""The application: its groups of commands, the options they share, and how faults are told."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from churnkit import __version__
from churnkit.cli.panels import ORDER, panel_of
from churnkit.cli.values import published_days
from churnkit.errors import ChurnkitError, NothingToDo, OldFormat

_INTERRUPTED = "Query interrupted"  # what the engine makes of Ctrl-C while it works


class _Group(TyperGroup):
    """Turns the faults of churnkit into one message and their exit code; groups the help."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        found = super().get_command(ctx, cmd_name)
        if found is not None and panel_of(cmd_name) is not None:
            found.rich_help_panel = panel_of(cmd_name)  # type: ignore[attr-defined]
        return found

    def invoke(self, ctx: Any) -> Any:
        try:
            with _old_formats_told():
                return super().invoke(ctx)
        except ChurnkitError as error:
            from churnkit.terminal.console import printable

            word = "Note" if isinstance(error, NothingToDo) else "Error"
            typer.echo(f"{word}: {printable(str(error))}", err=True)
            raise typer.Exit(error.exit_code) from error
        except RuntimeError as error:
            if str(error) != _INTERRUPTED:
                raise
            raise KeyboardInterrupt from error


@contextmanager
def _old_formats_told() -> Iterator[None]:
    """Tell what an older churnkit wrote as a warning to people, not to programmers."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", OldFormat)
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, OldFormat):
                typer.echo(f"Warning: {message}", err=True)
            else:
                others(message, category, *where, **more)

        warnings.showwarning = show
        yield


app = typer.Typer(
    cls=_Group,
    invoke_without_command=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Which customers are about to leave, why, and whom to call first.\n\n"
    "The way: **init** → **check** → **train** → **score**. Or look first: **demo**.\n\n"
    "Exit codes: 0 done, 1 unexpected, 2 usage or configuration, 3 the data break their "
    "contract, 4 a quality gate refused, 5 the model bundle is not what it claims, 75 another run "
    "holds the lock, 99 nothing to do.",
)

features = typer.Typer(no_args_is_help=True, help="Show the features, or write their table.")
app.add_typer(features, name="features")
models = typer.Typer(invoke_without_command=True)
app.add_typer(models, name="models")
lights = typer.Typer(no_args_is_help=True, help="Override lights, and try other policies.")
app.add_typer(lights, name="lights")
outcomes = typer.Typer(no_args_is_help=True, help="Record what was done, and see if it helped.")
app.add_typer(outcomes, name="outcomes")

Config = Annotated[
    Path, typer.Option("--config", help="The settings of the project.", show_default=True)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]
Language = Annotated[
    str | None,
    typer.Option(
        "--language", metavar="CODE", help="Language of the page; by default that of [output]."
    ),
]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of",
        metavar="DATE",
        help="The start of this day; events before it count.",
        autocompletion=published_days,
    ),
]
TOML = Path("churnkit.toml")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"churnkit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - told by its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="The version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        from churnkit.standing import standing
        from churnkit.terminal.overview import show_overview

        show_overview(standing(TOML))
