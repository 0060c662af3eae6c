"""A well-behaved room beside a hostile one in the same process; `make fuzz` prints its figures."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from livekit import rtc

from tests.agent.chat_client import ChatClient
from tests.fuzz.cases import IS_LONG
from tests.fuzz.hostile import Hostile
from tests.fuzz.inputs import ODD_TEXTS
from tests.fuzz.test_rooms import LIMIT, TOPICS

CALLS: Final = 1_000 if IS_LONG else 100
AT_ONCE: Final = 1
"""Inputs in flight of the hostile one. Clients and the embedded server share the processor with the
worker here: with more, the neighbour would notice them."""

_ORDINARY: Final = [
    json.dumps({"type": "chat", "text": f"Message number {number}.", "id": f"ordinary-{number}"})
    for number in range(100)
]
_PACKETS: Final = [
    json.dumps(body)[:LIMIT]
    for text in ODD_TEXTS
    for body in (
        {"type": "chat", "text": text, "id": text[:20]},
        {"type": "reactions", "messageId": text, "emoji": text},
        {"op": "note", "id": text, "x": 1e999, "y": text, "text": text},
        {"topic": text, "payload": {"text": text}},
        text,
    )
]


async def test_a_neighbour_is_answered_while_somebody_sends_anything(hostile: Hostile) -> None:
    alone = await latencies(hostile.neighbour)
    ordinary = await beside(hostile, _ORDINARY, ("chat",))
    anything = await beside(hostile, _PACKETS, TOPICS)
    assert len(alone) == len(ordinary) == len(anything) == CALLS
    print(  # noqa: T201 - the figures
        f"\nneighbour's ping, p50 and p99 in ms: {figures(alone)} alone, {figures(ordinary)} beside"
        f" ordinary inputs, {figures(anything)} beside hostile ones"
    )


async def beside(hostile: Hostile, packets: Sequence[str], topics: Sequence[str]) -> list[float]:
    """The neighbour's latencies while somebody sends these packets, and the like."""
    attacks = [
        asyncio.create_task(attack(hostile.client, packets[each::AT_ONCE], topics))
        for each in range(AT_ONCE)
    ]
    taken = await latencies(hostile.neighbour)
    for task in attacks:
        task.cancel()
    await asyncio.gather(*attacks, return_exceptions=True)
    return taken


async def latencies(client: ChatClient) -> list[float]:
    """Seconds of so many calls, one after the other."""
    taken: list[float] = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        await client.call("ping")
        taken.append(time.perf_counter() - begun)
    return sorted(taken)


def figures(taken: list[float]) -> str:
    return f"{taken[len(taken) // 2] * 1e3:.1f} and {taken[len(taken) * 99 // 100] * 1e3:.1f}"


async def attack(client: ChatClient, packets: Sequence[str], topics: Sequence[str]) -> None:
    """Sends packets, calls and streams of these texts, as fast as possible."""
    methods = itertools.cycle(["ping", "getHistory", "getWhiteboard", "editMessage", "nothing"])
    for packet, topic in zip(itertools.cycle(packets), itertools.cycle(topics), strict=False):
        text = packet.encode(errors="replace").decode()
        await client.me.publish_data(text, topic=topic)
        with suppress(rtc.RpcError):
            await client.call(next(methods), text)
        writer = await client.me.stream_text(topic="lk.chat")
        await writer.write(text[:200])
        await writer.aclose()
