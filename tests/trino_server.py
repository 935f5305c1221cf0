"""A server on this machine that speaks enough of Trino's protocol to be read from, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

NO_ROW = "WHERE 1 = 0"


@dataclass
class Trino:
    """One table of texts; what was asked, and how many pages of its rows were fetched.

    Whatever begins with ``SELECT q.`` gives its columns and, unless it asks for none, its rows.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str | None]]
    page_rows: int = 1000
    asked: list[str] = field(default_factory=list)
    pages: int = 0
    url: str = ""

    def answer(self, number: int, page: int) -> dict[str, Any]:
        sql = self.asked[number]
        of_table = sql.startswith("SELECT q.")
        names, rows = (self.columns, self.rows) if of_table else (["_col0"], [["400"]])
        rows = [] if NO_ROW in sql else rows
        self.pages += of_table and NO_ROW not in sql
        part = rows[page * self.page_rows : (page + 1) * self.page_rows]
        more = (page + 1) * self.page_rows < len(rows)
        return told(number, "RUNNING" if more else "FINISHED") | {
            "columns": [column(name) for name in names],
            **({"data": part} if part else {}),
            **(
                {"nextUri": f"{self.url}/v1/statement/executing/{number}/{page + 1}"}
                if more
                else {}
            ),
        }


def told(number: int, state: str) -> dict[str, Any]:
    stats = {"state": state, "queued": False, "scheduled": True, "nodes": 1}
    return {"id": str(number), "infoUri": "http://127.0.0.1/", "stats": stats, "warnings": []}


def column(name: str) -> dict[str, Any]:
    length = {"kind": "LONG", "value": 2147483647}
    return {
        "name": name,
        "type": "varchar",
        "typeSignature": {"rawType": "varchar", "arguments": [length]},
    }


@contextmanager
def trino(server: Trino) -> Iterator[str]:
    """The URL of the server, which is open as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            server.asked.append(self.rfile.read(length).decode())
            number = len(server.asked) - 1
            where = f"{server.url}/v1/statement/executing/{number}/0"
            self.reply(told(number, "QUEUED") | {"nextUri": where})

        def do_GET(self) -> None:
            *_, number, page = self.path.split("/")
            self.reply(server.answer(int(number), int(page)))

        def do_DELETE(self) -> None:
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def reply(self, document: dict[str, Any]) -> None:
            content = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        Thread(target=http.serve_forever, daemon=True).start()
        try:
            yield f"trino://reader@127.0.0.1:{http.server_address[1]}/hive/shop"
        finally:
            http.shutdown()
