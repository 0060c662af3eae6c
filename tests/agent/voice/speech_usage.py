"""What a worker has counted of its speech services."""

from __future__ import annotations

from agent.history.accounts import UsageCounts
from agent.history.open_history import open_history
from tests.agent.conftest import Worker
from tests.agent.voice.speech import RATE, say


async def speech_usage(worker: Worker) -> dict[tuple[str, str], UsageCounts]:
    """By identity and model; the worker ends, since it then writes what it has counted."""
    await worker.server.aclose()
    history = open_history(worker.settings.database_url)
    found = await history.accounts.usage(since="2020-01-01", until="9999-12-31")
    await history.aclose()
    return {
        (key.identity, key.model): counts
        for key, counts in found
        if counts.heard_ms or counts.spoken_ms
    }


async def length(*texts: str) -> float:
    """Ms of these texts, spoken."""
    return sum([len(await say(text)) for text in texts]) * 1000 / RATE
