"""Fuzz a parser by what it covers: ``python coverage_guided.py PARSER [options of libFuzzer]``.

Needs the extra ``fuzz``. Without options it runs for a minute; what was found beside the seeds in
``corpus/PARSER`` is kept in a temporary folder. A fault ends it with a traceback and the bytes,
which become a regression test.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def main(name: str, options: list[str]) -> None:
    import atheris

    sys.path[:0] = [str(HERE), str(HERE.parent)]
    with atheris.instrument_imports(include=["churnkit", "parsers"], enable_loader_override=False):
        from parsers import accepted

    def one(data: bytes) -> None:
        accepted(name, data)

    usual = ["-max_total_time=60", "-timeout=5", "-rss_limit_mb=4096", "-print_final_stats=1"]
    with tempfile.TemporaryDirectory() as found:
        folders = [found, str(HERE / "corpus" / name)]
        atheris.Setup([sys.argv[0], *usual, *options, *folders], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
