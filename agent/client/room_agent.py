"""RoomAgent: the agent of a room, for somebody who is in the room."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from livekit import rtc

from agent.client.agent_error import AgentError, NoAnswerError
from agent.client.agent_participant import AgentParticipant
from agent.client.answer import Answer
from agent.client.answer_reader import AnswerReader
from agent.client.approvals import Decide, asked_approvals
from agent.client.edited_messages import read_edited
from agent.client.elicitations import Answer as Answering
from agent.client.elicitations import asked_elicitations
from agent.client.file_receiver import FileReceiver, ReceivedFile
from agent.client.message import ROOM, Message
from agent.client.message_list import MessageList
from agent.client.method_calls import MethodCalls
from agent.tasks import Tasks

CHAT_TOPIC: Final = "lk.chat"
PARTS_TOPIC: Final = "agent.parts"
FILES_TOPIC: Final = "files"

MAX_ANSWERS: Final = 1_000
"""Own questions whose answers are recognised when they are given again."""

MAX_PACKET_BYTES: Final = 14_000
"""Limit of a private question, which is sent in a packet: this SDK sends a stream's content to
everybody."""


class RoomAgent:
    """A client of the agent in a room. Create it before connecting the room: messages that arrive
    before its handlers are lost.

    Attributes:
        messages: the messages, live and from the history (`load_history`).
        on_approval: decides whether a tool may run, and is cancelled when somebody else has, or the
            agent has left and not asked again within 20 s; without it, that is for others to
            decide, if there are any.
        on_elicitation: answers questions of tools: with fields, True, False for a no, or None for
            neither, and is cancelled when the question is over; without it, nobody can be asked.
        on_file: called with each saved file.
        on_notice: called with each `system` packet from the agent, and with an `approval.ended` or
            `elicitation.ended` for a question that the agent has left without a word about it.
    """

    def __init__(
        self,
        room: rtc.Room,
        *,
        identity: str | None = None,
        topic: str = "llm-response",
        files: Path | None = None,
    ) -> None:
        """
        Args:
            identity: the agent's identity; by default that of the first agent in the room.
            topic: the topic of the answers to read, one of REPLY_TOPICS.
            files: directory for files that the agent sends; None: files are not saved.
        """
        self.room = room
        self.messages = MessageList()
        self.on_approval: Decide | None = None
        self.on_elicitation: Answering | None = None
        self.on_file: Callable[[ReceivedFile], None] | None = None
        self.on_notice: Callable[[Mapping[str, Any]], None] | None = None
        self._agent = AgentParticipant(room, identity)
        self._topic = topic
        self._answers: dict[str, Answer] = {}
        self._methods = MethodCalls(room, lambda: self.identity)
        self._reader = AnswerReader(self.messages, self._answer_to)
        self._files = None if files is None else FileReceiver(files)
        self._approvals = asked_approvals(
            room,
            is_agent=self._agent.is_agent,
            decide=lambda: self.on_approval,
            patience=self._methods.patience,
            on_withdrawn=partial(self._on_withdrawn, "approval.ended"),
        )
        self._elicitations = asked_elicitations(
            room,
            is_agent=self._agent.is_agent,
            answer=lambda: self.on_elicitation,
            patience=self._methods.patience,
            on_withdrawn=partial(self._on_withdrawn, "elicitation.ended"),
        )
        self._tasks = Tasks()
        room.register_text_stream_handler(topic, self._on_text)
        room.register_text_stream_handler(PARTS_TOPIC, self._on_parts)
        if self._files is not None:
            room.register_byte_stream_handler(FILES_TOPIC, self._on_file)
        room.on("data_received", self._on_packet)
        room.on("participant_disconnected", self._on_left)
        room.on("disconnected", self._on_disconnected)

    def follow(self, identity: str) -> None:
        """Selects one of several agents in the room."""
        self._agent.wanted = identity

    @property
    def participant(self) -> rtc.RemoteParticipant | None:
        """The agent, ready or not; None: it is not in the room."""
        return self._agent.participant

    @property
    def identity(self) -> str:
        """The agent's identity. Raises AgentError (404) if it is not in the room."""
        return self._agent.identity

    @property
    def method_names(self) -> tuple[str, ...]:
        """The RPC methods that can be called."""
        return self._agent.method_names

    async def ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - a convenience
        """Returns when the agent is in the room and its methods can be called. Raises
        TimeoutError."""
        self._approvals.open()
        self._elicitations.open()
        async with asyncio.timeout(timeout):
            await self._agent.ready()

    async def ask(
        self,
        text: str,
        *,
        private: bool = False,
        attachments: Sequence[Path] = (),
        reply_to: str | None = None,
        silence: float = 60.0,
    ) -> Answer:
        """Sends a message; read the answer from the returned object.

        Args:
            private: nobody else gets the question or the answer. At most 14,000 bytes. Files are
                not private: this SDK sends their content to everybody.
            attachments: files that belong to the message.
            reply_to: segment id of the agent's answer that it replies to.
            silence: seconds without data after which the answer fails.

        Raises:
            AgentError: the message cannot be sent.
        """
        message_id = uuid.uuid4().hex
        attached = [await self.send_file(path, private=private) for path in attachments]
        answer = self._expect(message_id, silence)
        me = self.room.local_participant
        if private:
            fields = {"private": True, "replyTo": reply_to, "attachments": attached or None}
            packet = {"type": "chat", "id": message_id, "text": text, **fields}
            data = json.dumps({k: v for k, v in packet.items() if v is not None}).encode()
            if len(data) > MAX_PACKET_BYTES:
                raise AgentError(413, f"a private question may have {MAX_PACKET_BYTES} bytes")
            await me.publish_data(data, destination_identities=[self.identity])
        else:
            attributes = {"in_reply_to": reply_to or "", "attachments": ",".join(attached)}
            writer = await me.stream_text(
                topic=CHAT_TOPIC,
                stream_id=message_id,
                attributes={k: v for k, v in attributes.items() if v},
            )
            await writer.write(text)
            await writer.aclose()
        own = Message(
            id=message_id,
            thread=f"private:{me.identity}" if private else ROOM,
            role="user",
            sender_id=me.identity,
            sender_name=me.name,
            text=text,
            timestamp=int(time.time() * 1000),
        )
        self.messages.put(own)
        return answer

    async def send_file(self, path: Path, *, private: bool = False) -> str:
        """Sends a file; returns its stream's id. A file alone is a message without an answer."""
        info = await self.room.local_participant.send_file(
            str(path),
            topic=FILES_TOPIC,
            attributes={"scope": "private"} if private else {},
            destination_identities=[self.identity] if private else None,
        )
        return info.stream_id

    async def call(
        self,
        method: str,
        arguments: Mapping[str, object] | str | None = None,
        timeout: float = 15.0,  # noqa: ASYNC109 - the SDK's own parameter
    ) -> Any:  # noqa: ANN401 - whatever the method has
        """Calls an RPC method; decodes a JSON result, and returns other text as it is. No time
        counts in which the method's tool asks this client. Raises AgentError."""
        may_ask = self.on_approval is not None or self.on_elicitation is not None
        text = await self._methods.call(method, arguments, timeout, may_ask=may_ask)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text

    async def tools(self) -> list[dict[str, Any]]:
        """The tools that you may call, with the JSON schemas of their arguments."""
        return (await self.call("describeTools"))["tools"]

    async def stop(self, message_id: str | None = None) -> list[str]:
        """Stops an answer, by default the one in progress to your own message."""
        return (await self.call("stopResponse", _given(messageId=message_id)))["stopped"]

    async def regenerate(self, message_id: str, *, silence: float = 60.0) -> Answer:
        """Regenerates the answer to one of your messages; read it from the returned object."""
        return await self._again("regenerate", message_id, {}, silence)

    async def edit(self, message_id: str, text: str, *, silence: float = 60.0) -> Answer:
        """Edits one of your messages, which is then answered again."""
        return await self._again("editMessage", message_id, {"text": text}, silence)

    async def delete(self, message_id: str) -> list[str]:
        """Deletes a message with its answer, or an answer; returns the deleted ids."""
        return (await self.call("deleteMessage", {"messageId": message_id}))["deleted"]

    async def feedback(self, message_id: str, value: str | float, comment: str = "") -> None:
        """Sends feedback on an answer: `up`, `down` or a number."""
        given = _given(messageId=message_id, value=value, comment=comment or None)
        await self.call("sendFeedback", given)

    async def react(self, message_id: str, emoji: str, *, remove: bool = False) -> None:
        """Adds an emoji to a message, or removes it."""
        payload = {"emoji": emoji, "targetMessageId": message_id, "remove": remove}
        packet = json.dumps({"topic": "reactions", "payload": payload})
        await self.room.local_participant.publish_data(
            packet, topic="reactions", destination_identities=[self.identity]
        )

    async def threads(self) -> list[dict[str, Any]]:
        """The threads that you may see."""
        return (await self.call("listThreads"))["threads"]

    async def load_history(
        self, thread: str = ROOM, *, limit: int = 50, before: str | None = None
    ) -> str | None:
        """Adds a page of the history to `messages`; returns the cursor of the page before it."""
        given = _given(thread=thread, limit=limit, before=before)
        page = await self.call("getHistory", given)
        for shape in page["messages"]:
            self.messages.put(Message.of_history(shape))
        return page.get("nextBefore")

    async def act(
        self, message_id: str, part: str, action: str, payload: Mapping[str, object] | None = None
    ) -> Any:  # noqa: ANN401 - whatever the tool says
        """Triggers an action of a data part of an answer."""
        given = _given(message=message_id, part=part, action=action, payload=payload)
        return await self.call("partAction", given)

    async def state(self, thread: str = ROOM) -> dict[str, Any]:
        """The shared state: `{"thread", "revision", "state"}`."""
        return await self.call("getState", {"thread": thread})

    async def patch_state(self, *operations: Mapping[str, object], thread: str = ROOM) -> int:
        """Changes the shared state by a JSON patch; returns the new revision."""
        given = {"thread": thread, "patch": list(operations)}
        return (await self.call("patchState", given))["revision"]

    async def aclose(self) -> None:
        """Stops reading; the room stays connected."""
        self._approvals.all_ended()
        self._elicitations.all_ended()
        await self._tasks.aclose()

    async def _again(
        self, method: str, message_id: str, more: Mapping[str, object], silence: float
    ) -> Answer:
        former = self._answers.get(message_id)
        answer = self._expect(message_id, silence)
        try:
            await self.call(method, {"messageId": message_id, **more})
        except AgentError:
            if former is not None:
                self._answers[message_id] = former
            raise
        return answer

    def _expect(self, message_id: str, silence: float) -> Answer:
        answer = self._answers[message_id] = Answer(message_id, silence=silence)
        if len(self._answers) > MAX_ANSWERS:
            del self._answers[next(iter(self._answers))]
        return answer

    def _answer_to(self, attributes: Mapping[str, Any]) -> Answer | None:
        """The own question's answer that a stream or packet belongs to, by its attributes."""
        me = self.room.local_participant.identity
        if attributes.get("in_reply_to_sender", me) != me:
            return None
        return self._answers.get(str(attributes.get("in_reply_to")))

    def _on_text(self, reader: rtc.TextStreamReader, identity: str) -> None:
        if self._agent.is_agent(identity):
            # Private answers are read in packets, which every client gets.
            if (reader.info.attributes or {}).get("scope") == "private":
                reader.close()
            else:
                self._tasks.start(self._reader.read_text(reader, identity), name="answer")

    def _on_parts(self, reader: rtc.TextStreamReader, identity: str) -> None:
        if self._agent.is_agent(identity):
            answer = self._reader.open_parts(reader)
            self._tasks.start(self._reader.read_parts(reader, answer), name="parts")

    def _on_file(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        if self._agent.is_agent(identity):
            self._tasks.start(self._save(reader), name="file")

    async def _save(self, what: rtc.ByteStreamReader | Mapping[str, Any]) -> None:
        if self._files is None:
            return
        if isinstance(what, Mapping):
            saved = await self._files.hear(what)
        else:
            saved = await self._files.read(what)
        if saved is not None and self.on_file is not None:
            self.on_file(saved)

    def _on_packet(self, packet: rtc.DataPacket) -> None:
        if packet.participant is None or not self._agent.is_agent(packet.participant.identity):
            return
        try:
            body = cast("object", json.loads(packet.data))
        except (ValueError, RecursionError):
            return
        if not isinstance(body, dict):
            return
        fields = cast("dict[str, Any]", body)
        if packet.topic == "system":
            self._hear_notice(fields)
        elif packet.topic == "rpc":
            self._methods.hear(fields)
        elif packet.topic == FILES_TOPIC and fields.get("type") == "file":
            self._tasks.start(self._save(fields), name="file")
        elif packet.topic == self._topic and fields.get("type") == "delta":
            me = self.room.local_participant.identity
            self._reader.hear_delta(fields, packet.participant.identity, f"private:{me}")

    def _hear_notice(self, notice: Mapping[str, Any]) -> None:
        event = notice.get("event")
        ids = [str(each) for each in notice.get("messageIds") or ()]
        if event == "error":
            error = NoAnswerError(notice.get("code", 500), str(notice.get("content", "")))
            for answer in [self._answers[each] for each in ids if each in self._answers]:
                answer.fail(error)
        elif event == "answer.finished":
            answer = self._answers.get(str(notice.get("inReplyTo")))
            if answer is not None:
                answer.finish()
        elif event in {"approval.ended", "elicitation.ended"}:
            self._approvals.ended(str(notice.get("callId")))
            self._elicitations.ended(str(notice.get("questionId")))
        else:
            self.messages.apply(notice)
            if event == "message.edited" and notice.get("truncated"):
                reading = read_edited(notice, self.messages, self.call)
                self._tasks.start(reading, name="read an edited message")
        if self.on_notice is not None:
            self.on_notice(notice)

    def _on_left(self, participant: rtc.RemoteParticipant) -> None:
        if self._agent.wanted in {None, participant.identity} and self.participant is None:
            self._approvals.agent_left()
            self._elicitations.agent_left()
            self._fail_all("the agent has left the room")

    def _on_disconnected(self, *_: object) -> None:
        self._approvals.all_ended()
        self._elicitations.all_ended()
        self._fail_all("the connection to the room is lost")

    def _on_withdrawn(self, event: str, asked: Mapping[str, Any]) -> None:
        if self.on_notice is not None:
            ids = {each: asked[each] for each in ("callId", "questionId", "tool") if each in asked}
            end = {**ids, "outcome": "cancelled", "content": "The agent has left."}
            self.on_notice({"event": event, **end})

    def _fail_all(self, reason: str) -> None:
        for answer in self._answers.values():
            answer.fail(NoAnswerError(503, reason))


def _given(**arguments: object) -> dict[str, object]:
    return {name: value for name, value in arguments.items() if value is not None}
