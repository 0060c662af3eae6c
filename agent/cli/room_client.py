"""A person in a room, for as long as one command takes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from livekit import api, rtc

from agent.access.join_token import Joining, join_token
from agent.cli.command import CommandError
from agent.cli.room_api import FAILURES, is_refusal, reason, room_api
from agent.config.proxies import Proxies
from agent.wire.presence import READY

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from agent.cli.target import Target

AGENT_NAME: Final = "lk.agent_name"
"""The attribute in which the server says which name an agent was dispatched by
(livekit-server, pkg/agent/worker.go)."""
AUTOMATIC_DISPATCH_TAKES: Final = 3.0
"""Seconds in which an agent without a name joins a new room automatically."""
START_OF_JOB_TAKES: Final = 10.0
"""Seconds after which a job that was dispatched, and did not come, is dispatched again."""


@dataclass(frozen=True, slots=True)
class Person:
    """The participant that joins."""

    identity: str
    name: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])


class RoomClient:
    """A participant with an agent beside it; made by `joined`.

    Attributes:
        room: the connected room.
        agent: the agent's identity.
    """

    def __init__(self, room: rtc.Room, agent: str) -> None:
        self.room = room
        self.agent = agent


@contextlib.asynccontextmanager
async def joined(
    target: Target,
    room_name: str,
    person: Person,
    patience: float,
    *,
    prepare: Callable[[rtc.Room], None] = lambda _: None,
) -> AsyncGenerator[RoomClient]:
    """Joins a room, makes sure that an agent is in it, and waits until the agent is ready.

    Args:
        prepare: called with the room before it is joined: the place for handlers.

    Raises:
        CommandError: the room cannot be joined, or no agent is ready within `patience` seconds.
    """
    room = rtc.Room()
    prepare(room)
    agents = _Agents(room, target.agent_name)
    # The SDK reports a server that it cannot reach as an error of its own besides raising it.
    logging.getLogger("livekit").setLevel(logging.CRITICAL)
    async with room_api(target) as service:
        await _check(service, target)
        joining = Joining(room_name, person.identity, person.name, attributes=person.attributes)
        token = join_token(target.api_key, target.api_secret, joining)
        Proxies.of(os.environ).settle(os.environ, target.url)
        try:
            # Never under a timeout: a cancelled connect() aborts the process later
            # (python-sdks#784). It gives up by itself.
            await room.connect(target.url, token, rtc.RoomOptions(auto_subscribe=False))
        except rtc.ConnectError as error:
            raise CommandError(f"cannot join the room at {target.url}: {error}") from error
        try:
            agent = await _ready_agent(service, target, room, agents, patience)
            yield RoomClient(room, agent)
        finally:
            await room.disconnect()


async def _check(service: api.LiveKitAPI, target: Target) -> None:
    """Sends the server a request first: its HTTP errors say more than a failed connection does."""
    try:
        await service.room.list_rooms(api.ListRoomsRequest())
    except FAILURES as error:
        hint = "" if is_refusal(error) else " Is `python -m agent dev` running?"
        raise CommandError(
            f"cannot use the room server at {target.url}: {reason(error)}.{hint} "
            "`python -m agent doctor` says more."
        ) from error


async def _ready_agent(
    service: api.LiveKitAPI, target: Target, room: rtc.Room, agents: _Agents, patience: float
) -> str:
    dispatching = asyncio.create_task(_dispatch(service, target, room, agents), name="dispatch")
    try:
        async with asyncio.timeout(patience):
            return await agents.ready()
    except TimeoutError:
        if dispatching.done() and (error := dispatching.exception()):
            raise CommandError(f"the agent cannot be dispatched: {reason(error)}") from error
        raise CommandError(
            f"no agent in the room after {patience:g} s: is the worker running?"
        ) from None
    finally:
        dispatching.cancel()
        await asyncio.gather(dispatching, return_exceptions=True)


async def _dispatch(
    service: api.LiveKitAPI, target: Target, room: rtc.Room, agents: _Agents
) -> None:
    """Dispatches the agent if it does not join automatically.

    An agent with a name never does. One without comes into new rooms only, so not into one that
    it has left, or that is older than the worker; asking for the agent named "" gets it there.
    """
    if agents.here():
        return
    if not target.agent_name and await agents.come(AUTOMATIC_DISPATCH_TAKES):
        return
    if await _is_coming(service, room.name) and await agents.come(START_OF_JOB_TAKES):
        return
    request = api.CreateAgentDispatchRequest(agent_name=target.agent_name, room=room.name)
    await service.agent_dispatch.create_dispatch(request)


async def _is_coming(service: api.LiveKitAPI, room_name: str) -> bool:
    unfinished = (api.JobStatus.JS_PENDING, api.JobStatus.JS_RUNNING)
    dispatches = await service.agent_dispatch.list_dispatch(room_name)
    return any(
        job.state.status in unfinished for dispatch in dispatches for job in dispatch.state.jobs
    )


class _Agents:
    """The agents of a room that have the right name, by what the room's events say."""

    def __init__(self, room: rtc.Room, name: str) -> None:
        self._room = room
        self._name = name
        self._changed = asyncio.Event()
        for event in ("participant_connected", "participant_attributes_changed"):
            room.on(event, self._on_change)

    def here(self) -> bool:
        """Whether one is in the room, ready or not."""
        return bool(self._agents())

    async def come(self, patience: float) -> bool:
        """Whether one is in the room within so many seconds."""
        try:
            async with asyncio.timeout(patience):
                while not self.here():
                    await self._change()
        except TimeoutError:
            return False
        return True

    async def ready(self) -> str:
        """The identity of one whose methods can be called, as soon as there is one."""
        while True:
            for participant in self._agents():
                if participant.attributes.get(READY):
                    return participant.identity
            await self._change()

    def _agents(self) -> list[rtc.RemoteParticipant]:
        kind = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        return [
            each
            for each in self._room.remote_participants.values()
            if each.kind == kind and each.attributes.get(AGENT_NAME, self._name) == self._name
        ]

    async def _change(self) -> None:
        await self._changed.wait()

    def _on_change(self, *_: object) -> None:
        # Wakes everyone who waits now, and nobody who comes later.
        self._changed.set()
        self._changed = asyncio.Event()
