"""The times of a conversation's items, by which a livekit session orders them.

`ChatContext.insert` puts an item behind those that were made before it (`created_at`, by the wall
clock: livekit/agents/llm/chat_context.py). With a clock that was set back, a new message would come
before those that it follows.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from livekit.agents import llm


def end_by_now(items: Iterable[llm.ChatItem]) -> None:
    """Gives items that were made in the future, by a clock that was set back, the present time.

    They keep their order: those of the same time stay as they are.
    """
    now = time.time()
    for item in items:
        item.created_at = min(item.created_at, now)
