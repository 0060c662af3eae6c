"""A message in the model's context: its text, and a line for each file that came with it.

The files themselves are put in when the model is asked, as far as they fit (agent.files): a context
that had them in it would carry them along for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from livekit.agents import llm

from agent.author_label import labelled
from agent.history.message import Attachment
from agent.inbox.message import Form, IncomingMessage

_ATTACHMENTS: Final = "attachments"
_INCOMING: Final = "incoming"


def user_message(message: IncomingMessage, *, authored: bool) -> llm.ChatMessage:
    """A message in the form that the context has, with its author in front or not."""
    extra: dict[str, object] = {_INCOMING: message}
    if message.attachments:
        extra[_ATTACHMENTS] = message.attachments
    content = _content(message, authored=authored)
    return llm.ChatMessage(role="user", content=[content], extra=extra)


def with_author(item: llm.ChatItem) -> llm.ChatItem:
    """The same message with its author in front; an item without an author does not change."""
    message = item.extra.get(_INCOMING) if isinstance(item, llm.ChatMessage) else None
    if not isinstance(message, IncomingMessage):
        return item
    return item.model_copy(update={"content": [_content(message, authored=True)]})


def is_spoken(message: llm.ChatMessage) -> bool:
    """Whether a message in a context was said into a microphone."""
    incoming = message.extra.get(_INCOMING)
    return isinstance(incoming, IncomingMessage) and incoming.form is Form.SPEECH


def message_id_of(item: llm.ChatMessage) -> str | None:
    """Id of the message that somebody wrote or said; None: nobody did."""
    message = item.extra.get(_INCOMING)
    return message.id if isinstance(message, IncomingMessage) else None


def _content(message: IncomingMessage, *, authored: bool) -> str:
    text = message.text
    if authored:
        text = labelled(message.sender.label, text)
    lines = [text] if text else []
    lines += [f"[File: {summary(each)}]" for each in message.attachments]
    return "\n".join(lines)


def without_message(extra: Mapping[str, object]) -> dict[str, object]:
    """The extra of a context's item, for code outside of this conversation."""
    return {name: value for name, value in extra.items() if name != _INCOMING}


def attachments_of(message: llm.ChatMessage) -> tuple[Attachment, ...]:
    """The files of a message in a context."""
    return cast("tuple[Attachment, ...]", message.extra.get(_ATTACHMENTS, ()))


def summary(attachment: Attachment) -> str:
    """A file's description, on one line."""
    return f"{attachment.name} ({attachment.type}, {attachment.size} bytes)"
