"""What 1 billion and 100 billion events would take, from what `benchmarks/scale.py` measured.

    python benchmarks/cost.py [MEASURED] [--events 1000000000 100000000000] [--cores 64]
        [--cores-a-node 16] [--core-hour 0.05] [--gigabit 10] [--overhead 1.3] [--json]

Each line is a quantity, how it follows from those above it, and its value at each size. What is
measured comes from one run on a local cluster and grows with the events or the customers alone:
partitions hold as many rows whatever the size, so that sorting one and the memory it takes do not
grow. Cores, network, price and overhead are assumptions; put your own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

MEASURED = Path(__file__).parent / "measured" / "scale.json"
_WIDTH = 110
_GIGA, _HOUR = 1e9, 3600.0
_BITS = 8


@dataclass(frozen=True)
class Assumed:
    """What is not measured.

    Attributes
    ----------
    cores, cores_a_node
        How many cores work, and how many of them are in one machine.
    core_hour
        Price of a core for an hour, with its memory and disk.
    gigabit
        Network of a machine, gigabits a second.
    overhead
        Times as long as if all cores were always busy: stragglers, starts, tasks tried again.
    """

    cores: int
    cores_a_node: int
    core_hour: float
    gigabit: float
    overhead: float

    @property
    def nodes(self) -> int:
        """How many machines."""
        return -(-self.cores // self.cores_a_node)


@dataclass(frozen=True)
class Line:
    """A quantity: what it is, how it follows, its value and how that is written."""

    says: str
    follows: str
    value: float
    form: str = ",.0f"

    @property
    def told(self) -> str:
        """The value as people read it."""
        return format(self.value, self.form)


def lines(measured: dict[str, Any], events: float, assumed: Assumed) -> Iterator[Line]:
    """The model, line by line, for so many events.

    Parameters
    ----------
    measured
        What `benchmarks/scale.py` kept, the cluster among it.
    events, assumed
        Size, and what is not measured.
    """
    seen, spark = measured["events"], measured["cluster"]["spark"]
    each = measured["customers"] / seen
    scored = measured["cluster"]["rows"] / measured["customers"]
    customers = events * each
    yield Line("events", "given", events)
    yield Line("customers", f"{1 / each:.0f} events each, as measured", customers)
    yield Line("at risk, and scored", f"{scored:.1%} of them, as measured", customers * scored)
    read, shuffled = spark["read"] / seen, spark["shuffled"] / seen
    yield Line("read, TB", f"{read:.0f} bytes an event", events * read / 1e12, ",.2f")
    volume = events * shuffled
    yield Line("shuffle volume, TB", f"{shuffled:.0f} bytes an event", volume / 1e12, ",.2f")
    java, python = (spark["cpu"][kind] / seen * 1e6 for kind in ("executor", "python"))
    work = events * (java + python) / 1e6
    yield Line(
        "work, core hours",
        f"{java:.2f} µs of Spark and {python:.2f} µs of churnkit an event",
        work / _HOUR, ",.1f",
    )  # fmt: skip
    compute = work * assumed.overhead / assumed.cores
    yield Line(
        "computing, hours",
        f"work × {assumed.overhead:g} ÷ {assumed.cores:,} cores", compute / _HOUR, ",.2f",
    )  # fmt: skip
    network = volume / (assumed.nodes * assumed.gigabit / _BITS * _GIGA)
    yield Line(
        "shuffling, hours",
        f"volume ÷ ({assumed.nodes} machines × {assumed.gigabit:g} Gbit/s)",
        network / _HOUR, ",.2f",
    )  # fmt: skip
    time = (compute + network) / _HOUR
    yield Line("time, hours", "computing + shuffling, one after the other", time, ",.2f")
    cost = time * assumed.cores * assumed.core_hour
    yield Line("money", f"time × cores × {assumed.core_hour:g} a core hour", cost, ",.2f")
    yield from memory(spark, events, seen, assumed)
    yield Line(
        "disk of a machine, TB", "shuffle volume, kept once more as sorted rows, ÷ machines",
        2 * volume / assumed.nodes / 1e12, ",.2f",
    )  # fmt: skip


def memory(spark: dict[str, Any], events: float, seen: int, assumed: Assumed) -> Iterator[Line]:
    """The lines about memory."""
    java, python = spark["peak"]["executor"], spark["peak"]["python"]
    yield Line(
        "memory of an executor, GB",
        f"{java:.2f} + {assumed.cores_a_node} cores × {python:.2f}, the largest of each measured",
        java + assumed.cores_a_node * python, ",.1f",
    )  # fmt: skip
    tasks = events * spark["tasks"] / seen
    yield Line("tasks", "as many an event as measured", tasks)
    results = spark["returned"] / spark["tasks"]
    yield Line(
        "results at the driver, GB", f"{results:,.0f} bytes a task", tasks * results / _GIGA, ",.2f"
    )


def show(told: list[list[Line]]) -> None:
    """Print the lines, one column for each size."""
    table = Table()
    table.add_column("")
    table.add_column("how it follows")
    for size in told:
        table.add_column(size[0].told, justify="right", no_wrap=True)
    for row in zip(*told, strict=True):
        table.add_row(row[0].says, row[0].follows, *(line.told for line in row))
    Console(width=_WIDTH, highlight=False).print(table)


def parsed() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("measured", type=Path, nargs="?", default=MEASURED)
    parser.add_argument("--events", type=float, nargs="+", default=[1e9, 1e11])
    parser.add_argument("--cores", type=int, default=64)
    parser.add_argument("--cores-a-node", type=int, default=16)
    parser.add_argument("--core-hour", type=float, default=0.05)
    parser.add_argument("--gigabit", type=float, default=10)
    parser.add_argument("--overhead", type=float, default=1.3)
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    return parser.parse_args()


def main() -> None:
    """Parse, reckon, tell."""
    asked = parsed()
    measured = json.loads(asked.measured.read_text(encoding="utf-8"))
    assumed = Assumed(
        asked.cores, asked.cores_a_node, asked.core_hour, asked.gigabit, asked.overhead
    )
    told = [list(lines(measured, events, assumed)) for events in asked.events]
    if asked.json:
        print(json.dumps([[asdict(line) for line in size] for size in told]))
    else:
        show(told)


if __name__ == "__main__":
    main()
