"""The command line: parse, call the library, print. Heavy imports stay inside the commands."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from churnkit import __version__
from churnkit.errors import ChurnkitError


class _Group(TyperGroup):
    """Turns the faults of churnkit into one message and their exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ChurnkitError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(error.exit_code) from error
        except RuntimeError as error:
            if str(error) != _INTERRUPTED:
                raise
            raise KeyboardInterrupt from error


class ChurnChoice(StrEnum):
    """The definitions of churn."""

    no_purchase = "no_purchase"
    no_activity = "no_activity"


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Which customers are about to leave, why, and whom to call first.\n\n"
    "The way: **init** → **check** → **train** → **score**. Or look first: **demo**.\n\n"
    "Exit codes: 0 done, 1 unexpected, 2 usage or configuration, 3 the data break their "
    "contract, 4 a quality gate refused, 5 the model bundle is not what it claims.",
)

features = typer.Typer(no_args_is_help=True, help="Show the features, or write their table.")
app.add_typer(features, name="features")

Config = Annotated[
    Path, typer.Option("--config", help="The settings of the project.", show_default=True)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]
AsOf = Annotated[
    str,
    typer.Option("--as-of", metavar="DATE", help="The start of this day; events before it count."),
]
_TOML = Path("churnkit.toml")
_CUTOFFS = 12  # a year of months
_INTERRUPTED = "Query interrupted"  # what the engine makes of Ctrl-C while it works


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"churnkit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="The version.")
    ] = False,
) -> None: ...


@app.command(epilog="Example: `churnkit init --purchases orders.csv --horizon 60`")
def init(
    purchases: Annotated[
        str | None, typer.Option(metavar="FILE", help="Orders, invoices or line items.")
    ] = None,
    activity: Annotated[
        str | None, typer.Option(metavar="FILE", help="Visits, tickets, payments …")
    ] = None,
    surveys: Annotated[
        str | None, typer.Option(metavar="FILE", help="NPS, CES, CSAT answers.")
    ] = None,
    customers: Annotated[
        str | None, typer.Option(metavar="FILE", help="One row a customer.")
    ] = None,
    churn: Annotated[
        ChurnChoice, typer.Option(help="What counts as churn.")
    ] = ChurnChoice.no_purchase,
    horizon: Annotated[
        int, typer.Option(min=1, max=3650, help="Days without a sign of life.")
    ] = 90,
    lookback: Annotated[
        int, typer.Option(min=1, max=3650, help="Days in which a customer was alive.")
    ] = 180,
    timezone: Annotated[str, typer.Option(help="Business time zone.")] = "UTC",
    config: Config = _TOML,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Json = False,
) -> None:
    """Look at your logs, propose how to read them, and write churnkit.toml.

    A FILE is CSV, Parquet, JSON lines or Excel, a pattern of files, a folder of Parquet files, or
    a table: `postgresql://reader@host/shop#orders`.
    """
    from churnkit import terminal
    from churnkit.scaffold import write_config
    from churnkit.sections import QuestionSection

    given = {
        "purchases": purchases,
        "activity": activity,
        "surveys": surveys,
        "customers": customers,
    }
    files = {log: path for log, path in given.items() if path is not None}
    question = QuestionSection(
        churn=churn.value, horizon_days=horizon, lookback_days=lookback, timezone=timezone
    )
    proposals = write_config(config, files, question, force=force)
    if as_json:
        terminal.print_json({"config": str(config), "logs": {p.log: p.told() for p in proposals}})
    else:
        terminal.show_proposals(config, [p.told() for p in proposals])


@app.command(epilog="Example: `churnkit check --html check.html`")
def check(
    html: Annotated[Path | None, typer.Option("--html", help="A page with all of it.")] = None,
    config: Config = _TOML,
    as_json: Json = False,
) -> None:
    """Check every log: rows set aside and why, what is odd, when, who, and what is too little."""
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project import check_project

    settings = load_settings(config)
    with terminal.progress() as progress:
        found = check_project(settings, html, progress)
    if as_json:
        terminal.print_json(found.summary)
    else:
        terminal.show_checkup(found.summary)
    found.require_clean()


@features.command("list", epilog="Example: `churnkit features list`")
def list_(config: Config = _TOML, as_json: Json = False) -> None:
    """Show every feature with its unit, windows, expected direction and meaning.

    With a churnkit.toml its windows and the features of its own file are shown, too.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project import list_features

    there = config.exists() or config != _TOML
    listed = list_features(load_settings(config) if there else None)
    if as_json:
        terminal.print_json({"features": listed})
    else:
        terminal.show_features(listed)


@features.command(epilog="Example: `churnkit features build --as-of 2011-09-10 --out f.parquet`")
def build(
    as_of: AsOf,
    out: Annotated[Path, typer.Option("--out", help="A .parquet or .csv file.")],
    every: Annotated[
        str | None,
        typer.Option(
            metavar="DAYS/week/month",
            help="How far apart several cutoffs are; a month by default.",
        ),
    ] = None,
    cutoffs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=180,
            help="So many cutoffs, the last one at --as-of; 12 if only --every is given, else 1.",
        ),
    ] = None,
    config: Config = _TOML,
    as_json: Json = False,
) -> None:
    """Write the feature table of every known customer, as it stood at one or several moments."""
    from churnkit import terminal
    from churnkit.clock import cutoffs_back_from, every_named
    from churnkit.config import load_settings
    from churnkit.project import build_project

    settings = load_settings(config)
    number = cutoffs or (1 if every is None else _CUTOFFS)
    asked = cutoffs_back_from(settings.cutoff(as_of), every_named(every or "month"), number)
    with terminal.progress() as progress:
        told = build_project(settings, asked, out, progress)
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_built(told)


@app.command(epilog="Example: `churnkit audit --customers 500`")
def audit(
    customers: Annotated[int, typer.Option(min=1, help="How many of them are looked at.")] = 200,
    cutoffs: Annotated[int, typer.Option(min=1, max=100, help="At how many moments.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sample and the trials.")] = 0,
    config: Config = _TOML,
    as_json: Json = False,
) -> None:
    """Prove on your own logs that no feature, built-in or your own, sees the future.

    The features of some customers are built again with the future dropped, changed and added to,
    and compared to the last bit. A feature that differs is named, with a customer that shows it.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project import audit_project

    settings = load_settings(config)
    with terminal.progress() as progress:
        found = audit_project(settings, customers, cutoffs, seed, progress)
    if as_json:
        terminal.print_json(found.told())
    else:
        terminal.show_audit(found.told())
    found.require_clean()


@app.command(epilog="Example: `churnkit train`")
def train(config: Config = _TOML, as_json: Json = False) -> None:
    """Train, test on later cutoffs beside plain rules, register, and make it champion."""
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project import train_project
    from churnkit.report import model_rows

    settings = load_settings(config)
    with terminal.progress() as progress:
        trained = train_project(settings, progress)
    if as_json:
        terminal.print_json(trained.summary)
    else:
        terminal.show_training(trained.summary, model_rows(trained.summary))
    trained.training.require_gates()


@app.command(epilog="Example: `churnkit score --as-of 2011-12-10 --out scores.csv`")
def score(
    as_of: AsOf,
    out: Annotated[Path | None, typer.Option("--out", help="A .parquet or .csv file.")] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="A bundle instead of the champion.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", help="The HTML report.")] = None,
    config: Config = _TOML,
    as_json: Json = False,
) -> None:
    """Score every customer at risk, assign lights, and write scores and report."""
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project import score_project

    settings = load_settings(config)
    with terminal.progress() as progress:
        told = score_project(settings, settings.cutoff(as_of), model, out, report, progress)
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_scores(told)


@app.command(epilog="Example: `churnkit fetch cdnow`")
def fetch(
    name: Annotated[str, typer.Argument(help="A public set; see --list.")] = "",
    to: Annotated[Path, typer.Option("--to", help="Folder to put it into.")] = Path("data"),
    listed: Annotated[bool, typer.Option("--list", help="Show the sets that are known.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Fetch anew, replace the file.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch a well-known public set, verified to the last bit, with its licence beside it."""
    from churnkit import terminal
    from churnkit.fetch import CATALOGUE, fetch_set, public_set

    if listed:
        sets = [known.told(to) for known in CATALOGUE.values()]
        if as_json:
            terminal.print_json({"sets": sets})
        else:
            terminal.show_sets(sets)
        return
    known = public_set(name)
    terminal.note(f"{known.file}: {known.what}\nLicence: {known.licence}\nCite: {known.citation}")
    with terminal.progress() as progress:
        told = fetch_set(known, to, force=force, progress=progress).told()
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_fetched(told)


@app.command(epilog="Example: `churnkit demo --out demo`")
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for everything that is made.")] = Path(
        "demo"
    ),
    customers: Annotated[int, typer.Option(min=1000, help="Size of the shop.")] = 6000,
    seed: Annotated[int, typer.Option(help="Seed of the shop.")] = 7,
    as_json: Json = False,
) -> None:
    """Simulate a shop, train, score it, and show what comes out."""
    from churnkit import terminal
    from churnkit.demo import run

    with terminal.progress() as progress:
        made = run(out, customers, seed, progress)
    if as_json:
        terminal.print_json(made)
    else:
        terminal.show_scores(made)


def main() -> None:
    """Entry point of the ``churnkit`` command.

    Whoever ends the process (SIGTERM, SIGHUP) interrupts it as Ctrl-C does, so that its temporary
    files go too; the exit code is 128 and the number of the signal.
    """
    import signal

    asked: list[int] = []

    def end(number: int, _frame: object) -> None:
        asked.append(number)
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        known = getattr(signal, name, None)
        if known is not None and signal.getsignal(known) is signal.SIG_DFL:  # nohup ignores it
            signal.signal(known, end)
    try:
        app(prog_name="churnkit")
    except SystemExit:
        if asked:
            raise SystemExit(128 + asked[0]) from None
        raise
