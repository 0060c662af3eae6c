"""The live view of `top`: processes, rooms, and their rates."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agent.cli.command import CommandError
from agent.cli.target import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

PATIENCE: Final = aiohttp.ClientTimeout(total=5)
MAX_ROOMS: Final = 200
"""Rooms that are shown."""

_SAMPLE: Final = re.compile(r"^(room_agent_\w+)(\{[^}]*\})? (\S+)$", re.M)


@dataclass(frozen=True, slots=True)
class Look:
    """A worker's pages at one moment.

    Attributes:
        at: on the monotonic clock.
        processes: as `/worker` has them.
        rooms: as `/rooms` of each process has them, with its `pid`.
        metrics: sums over all labels, by name.
    """

    at: float
    processes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    rooms: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])

    def rate(self, metric: str, before: Look | None) -> float:
        """The growth of a counter a second."""
        if before is None or self.at <= before.at:
            return 0.0
        grown = self.metrics.get(metric, 0.0) - before.metrics.get(metric, 0.0)
        return max(0.0, grown) / (self.at - before.at)


async def watch(environ: Mapping[str, str], *, port: int | None, every: float, once: bool) -> None:
    """Shows the worker until Ctrl-C, or once. Raises CommandError if there is none."""
    asked = read_settings(environ).http_port if port is None else port
    url = f"http://127.0.0.1:{asked}"
    console = Console(highlight=False)
    async with aiohttp.ClientSession(timeout=PATIENCE) as client:
        look = await _look(client, url)
        if once:
            console.print(view(look, None))
            return
        with Live(view(look, None), console=console, screen=console.is_terminal) as live:
            while True:
                await asyncio.sleep(every)
                before, look = look, await _look(client, url)
                live.update(view(look, before), refresh=True)


async def _look(client: aiohttp.ClientSession, url: str) -> Look:
    try:
        async with client.get(f"{url}/metrics") as answer:
            metrics = sums(await answer.text())
        async with client.get(f"{url}/worker") as answer:
            worker: dict[str, Any] = await answer.json()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CommandError(f"no worker answers at {url}: {type(error).__name__}") from None
    processes: list[dict[str, Any]] = worker.get("processes") or [_alone(url, metrics)]
    rooms = [room for each in processes for room in await _rooms(client, each)]
    return Look(time.monotonic(), processes, rooms, metrics)


def _alone(url: str, metrics: Mapping[str, float]) -> dict[str, Any]:
    """A worker without a supervisor as one of several."""
    return {
        "pid": None,
        "registered": bool(metrics.get("room_agent_connected")),
        "rooms": int(metrics.get("room_agent_process_rooms", 0)),
        "seconds": None,
        "memoryBytes": metrics.get("room_agent_process_memory_bytes", 0),
        "port": int(url.rpartition(":")[2]),
    }


async def _rooms(client: aiohttp.ClientSession, process: dict[str, Any]) -> list[dict[str, Any]]:
    """Of one process; none if it is too busy to say."""
    if not process.get("port"):
        return []
    try:
        async with client.get(f"http://127.0.0.1:{process['port']}/rooms") as answer:
            said: dict[str, Any] = await answer.json()
    except (aiohttp.ClientError, TimeoutError):
        return []
    return [{**room, "pid": process["pid"]} for room in said["rooms"]]


def sums(text: str) -> dict[str, float]:
    """The metrics of a page, each summed over its labels."""
    found: dict[str, float] = {}
    for name, _, value in _SAMPLE.findall(text):
        found[name] = found.get(name, 0.0) + float(value)
    return found


def view(look: Look, before: Look | None) -> RenderableType:
    """The text of the screen."""
    return Group(_summary(look, before), Text(), _processes(look), Text(), _rooms_table(look))


def _summary(look: Look, before: Look | None) -> Text:
    metrics = look.metrics
    rates = {
        "messages/s": look.rate("room_agent_messages_total", before),
        "answers/s": look.rate("room_agent_answers_total", before),
        "tokens/s": look.rate("room_agent_tokens_total", before),
        "refusals/s": look.rate("room_agent_refusals_total", before),
        "model errors/s": look.rate("room_agent_model_errors_total", before),
    }
    places = f"{metrics.get('room_agent_rooms_max', 0):g}"
    counts = {
        "rooms": f"{metrics.get('room_agent_rooms', 0):g} of {places}",
        "questions": f"{metrics.get('room_agent_questions_waiting', 0):g}",
        "writes waiting": f"{metrics.get('room_agent_history_backlog', 0):g}",
    }
    parts = [f"{name} {value}" for name, value in counts.items()]
    parts += [f"{name} {value:.1f}" for name, value in rates.items()]
    return Text(" · ".join(parts), style="bold")


def _processes(look: Look) -> Table:
    table = Table("pid", "state", "rooms", "memory", "runs for", box=None, pad_edge=False)
    for each in look.processes:
        state = "registered" if each["registered"] else "not registered"
        seconds = each["seconds"]
        table.add_row(
            str(each["pid"] or "-"),
            Text(state, style="green" if each["registered"] else "red"),
            str(each["rooms"]),
            f"{each['memoryBytes'] / 2**20:.0f} MB",
            "-" if seconds is None else f"{seconds:.0f} s",
        )
    return table


def _rooms_table(look: Look) -> Table:
    table = Table("room", "state", "people", "waiting", "pid", box=None, pad_edge=False)
    busiest_first = sorted(look.rooms, key=lambda each: (-each["waiting"], each["name"]))
    for each in busiest_first[:MAX_ROOMS]:
        table.add_row(
            Text(_printable(each["name"])),
            each["state"],
            str(each["people"]),
            str(each["waiting"]),
            str(each["pid"] or "-"),
        )
    if len(look.rooms) > MAX_ROOMS:
        table.add_row(f"and {len(look.rooms) - MAX_ROOMS} more")
    return table


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)
