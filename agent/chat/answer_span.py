"""Log fields and the trace span of one answer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.telemetry import log_fields, spans

if TYPE_CHECKING:
    from collections.abc import Generator

    from agent.history.message import ThreadKey


@contextmanager
def answer_span(thread: ThreadKey, message_id: str) -> Generator[None]:
    """Keep it open while a message is answered."""
    with (
        log_fields.bound(message_id=message_id),
        spans.span(
            "invoke_agent",
            gen_ai__operation__name="invoke_agent",
            gen_ai__conversation__id=f"{thread.room}/{thread.id}",
            room_agent__message__id=message_id,
        ),
    ):
        yield
