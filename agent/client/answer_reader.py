"""AnswerReader: the agent's streams and packets become messages and answers."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from livekit import rtc

from agent.client.agent_error import NoAnswerError
from agent.client.answer import Answer
from agent.client.message import ROOM, Message
from agent.client.message_list import MessageList

MAX_STREAMS: Final = 1_000
"""Number of answers whose latest stream is remembered."""

FindAnswer = Callable[[Mapping[str, Any]], Answer | None]
"""The answer to one of your questions, by a stream's attributes."""


class AnswerReader:
    """If one answer has several streams, the latest one counts."""

    def __init__(self, messages: MessageList, answer_to: FindAnswer) -> None:
        self._messages = messages
        self._answer_to = answer_to
        self._latest: OrderedDict[tuple[str, str], rtc.TextStreamReader] = OrderedDict()

    async def read_text(self, reader: rtc.TextStreamReader, agent: str) -> None:
        """Reads an answer to the room to its end."""
        attributes = reader.info.attributes or {}
        segment = attributes.get("lk.segment_id", "")
        self._is_latest("text", segment, reader)
        answer = self._answer_to(attributes)
        message = self._begin(segment, attributes, ROOM, agent)
        if answer is not None:
            answer.begin(segment)
        try:
            async for chunk in reader:
                if self._latest.get(("text", segment)) is not reader:
                    return
                self._say(message, answer, chunk)
        except rtc.StreamError:
            self._broke_off(answer)
            return
        reason = (reader.info.attributes or {}).get("finish_reason")
        if reason is None:
            self._broke_off(answer)
            return
        self._end(message, answer, reason)

    def hear_delta(self, delta: Mapping[str, Any], agent: str, thread: str) -> None:
        """Takes a packet of a private answer."""
        segment = str(delta.get("id"))
        attributes = {
            "in_reply_to": delta.get("inReplyTo"),
            "in_reply_to_sender": delta.get("inReplyToSenderId"),
            "position": delta.get("position"),
        }
        answer = self._answer_to(attributes)
        message = self._messages.find(segment, agent)
        if delta.get("seq") == 0 or message is None:
            message = self._begin(segment, attributes, thread, agent)
            if answer is not None:
                answer.begin(segment)
        self._say(message, answer, str(delta.get("text", "")))
        if delta.get("final"):
            self._end(message, answer, str(delta.get("finishReason")))

    def open_parts(self, reader: rtc.TextStreamReader) -> Answer | None:
        """Registers a stream of parts, in the order in which they are opened."""
        attributes = reader.info.attributes or {}
        segment = attributes.get("lk.segment_id", "")
        self._is_latest("parts", segment, reader)
        message = self._messages.find(segment)
        if message is not None:
            self._messages.parts_begin(message)
        answer = self._answer_to(attributes)
        if answer is not None:
            answer.parts_opened()
        return answer

    async def read_parts(self, reader: rtc.TextStreamReader, answer: Answer | None) -> None:
        """Reads the parts of an answer to the end."""
        segment = (reader.info.attributes or {}).get("lk.segment_id", "")
        parts: dict[str, dict[str, Any]] = {}
        rest = ""
        try:
            async for chunk in reader:
                *lines, rest = (rest + chunk).split("\n")
                if self._latest.get(("parts", segment)) is not reader:
                    return
                for line in lines:
                    self._show(line, parts, answer)
                self._keep_parts(segment, parts)
        except rtc.StreamError:
            return
        finally:
            if self._latest.get(("parts", segment)) is reader:
                del self._latest["parts", segment]
                message = self._keep_parts(segment, parts)
                if message is not None:
                    self._messages.parts_end(message)
            if answer is not None:
                answer.parts_ended()

    def _show(self, line: str, parts: dict[str, dict[str, Any]], answer: Answer | None) -> None:
        try:
            read = cast("object", json.loads(line))
        except (ValueError, RecursionError):
            return
        if not isinstance(read, dict):
            return
        part = cast("dict[str, Any]", read)
        part_id = str(part.get("id"))
        if "append" in part:
            known = parts.get(part_id, {})
            if "text" not in known:
                return
            part = known | {"text": known["text"] + part["append"]}
        parts[part_id] = part
        if answer is not None:
            answer.show(part)

    def _keep_parts(self, segment: str, parts: dict[str, dict[str, Any]]) -> Message | None:
        message = self._messages.find(segment)
        if message is not None:
            message.parts = dict(parts)
            self._messages.changed(message)
        return message

    def _begin(
        self, segment: str, attributes: Mapping[str, Any], thread: str, agent: str
    ) -> Message:
        position = attributes.get("position")
        # Parts of a former answer do not count: this one's own are being read, if it has any yet.
        former = self._messages.find(segment, agent) if ("parts", segment) in self._latest else None
        message = Message(
            id=segment,
            thread=thread,
            role="assistant",
            sender_id=agent,
            timestamp=int(time.time() * 1000),
            position=None if position is None else int(position),
            in_reply_to=attributes.get("in_reply_to"),
            in_reply_to_sender=attributes.get("in_reply_to_sender"),
            parts={} if former is None else former.parts,
        )
        question = self._messages.find(str(message.in_reply_to), message.in_reply_to_sender)
        if question is not None and question.position is None and message.position is not None:
            question.position = message.position - 1
        return self._messages.put(message)

    def _say(self, message: Message, answer: Answer | None, text: str) -> None:
        message.text += text
        self._messages.changed(message)
        if answer is not None:
            answer.say(text)

    def _end(self, message: Message, answer: Answer | None, reason: str) -> None:
        message.finish_reason = reason
        self._messages.ended(message)
        if answer is not None:
            answer.end(reason)

    def _broke_off(self, answer: Answer | None) -> None:
        if answer is not None:
            answer.fail(NoAnswerError(500, "the answer broke off"))

    def _is_latest(self, kind: str, segment: str, reader: rtc.TextStreamReader) -> None:
        self._latest[kind, segment] = reader
        self._latest.move_to_end((kind, segment))
        if len(self._latest) > MAX_STREAMS:
            self._latest.popitem(last=False)
