"""An MCP server that lists and answers what it is given, right or wrong; run as a program.

Its argument is JSON: `pages`, lists of tools, and `results`, the text of the result of each tool.
It speaks over standard input and output, or with `port` by streamable HTTP on loopback.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PLAN = json.loads(sys.argv[1])
INITIALIZED: dict[str, Any] = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "odd", "version": "1"},
}


def answer(request: dict[str, Any]) -> str | None:
    """The text of the response to a request; None for a notification."""
    if "id" not in request:
        return None
    params: dict[str, Any] = request.get("params") or {}
    match request["method"]:
        case "initialize":
            result = json.dumps(INITIALIZED)
        case "tools/list":
            page = int(params.get("cursor", 0))
            listed: dict[str, Any] = {"tools": PLAN["pages"][page]}
            if page + 1 < len(PLAN["pages"]):
                listed["nextCursor"] = str(page + 1)
            result = json.dumps(listed)
        case _:
            result = PLAN["results"][params["name"]]
    return f'{{"jsonrpc": "2.0", "id": {json.dumps(request["id"])}, "result": {result}}}'


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = answer(json.loads(body))
        self.send_response(202 if text is None else 200)
        if text is not None:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text or "")))
        self.end_headers()
        self.wfile.write((text or "").encode())

    def do_GET(self) -> None:
        self.send_error(405)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the base class's


if __name__ == "__main__":
    if "port" in PLAN:
        ThreadingHTTPServer(("127.0.0.1", PLAN["port"]), Handler).serve_forever()
    sys.stdout.write("Odd server: starting\n")
    sys.stdout.flush()
    for line in sys.stdin:
        if text := answer(json.loads(line)):
            sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape") + b"\n")
            sys.stdout.buffer.flush()
