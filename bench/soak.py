"""People who join, ask, call, send files and leave, for as long as wanted, some of them with
faults.

Conditions: every answer is whole, no call fails that should not, the worker logs no error and
loses no process, its memory is flat, and at the end nothing is left of the rooms.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from agent.cli.top_view import sums
from bench.figures import percentile
from bench.peers import agent
from bench.plan import PACE, SHORT
from bench.programs import BenchError
from bench.prometheus import watching
from bench.room_server import free_port
from bench.stamps import Way

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.peers import Peer
    from bench.stage import Stage

EVERY: Final = 5.0
"""Seconds between two samples of the memory."""
HASTY: Final = 0.1
"""The share of people who leave before their agent has come."""
HASTE: Final = 0.03
CLOSED: Final = 0.5
"""The share of rooms that are closed at once; the server keeps the others for 20 s."""
ACTS: Final = (2, 8)
"""Number of actions of a person in a room."""
THINKING: Final = (0.2, 1.5)
"""Seconds between two actions."""
FILE: Final = (1_000, 300_000)
EMPTY_WITHIN: Final = 90.0
"""Seconds in which the last rooms are closed."""
MAX_GROWTH: Final = 0.10
"""Largest growth of memory, from the second quarter of the time to the last one."""
SLACK: Final = 15.0
"""MB that it may grow by in any case: the allocators' tolerance."""
LEFT: Final = ("rooms", "questions_waiting", "history_backlog")
"""Gauges that are 0 when nobody is there."""
LOST: Final = ("rooms_failed_total", "history_lost_total")
"""Counters that stay 0."""
ASKED_FOR: Final = frozenset({"RoomAgentToolFails", "RoomAgentModelFails", "RoomAgentAnswersFail"})
"""Alerts that what people do here may make fire."""
WEIGHTS: Final = {
    "ask": 10,
    "long": 3,
    "tool": 3,
    "retry": 2,
    "break": 1,
    "file": 2,
    "call": 3,
    "vanish": 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakPlan:
    """How long and how much.

    Attributes:
        people: at a time.
        seed: of what they do.
        max_p99: ms of overhead.
        prometheus: a program that watches the worker meanwhile, or None.
    """

    seconds: float
    people: int
    seed: int
    max_p99: float
    prometheus: str | None = None


@dataclass
class Soak:
    """The results so far.

    Attributes:
        overheads: ms, of answers by no fault and no tool.
        memory: MB, by the seconds since the start.
    """

    acts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WEIGHTS, 0))
    rooms: int = 0
    left_early: int = 0
    overheads: list[float] = field(default_factory=list[float])
    memory: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    errors: list[str] = field(default_factory=list[str])


def peer() -> Peer:
    """The worker, with a port at which its metrics are."""
    return agent("agent", 2, AGENT_MAX_ROOMS="50", HTTP_PORT=str(free_port()))


async def soak(stage: Stage, plan: SoakPlan) -> dict[str, Any]:
    """People who come and go; returns the figures, with `problems`, empty where all holds."""
    done = Soak()
    before = stage.worker.processes()
    begun = time.perf_counter()
    dashboard: dict[str, Any] | None = None
    async with AsyncExitStack() as stack:
        memory = asyncio.create_task(_watch(stage, done, begun), name="memory of the worker")
        stack.callback(memory.cancel)
        prometheus = None
        if plan.prometheus is not None:
            port = int(stage.peer.environ["HTTP_PORT"])
            logs = stage.worker.log.parent
            prometheus = await stack.enter_async_context(watching(plan.prometheus, port, logs))
        until = begun + plan.seconds
        choices = [random.Random(f"{plan.seed} {number}") for number in range(plan.people)]  # noqa: S311 - no secret
        await asyncio.gather(*(_stay(stage, done, choice, until) for choice in choices))
        if prometheus is not None:
            dashboard = await prometheus.look()
    gauges = await _emptied(stage)
    lost = len(before - stage.worker.processes())
    figures: dict[str, Any] = {
        "seconds": round(time.perf_counter() - begun),
        "rooms": done.rooms,
        "leftEarly": done.left_early,
        "acts": done.acts,
        "overheadP50": percentile(done.overheads, 50) if done.overheads else None,
        "overheadP99": percentile(done.overheads, 99) if done.overheads else None,
        "memoryEarly": quarter(done.memory, 1),
        "memoryLate": quarter(done.memory, 3),
        "left": gauges,
        "processesLost": lost,
        "errors": done.errors,
        "logged": logged_errors(stage.worker.log.read_text(errors="replace")),
        "log": str(stage.worker.log),
        "dashboard": dashboard,
    }
    return {**figures, "problems": problems(figures, plan.max_p99)}


async def _stay(stage: Stage, done: Soak, choice: random.Random, until: float) -> None:
    """One person after the other, each in a room of their own."""
    while time.perf_counter() < until:
        room = stage.new_room()
        done.rooms += 1
        try:
            await _visit(stage, done, choice, room, until)
        except BenchError as error:
            done.errors.append(f"{room}: {error}")
        finally:
            await stage.clients.leave_if_there(room)
        if choice.random() < CLOSED:
            await stage.server.close(room)


async def _visit(stage: Stage, done: Soak, choice: random.Random, room: str, until: float) -> None:
    if choice.random() < HASTY:
        done.left_early += await stage.join(room, within=HASTE) is None
        return
    if await stage.join(room) is None:
        raise BenchError("no agent came")
    for _ in range(choice.randint(*ACTS)):
        await asyncio.sleep(choice.uniform(*THINKING))
        if time.perf_counter() > until or not await _act(stage, done, choice, room):
            return


async def _act(stage: Stage, done: Soak, choice: random.Random, room: str) -> bool:
    """Returns whether the person is still there."""
    (act,) = choice.choices(list(WEIGHTS), list(WEIGHTS.values()))
    done.acts[act] += 1
    match act:
        case "ask" | "long":
            tokens, delay = SHORT if act == "ask" else (choice.randint(20, 150), PACE)
            done.overheads.append((await stage.clients.ask(room, tokens, delay)).overhead)
        case "file":
            await stage.clients.send_file(room, choice.randint(*FILE))
        case "call":
            await stage.clients.call_tools(room)
        case "vanish":
            await stage.clients.vanish(room, 40, PACE)
        case _:
            await stage.clients.ask(room, 10, 0, Way(act))
    return act != "vanish"


async def _watch(stage: Stage, done: Soak, begun: float) -> None:
    while True:
        done.memory.append((time.perf_counter() - begun, stage.worker.memory()))
        await asyncio.sleep(EVERY)


async def _emptied(stage: Stage) -> dict[str, float]:
    """The worker's leftovers after its rooms have gone, and its losses; read as soon as nothing is
    left, or after a limit."""
    url = f"http://127.0.0.1:{stage.peer.environ['HTTP_PORT']}/metrics"
    give_up = time.perf_counter() + EMPTY_WITHIN
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(url) as response:
                found = sums(await response.text())
            left = {name: found[f"room_agent_{name}"] for name in LEFT}
            left |= {name: found.get(f"room_agent_{name}", 0.0) for name in LOST}
            if not any(left[name] for name in LEFT) or time.perf_counter() > give_up:
                return left
            # Nothing signals that the last room is empty: look again.
            await asyncio.sleep(1.0)


def quarter(memory: Sequence[tuple[float, float]], number: int) -> float:
    """The median MB of a quarter of the time; 0 is the first one."""
    last = memory[-1][0]
    values = [mb for at, mb in memory if number / 4 <= at / max(last, 1e-9) <= (number + 1) / 4]
    return round(statistics.median(values or [memory[-1][1]]), 1)


def logged_errors(log: str) -> list[str]:
    """The first error lines of a worker's log, without the error that people trigger on purpose."""
    signs = ('"level": "ERROR"', '"level": "CRITICAL"', "Traceback", "panicked")
    lines = [line for line in log.splitlines() if any(sign in line for sign in signs)]
    return [line[:300] for line in lines if "riskyOperation failed" not in line][:20]


def problems(figures: dict[str, Any], max_p99: float) -> list[str]:
    """A sentence for each failed condition; `max_p99` in ms."""
    found = [f"an error: {each}" for each in figures["errors"]]
    found += [f"the worker logged: {each}" for each in figures["logged"]]
    if figures["processesLost"]:
        found.append(f"{figures['processesLost']} processes of the worker ended")
    if figures["overheadP99"] is None:
        found.append("nothing was answered")
    elif figures["overheadP99"] > max_p99:
        found.append(f"p99 is {figures['overheadP99']:.0f} ms, more than {max_p99:.0f}")
    early, late = figures["memoryEarly"], figures["memoryLate"]
    if late - early > max(early * MAX_GROWTH, SLACK):
        found.append(f"memory grew from {early:.0f} to {late:.0f} MB")
    found += [f"{name} is {value:g}" for name, value in figures["left"].items() if value]
    if (dashboard := figures["dashboard"]) is not None:
        found += [f"the dashboard shows nothing for {each}" for each in dashboard["unanswered"]]
        found += [f"{each} fired" for each in dashboard["fired"] if each not in ASKED_FOR]
    return found
