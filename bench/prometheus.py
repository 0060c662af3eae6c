"""Prometheus beside a soak: whether the dashboard's queries are answered, and which alerts fire."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from bench.programs import ROOT, BenchError, running
from bench.room_server import LOOPBACK, answers, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from pathlib import Path

GRAFANA: Final = ROOT / "deploy" / "grafana"
EVERY: Final = "2s"
"""Between two scrapes."""
VARIABLES: Final = {"$instance": ".*", "$__rate_interval": "1m"}
"""Of the dashboard, and what takes their place."""
FIRED: Final = 'count by (alertname) (last_over_time(ALERTS{alertstate="firing"}[1d]))'
SILENT: Final = frozenset(
    {"Refused messages, by code, and ignored packets a second", "Refusals by limits a second"}
)
"""Panels that are empty where nobody is refused."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query of the dashboard, without variables, and the title of its panel."""

    panel: str
    text: str


def queries(dashboard: Mapping[str, Any]) -> list[Query]:
    """The queries of a dashboard as Grafana exports it."""
    found: list[Query] = []
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            text: str = target["expr"]
            for variable, value in VARIABLES.items():
                text = text.replace(variable, value)
            found.append(Query(panel["title"], text))
    return found


class Prometheus:
    """A Prometheus that scrapes one worker. Use `watching`."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http

    async def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """The labels and values of all series that answer a query now.

        Raises:
            BenchError: it does not understand the query.
        """
        url = f"{self._url}/api/v1/query"
        async with self._http.get(url, params={"query": query}) as response:
            said = await response.json()
        if said["status"] != "success":
            raise BenchError(f"Prometheus: {said['error']}: {query}")
        return [(each["metric"], float(each["value"][1])) for each in said["data"]["result"]]

    async def look(self) -> dict[str, Any]:
        """The number of the dashboard's queries that are answered with a number, those that are
        not, and the alerts that have fired so far."""
        dashboard = json.loads((GRAFANA / "dashboard.json").read_text())
        answered, unanswered = 0, list[str]()
        for query in queries(dashboard):
            values = [value for _, value in await self.ask(query.text)]
            if any(not math.isnan(value) for value in values):
                answered += 1
            elif query.panel not in SILENT:
                unanswered.append(f"{query.panel}: {query.text}")
        fired = sorted(labels["alertname"] for labels, _ in await self.ask(FIRED))
        return {"answered": answered, "unanswered": unanswered, "fired": fired}


@contextlib.asynccontextmanager
async def watching(program: str, worker_port: int, logs: Path) -> AsyncGenerator[Prometheus]:
    """A Prometheus that scrapes a worker of this machine, with the rules of deploy/grafana.

    Raises:
        BenchError: there is no such program, or it does not start.
    """
    path = shutil.which(program)
    if path is None:
        raise BenchError(f"no such program: {program}")
    port = free_port(socket.SOCK_STREAM)
    file = logs / "prometheus.yaml"
    file.write_text(json.dumps(_configuration(worker_port)))
    command = [
        path,
        f"--config.file={file}",
        f"--storage.tsdb.path={logs / 'prometheus'}",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--log.level=warn",
    ]
    url = f"http://{LOOPBACK}:{port}"
    async with running("prometheus", command, logs=logs) as server, aiohttp.ClientSession() as http:
        if not await answers(f"{url}/-/ready", server):
            raise BenchError(f"Prometheus does not start; see {server.log}")
        yield Prometheus(url, http)


def _configuration(worker_port: int) -> dict[str, Any]:
    """As JSON, which is YAML."""
    return {
        "global": {"scrape_interval": EVERY, "evaluation_interval": EVERY},
        "rule_files": [str(GRAFANA / "alerts.yaml")],
        "scrape_configs": [
            {
                "job_name": "room-agent",
                "static_configs": [{"targets": [f"{LOOPBACK}:{worker_port}"]}],
            }
        ],
    }
