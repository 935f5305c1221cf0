"""The command line: parse, call the library, print. Heavy imports stay inside the commands."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from churnkit.cli.application import (
    TOML,
    AsOf,
    Config,
    Json,
    Language,
    app,
    features,
    lights,
    models,
    outcomes,
)
from churnkit.cli.values import (
    EVERY,
    GATES,
    LIGHTS,
    POLICIES,
    VERSIONS,
    offered,
    public_sets,
    published_days,
)

# isort: split
# The commands of other modules, in the order in which help shows them.
from churnkit.cli import explain_sql as explain_sql
from churnkit.cli import forget as forget
from churnkit.cli import history as history
from churnkit.cli import kpi as kpi
from churnkit.cli import monitor as monitor
from churnkit.cli import report as report
from churnkit.cli import reveal as reveal
from churnkit.cli import run as run
from churnkit.cli import schedule as schedule

_CUTOFFS = 12  # a year of months


class ChurnChoice(StrEnum):
    """The definitions of churn."""

    no_purchase = "no_purchase"
    no_activity = "no_activity"
    event = "event"


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
    event: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="With --churn event: what customers leave with; cancellation by default.",
        ),
    ] = None,
    horizon: Annotated[
        int, typer.Option(min=1, max=3650, help="Days without a sign of life, or to the event.")
    ] = 90,
    lookback: Annotated[
        int, typer.Option(min=1, max=3650, help="Days in which a customer was alive.")
    ] = 180,
    timezone: Annotated[str, typer.Option(help="Business time zone.")] = "UTC",
    config: Config = TOML,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Json = False,
) -> None:
    """Look at your logs, propose how to read them, and write churnkit.toml.

    A FILE is CSV, Parquet, JSON lines or Excel, a pattern of files, a folder of Parquet files, or
    a table: `postgresql://reader@host/shop#orders`.
    """
    from churnkit import terminal
    from churnkit.logs import LEAVING
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
        churn=churn.value,
        events=tuple(event) if event else (LEAVING,),
        horizon_days=horizon,
        lookback_days=lookback,
        timezone=timezone,
    )
    proposals = write_config(config, files, question, force=force)
    if as_json:
        terminal.print_json({"config": str(config), "logs": {p.log: p.told() for p in proposals}})
    else:
        terminal.show_proposals(config, [p.told() for p in proposals])


@app.command(epilog="Example: `churnkit check --html check.html`")
def check(
    html: Annotated[Path | None, typer.Option("--html", help="A page with all of it.")] = None,
    config: Config = TOML,
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
def list_(config: Config = TOML, as_json: Json = False) -> None:
    """Show every feature with its unit, windows, expected direction and meaning.

    With a churnkit.toml its windows and the features of its own file are shown, too.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project import list_features

    there = config.exists() or config != TOML
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
            autocompletion=offered(EVERY),
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
    config: Config = TOML,
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
    config: Config = TOML,
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
def train(
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GATE",
            autocompletion=offered(GATES),
            help="Waive a gate: too-little, chance, beaten, feature, leak, optimism or "
            "calibration. May be repeated; the model card tells of it.",
        ),
    ] = None,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune",
            help="Look for better settings of the trees before; goes on where an earlier search "
            "over the same data ended.",
        ),
    ] = False,
    tune_trials: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Tune: settings tried in all, 30.")
    ] = None,
    tune_minutes: Annotated[
        float | None, typer.Option(min=0.001, max=10_080, help="Tune: no longer than this.")
    ] = None,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Train, test on later cutoffs beside plain rules, register, and use it if it is better."""
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project import train_project
    from churnkit.report import model_rows
    from churnkit.tuning import budget_of

    settings = load_settings(config)
    budget = budget_of(tune, tune_trials, tune_minutes)
    with terminal.progress() as progress:
        trained = train_project(settings, progress, allow or (), budget)
    if as_json:
        terminal.print_json(trained.summary)
    else:
        terminal.show_training(trained.summary, model_rows(trained.summary), config)
    trained.training.require_gates()


@app.command(epilog="Example: `churnkit backtest --tests 6 --html backtest.html`")
def backtest(
    tests: Annotated[
        int | None,
        typer.Option(min=1, max=180, help="The latest so many test cutoffs; all by default."),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="DAYS/week/month",
            help="How far apart they are; a horizon by default.",
            autocompletion=offered(EVERY),
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="A page with all of it.")] = None,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Test every model at every cutoff that the history allows, each made anew before it.

    Tells how the models compare over all cutoffs, how they held over time, whether more customers
    or more cutoffs would help, and for which customers they work.
    """
    from churnkit import terminal
    from churnkit.clock import every_named
    from churnkit.config import load_settings
    from churnkit.project import backtest_project

    settings = load_settings(config)
    apart = None if every is None else every_named(every)
    with terminal.progress() as progress:
        told = backtest_project(settings, tests, apart, html, progress)
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_rolling(told)


@models.callback(epilog="Example: `churnkit models`")
def list_models(context: typer.Context, config: Config = TOML, as_json: Json = False) -> None:
    """Show every version: when it was trained, how good it was at its test, which one scores."""
    if context.invoked_subcommand is not None:
        # What is given before a subcommand holds for it, unless it is given its own.
        given = {"config": config, "as_json": as_json}
        context.default_map = {context.invoked_subcommand: given}
        return
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.release import models as listed

    told = listed(load_settings(config).registry())
    if as_json:
        terminal.print_json({"models": told})
    else:
        terminal.show_models(told, config)


@models.command(epilog="Example: `churnkit models push models/lightgbm-2011-09-10`")
def push(
    bundle: Annotated[Path, typer.Argument(help="A folder that training wrote.")],
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Log and register a bundle that was kept when the registry could not be reached."""
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.release import push as push_bundle

    settings = load_settings(config)
    with terminal.progress() as progress:
        progress("registering the model")
        told = push_bundle(bundle, settings.models, settings.registry()).told()
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_release(told)


@app.command(epilog="Example: `churnkit promote 3`")
def promote(
    version: Annotated[
        str,
        typer.Argument(help="Its number, or `challenger`.", autocompletion=offered(VERSIONS)),
    ],
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Make a version the champion, which scores, once its bundle is verified."""
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.release import promote as crown

    settings = load_settings(config)
    told = crown(version, settings.models, settings.registry())
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_crowned(told)


@app.command(epilog="Example: `churnkit rollback`")
def rollback(config: Config = TOML, as_json: Json = False) -> None:
    """Make the version champion again that was it before; as often as there were others."""
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.release import rollback as roll_back

    settings = load_settings(config)
    told = roll_back(settings.models, settings.registry())
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_crowned(told)


@app.command(epilog="Example: `churnkit score --as-of 2011-12-10 --out scores.csv`")
def score(
    as_of: AsOf,
    out: Annotated[Path | None, typer.Option("--out", help="A .parquet or .csv file.")] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="A bundle instead of the champion.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", help="The HTML report.")] = None,
    within: Annotated[
        list[int] | None,
        typer.Option(
            "--within",
            metavar="DAYS",
            help="Also the risk in so many days (of a hazard), in file and report; repeatable.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Publish anew; score days long after the logs.")
    ] = False,
    incremental: Annotated[
        bool,
        typer.Option("--incremental", help="Only customers whose rows changed since the last run."),
    ] = False,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Score every customer at risk, assign lights, publish that, and write the report.

    What is published from the same logs, model and settings is not published again. Exit code 75
    if another process is publishing, 3 if the logs end more than a horizon before the day.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project import score_project

    settings = load_settings(config)
    with terminal.progress() as progress:
        told = score_project(
            settings, settings.cutoff(as_of), model, out, report, progress, tuple(within or ()),
            force=force, incremental=incremental,
        )  # fmt: skip
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_scores(told, config=config)


@app.command(epilog="Example: `churnkit explain 12748 --as-of 2011-12-10 --html 12748.html`")
def explain(
    customer: Annotated[str, typer.Argument(help="The id, as it stands in the logs.")],
    as_of: AsOf,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DATE", help="Tell what moved the score since this day."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="A bundle instead of the champion.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="A page with the whole story.")
    ] = None,
    story: Annotated[
        bool, typer.Option("--story", help="Tell the story of the page here, too.")
    ] = False,
    weeks: Annotated[
        int, typer.Option(min=0, max=104, help="So many weeks back the story tells scores.")
    ] = 12,
    language: Language = None,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Tell why one customer has its probability and light, and what moved them since a day.

    The story tells purchases, tickets, payments and answers, probability and light over time, the
    customer's own interval, and what was planned and done. With --json all of it is in `story`.

    Exit code 2 if no log knows the customer, 3 if it is not at risk on one of the days: not known
    yet, silent for longer than the lookback, or gone.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project import explain_project
    from churnkit.terminal.story import show_story

    settings = load_settings(config)
    day, earlier = settings.cutoff(as_of), None if since is None else settings.cutoff(since)
    with terminal.progress() as progress:
        told = explain_project(
            settings, customer, day, earlier, model, progress,
            weeks=weeks if story or html else None, html=html, language=language,
        )  # fmt: skip
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_explained(told)
        if story:
            show_story(told["story"])
        if html is not None:
            terminal.note(f"Wrote {html}")


@app.command(epilog="Example: `churnkit calls --as-of 2011-12-10 --out crm`")
def calls(
    as_of: Annotated[
        str,
        typer.Option(
            "--as-of", metavar="DATE", help="The day of a scoring.", autocompletion=published_days
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; by default beside the reports.")
    ] = None,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Write what is to be done: a list per owner, JSON lines for a webhook, a calendar of calls.

    They follow from the scoring of that day, which the ledger keeps. With a store in [output] they
    go to a table, too. Customers who are held out as controls are on no list.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project_outcomes import export_calls

    settings = load_settings(config)
    told = export_calls(settings, settings.cutoff(as_of), out)
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_calls(told, config)


@outcomes.command("record", epilog="Example: `churnkit outcomes record done.csv`")
def record_outcomes(
    file: Annotated[
        Path,
        typer.Argument(
            help="Columns customer_id, as_of (the day of the list), done (yes or no); perhaps "
            "result, cost, note."
        ),
    ],
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Keep what was done and what came of it; all rows of a file or none."""
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project_outcomes import record_outcomes as record

    told = record(load_settings(config), file)
    if as_json:
        terminal.print_json(told)
    else:
        terminal.say(told["says"])


@outcomes.command("report", epilog="Example: `churnkit outcomes report --least 0.05`")
def report_outcomes(
    campaign: Annotated[
        str | None, typer.Option(metavar="NAME", help="One campaign; all by default.")
    ] = None,
    least: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="The least effect that matters, such as 0.05 for 5 points."
        ),
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="A bundle instead of the champion.")
    ] = None,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Show whether acting helps: churn of those treated against those held out by chance.

    Per light and action, with intervals, what it saved, and how many more customers it takes to
    tell.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project_outcomes import report_outcomes as report

    settings = load_settings(config)
    with terminal.progress() as progress:
        told = report(settings, campaign, least, model, progress)
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_outcomes(told)


@lights.command("simulate", epilog="Example: `churnkit lights simulate --html lights.html`")
def simulate_lights(
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="POLICY",
            autocompletion=offered(POLICIES),
            help="fixed, capacity, cost or promise; may be repeated, all four by default.",
        ),
    ] = None,
    weeks: Annotated[int, typer.Option(min=3, max=104, help="How many weekly scorings.")] = 8,
    html: Annotated[Path | None, typer.Option("--html", help="A page with all of it.")] = None,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Show what policies would have done in past weeks, side by side, and what came of it.

    One model learns from what was known before the first week and scores all of them; what each
    colour came to is known. Thresholds of a promise follow from weeks that were over by then.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project_lights import POLICIES as KNOWN
    from churnkit.project_lights import simulate_lights as simulate

    settings = load_settings(config)
    with terminal.progress() as progress:
        told = simulate(settings, policy or KNOWN, weeks, html, progress)
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_replay(told)


_By = Annotated[str, typer.Option("--owner", metavar="WHO", help="Who answers for it.")]
_Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]
_Customer = Annotated[str, typer.Argument(help="The id, as it stands in the scores.")]


@lights.command(
    "set",
    epilog="Example: `churnkit lights set 12748 red --as-of 2011-12-10 --until 2012-01-10 "
    '--owner anna --reason "said so on the phone"`',
)
def set_light(
    customer: _Customer,
    light: Annotated[
        str, typer.Argument(help="green, yellow or red.", autocompletion=offered(LIGHTS))
    ],
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="DATE", help="The day from which on it holds.")
    ],
    until: Annotated[
        str, typer.Option("--until", metavar="DATE", help="The first day on which it ends.")
    ],
    owner: _By,
    reason: _Why,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Give a customer a light until a day, whatever the score says.

    It is kept with who set it, when, why, and from which light; no scoring changes it, and it ends
    by itself.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project_lights import set_light as override

    settings = load_settings(config)
    day, end = settings.cutoff(as_of), settings.cutoff(until)
    told = override(settings, customer, light, day, end, owner, reason)
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_override(told)


@lights.command("clear", epilog="Example: `churnkit lights clear 12748 --as-of 2011-12-12 …`")
def clear_light(
    customer: _Customer,
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="DATE", help="The day from which on it is gone.")
    ],
    owner: _By,
    reason: _Why,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Take the override of a customer back; that it was there stays on record."""
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project_lights import clear_light as clear

    settings = load_settings(config)
    told = clear(settings, customer, settings.cutoff(as_of), owner, reason)
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_override(told)


@lights.command("list", epilog="Example: `churnkit lights list --as-of 2011-12-10`")
def list_lights(
    as_of: Annotated[str, typer.Option("--as-of", metavar="DATE", help="The day.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Every entry that was ever made, in order.")
    ] = False,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Show the overrides that hold on a day."""
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project_lights import list_lights as overrides

    settings = load_settings(config)
    told = overrides(settings, settings.cutoff(as_of), everything)
    if as_json:
        terminal.print_json(told)
    else:
        terminal.show_overrides(told)


@app.command(epilog="Example: `churnkit fetch cdnow`")
def fetch(
    name: Annotated[
        str, typer.Argument(help="A public set; see --list.", autocompletion=public_sets)
    ] = "",
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
    customers: Annotated[int, typer.Option(min=1000, help="Size of the shop.")] = 4000,
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

    from churnkit.terminal.encoding import plain_where_needed

    plain_where_needed()
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
    except Exception as error:  # a fault of ours, which is told without what it quotes
        from churnkit.terminal.unexpected import tell_unexpected

        tell_unexpected(error)
        raise SystemExit(1) from None
