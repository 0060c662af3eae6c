"""IdempotencyKeys: one key for each tool call of a turn, the same when the turn runs again."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping

from agent.tool_calls.call_origin import CallOrigin


class IdempotencyKeys:
    """Gives out the keys of the calls that the model makes to answer one message.

    A key follows from the conversation, the message, the tool, its arguments, and how many equal
    calls came before. So a worker that answers a message which another one left unanswered gives
    the same call the same key. An answer that is requested again has other keys, made with the
    number of the answer, which is stored with the message. The keys of an unasked answer are made
    with its segment id.

    Args:
        conversation: its name in the history.
    """

    def __init__(self, conversation: str, origin: CallOrigin) -> None:
        of = origin.message_id or origin.segment_id
        self._turn: list[object] = [conversation, origin.thread, origin.caller.identity, of]
        if origin.generation:
            # The keys of first answers are those of workers that know no generations.
            self._turn.append(origin.generation)
        self._given: Counter[str] = Counter()

    def next(self, tool: str, arguments: Mapping[str, object]) -> str:
        """The key of the next call of a tool with these arguments."""
        call = json.dumps([*self._turn, tool, arguments], sort_keys=True)
        self._given[call] += 1
        return hashlib.sha256(f"{self._given[call]} {call}".encode()).hexdigest()[:32]
