"""Conversations through faults: each question is answered, and once.

A few conversations meet one fault in `make test`; `make faults` has many meet all of them
(FAULTS_ROOMS rooms at a time) and prints the figures.
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import pytest
from livekit import api

from devserver.model import DemoModel, Reply, tool_call
from devserver.model.wire import ChatRequest
from tests.agent.chat_client import ChatClient
from tests.agent.outages import FullPostgres, Outage
from tests.agent.processes.fleet import JOINED, Fleet, Supervisor
from tests.clock import Clock
from tests.datagrams import Datagrams
from tests.faults.conftest import (
    CLOCKS,
    DATABASE,
    DISK_FULL,
    FAILOVER,
    MEDIA_STALLED,
    READ_ONLY,
    WAL_FULL,
)
from tests.faults.talk import Figures, Talk
from tests.room_server import RoomServerUnderTest
from tests.tcp_relay import TcpRelay

pytestmark = pytest.mark.timeout(600)

ROOMS: Final = int(os.environ.get("FAULTS_ROOMS", "0"))
REGISTERED: Final = r'"registered worker".*?"pid": (\d+)'

QUESTIONS: Final = 6
"""Of each person: one before the fault, one in it, and the others while it is mended."""

TABLE: Final = (
    "\n| fault | asked | answered once | told as failed | lost | twice | left waiting | slowest |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
)


@dataclass
class Mood:
    """How the model answers: it asks for a tool where there is a question of time.

    Attributes:
        silent: requests that it does not answer before somebody gives them up.
    """

    silent: int = 0

    def reply(self, request: ChatRequest) -> Reply:
        if self.silent:
            self.silent -= 1
            return Reply(first_token_delay=30.0)
        if "time" in request.user_text and not request.tool_results:
            return Reply(tool_calls=(tool_call("getCurrentTime"),))
        return Reply(tokens=["this ", "is ", "an ", "answer"], token_delay=0.15)


@dataclass
class Scene:
    """The targets of faults."""

    supervisors: tuple[Supervisor, Supervisor]
    model: DemoModel
    mood: Mood
    database: Outage
    clock: Clock | None
    datagrams: Datagrams | None
    relay: TcpRelay
    room_server: RoomServerUnderTest
    talks: list[Talk]

    async def worker(self) -> int:
        """The process that holds most rooms of those that live."""
        await self.when(self._holders)
        return max(self._holders(), key=self._holders().count)

    def _holders(self) -> list[int]:
        """The living process of each join, of either supervisor: the server chooses at random."""
        outputs = [each.running.output for each in self.supervisors]
        pids = [int(pid) for output in outputs for pid in re.findall(JOINED, output)]
        return [pid for pid in pids if _lives(pid)]

    async def when(self, happened: Callable[[], object]) -> None:
        """Returns once something has happened to somebody who asks."""
        async with asyncio.timeout(30):
            # Of several people who may see it first.
            while not happened():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    def any(self, seen: Callable[[ChatClient], object]) -> Callable[[], bool]:
        return lambda: any(seen(talk.client) for talk in self.talks)

    def all(self, seen: Callable[[ChatClient], object]) -> Callable[[], bool]:
        return lambda: all(seen(talk.client) for talk in self.talks)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def killed_when(
    seen: Callable[[ChatClient], object],
) -> Callable[[Scene], Coroutine[Any, Any, None]]:
    async def strike(scene: Scene) -> None:
        worker = await scene.worker()
        await scene.when(scene.any(seen))
        os.kill(worker, signal.SIGKILL)

    return strike


async def killed_when_the_model_is_asked(scene: Scene) -> None:
    worker = await scene.worker()
    before = len(scene.model.requests)
    await scene.when(lambda: len(scene.model.requests) > before)
    os.kill(worker, signal.SIGKILL)


async def drained(scene: Scene) -> None:
    await scene.when(scene.any(_second_began))
    os.kill(await scene.worker(), signal.SIGTERM)


async def supervisor_killed(scene: Scene) -> None:
    await scene.when(scene.any(_second_began))
    scene.supervisors[0].running.process.kill()


async def stopped(scene: Scene) -> None:
    await scene.when(scene.any(_second_began))
    os.kill(await scene.worker(), signal.SIGSTOP)


async def database_away(scene: Scene) -> None:
    await scene.when(scene.any(_second_began))
    await scene.database.begin()
    await scene.when(scene.any(_third_ended))
    await scene.database.end()


async def disk_full(scene: Scene) -> None:
    """The database server's is; with SQLite, no worker can write to a file."""
    if isinstance(scene.database, FullPostgres):
        await database_away(scene)
        return
    workers = [int(pid) for each in scene.supervisors for pid in await each.says(REGISTERED)]
    await scene.when(scene.any(_second_began))
    for pid in workers:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    await scene.when(scene.any(_third_ended))
    for pid in workers:
        resource.prlimit(
            pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )


async def signalling_cut(scene: Scene) -> None:
    """Workers have no way to the room server but their media."""
    await scene.when(scene.any(_second_began))
    scene.relay.cut()
    await asyncio.sleep(3)
    scene.relay.mend()


async def signalling_stalled(scene: Scene) -> None:
    """Signalling between workers and room server stalls for longer than either waits."""
    await scene.when(scene.any(_second_began))
    scene.relay.stall()
    await asyncio.sleep(20)
    scene.relay.mend()


async def media_stalled(scene: Scene) -> None:
    """Workers hear and say nothing but what goes over their signalling."""
    assert scene.datagrams is not None
    await scene.when(scene.any(_second_began))
    scene.datagrams.stall()
    await asyncio.sleep(10)
    scene.datagrams.flow()


async def room_server_killed(scene: Scene) -> None:
    """It starts again at once, without the rooms that it had."""
    if scene.room_server.crash is None:
        pytest.skip("the tests cannot end this server")
    await scene.when(scene.any(_second_began))
    await scene.room_server.crash()


def clock_set(seconds: int) -> Callable[[Scene], Coroutine[Any, Any, None]]:
    """The workers' clock is wrong for a while, in which one of them dies."""

    async def strike(scene: Scene) -> None:
        assert scene.clock is not None
        await scene.when(scene.any(_second_began))
        scene.clock.set(seconds)
        await scene.when(scene.any(_third_ended))
        os.kill(await scene.worker(), signal.SIGKILL)
        await scene.when(scene.all(_fourth_ended))
        scene.clock.set(0)

    return strike


async def model_silent(scene: Scene) -> None:
    scene.mood.silent = len(scene.talks)


def _second_began(client: ChatClient) -> bool:
    return any(each.in_reply_to.endswith("-1") for each in client.answers)


def _second_stored(client: ChatClient) -> bool:
    notices = client.notices("message.stored")
    return any(str(each["messageIds"]).endswith("-1']") for each in notices)


def _second_ended(client: ChatClient) -> bool:
    return any(each.endswith("-1") for each in client.answered())


def _third_ended(client: ChatClient) -> bool:
    return any(each.endswith("-2") for each in client.answered())


def _fourth_ended(client: ChatClient) -> bool:
    return any(each.endswith("-3") for each in client.answered())


def _tool_runs(client: ChatClient) -> bool:
    return len(client.notices("tool.started")) > 1


FAULTS: Final[dict[str, Callable[[Scene], Coroutine[Any, Any, None]]]] = {
    "kill -9: message stored": killed_when(_second_stored),
    "kill -9: model asked": killed_when_the_model_is_asked,
    "kill -9: tool ran": killed_when(_tool_runs),
    "kill -9: answer under way": killed_when(_second_began),
    "kill -9: answer's end sent": killed_when(_second_ended),
    "SIGTERM": drained,
    "supervisor killed": supervisor_killed,
    "SIGSTOP": stopped,
    "database away": database_away,
    READ_ONLY: database_away,
    FAILOVER: database_away,
    DISK_FULL: disk_full,
    WAL_FULL: database_away,
    "model silent": model_silent,
    "signalling cut for 3 s": signalling_cut,
    "signalling stalled for 20 s": signalling_stalled,
    MEDIA_STALLED: media_stalled,
    "room server killed": room_server_killed,
    **{name: clock_set(seconds) for name, seconds in CLOCKS.items()},
}
OF_ONE: Final[dict[str, str]] = dict.fromkeys((READ_ONLY, FAILOVER, WAL_FULL), "postgres")
"""Faults of one database."""

SHORT: Final = "kill -9: model asked"


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_question_is_answered_once(
    *,
    fault: str,
    fleet: Fleet,
    room_server: RoomServerUnderTest,
    room_name: str,
    model: DemoModel,
    database: Outage,
    clock: Clock | None,
    datagrams: Datagrams | None,
    relay: TcpRelay,
) -> None:
    if not ROOMS and fault != SHORT:
        pytest.skip("one fault is enough here; FAULTS_ROOMS, or `make faults`, has all of them")
    if OF_ONE.get(fault, DATABASE) != DATABASE:
        pytest.skip(f"a fault of {OF_ONE[fault]} (FAULTS_DATABASE)")
    mood = Mood()
    model.when("", mood.reply)
    first = await fleet.start(2)
    second = await fleet.start(1)
    talks = [
        Talk(ChatClient(), entrance(room_server, f"{room_name}-{number}", fleet.name))
        for number in range(ROOMS or 3)
    ]
    for talk in talks:
        await talk.come(talk.client)
    try:
        scene = Scene(
            (first, second), model, mood, database, clock, datagrams, relay, room_server, talks
        )
        await asyncio.gather(*(talk.client.until_ready() for talk in talks))
        await asyncio.gather(*(talk.ask(0, "hello, what time is it?") for talk in talks))
        strike = asyncio.create_task(FAULTS[fault](scene))
        await asyncio.gather(*(talk.ask(1, "and what time is it now?") for talk in talks))
        for number in range(2, QUESTIONS):
            await asyncio.gather(*(talk.ask(number, "thank you") for talk in talks))
        await strike
        figures = Figures()
        for talk in talks:
            await talk.count(figures, database.url)
    finally:
        await asyncio.gather(*(talk.aclose() for talk in talks))
    sys.stdout.write(f"{TABLE if fault == next(iter(FAULTS)) else ''}{figures.row(fault)}\n")
    assert figures.asked == len(talks) * QUESTIONS
    # A worker that is asked to end reports the answers that it ends, and one whose model is silent.
    assert figures.failed == 0 or fault in {"SIGTERM", "model silent"}
    assert figures.once + figures.failed == figures.asked


def entrance(
    server: RoomServerUnderTest, room: str, name: str
) -> Callable[[ChatClient], Coroutine[Any, Any, None]]:
    """What lets a person join a room that wants the agent of this name."""

    async def come(client: ChatClient) -> None:
        wanted = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=name)])
        token = server.access_token("alice", room).with_room_config(wanted)
        await client.room.connect(server.url, token.to_jwt())

    return come
