"""What a soak asks Prometheus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from bench.programs import BenchError
from bench.prometheus import FIRED, GRAFANA, SILENT, Prometheus, queries

if TYPE_CHECKING:
    from aiohttp.web import Request, Response


def test_the_dashboard_gives_queries_without_variables() -> None:
    dashboard = json.loads((GRAFANA / "dashboard.json").read_text())
    found = queries(dashboard)
    assert len(found) > 40
    assert not [each.text for each in found if "$" in each.text]
    assert {each.panel for each in found} > SILENT


async def test_a_query_without_a_number_is_named_and_so_are_alerts() -> None:
    async def answer(request: Request) -> Response:
        query = request.query["query"]
        labels, value = {}, "1"
        if query == FIRED:
            labels = {"alertname": "RoomAgentGone"}
        elif "webhooks" in query:
            value = "NaN"
        elif "draining" in query:
            return web.json_response({"status": "success", "data": {"result": []}})
        elif query == "(":
            return web.json_response({"status": "error", "error": "parse error"}, status=400)
        series = [{"metric": labels, "value": [0, value]}]
        return web.json_response({"status": "success", "data": {"result": series}})

    app = web.Application()
    app.router.add_get("/api/v1/query", answer)
    async with TestServer(app) as server, ClientSession() as http:
        prometheus = Prometheus(str(server.make_url("")).rstrip("/"), http)
        seen = await prometheus.look()
        with pytest.raises(BenchError, match="parse error"):
            await prometheus.ask("(")

    assert [each.partition(":")[0] for each in seen["unanswered"]] == [
        "Draining processes",
        "Webhooks, by outcome",
        "Webhooks, by outcome",
    ]
    assert seen["answered"] >= 40
    assert seen["fired"] == ["RoomAgentGone"]
