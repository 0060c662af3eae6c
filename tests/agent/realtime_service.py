"""OpenAI's Realtime API by websocket, as far as the plugin uses it."""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Self

from aiohttp import WSCloseCode, web
from aiohttp.test_utils import TestServer

Item = dict[str, Any]

CHUNK = 4_800
"""Bytes of 0.1 s of sound: 24 kHz, 16 bits."""


@dataclass(frozen=True)
class Said:
    """What the model answers.

    Attributes:
        text: its words; none: it calls the tool `call`, with arguments.
        sound: of the words.
        fault: `failed`: the response fails; `cut`: the connection breaks off after the words.
    """

    text: str = ""
    sound: bytes = bytes(CHUNK)
    call: tuple[str, str] = ("", "{}")
    fault: str = ""


@dataclass
class Asked:
    """The context of a response: roles with words, with `sound` for what has none, results."""

    context: list[tuple[str, str]]


class RealtimeService:
    """Answers what it is scripted to.

    Attributes:
        settings: of the latest session.
        asked: each response's context.
        turns: sound that was committed, by turn.
        events: types of the client's events.
        connections: those that clients have opened, in order.
        cleared: set once a client has dropped sound that it had not committed.
        left: set once a client's connection has ended.
        is_silent: it answers nothing.
    """

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.asked: list[Asked] = []
        self.turns: list[bytes] = []
        self.events: list[str] = []
        self.connections: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
        self.cleared = asyncio.Event()
        self.left = asyncio.Event()
        self.is_silent = False
        self._script: deque[Said] = deque()
        self._ids = count(1)
        self._sockets: list[web.WebSocketResponse] = []
        application = web.Application()
        application.router.add_get("/v1/realtime", self._serve)
        self._server = TestServer(application)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in self._sockets:
            await socket.close()
        await self._server.close()

    @property
    def base_url(self) -> str:
        return str(self._server.make_url("/v1"))

    def script(self, *said: Said) -> None:
        self._script.extend(said)

    @property
    def tools(self) -> list[str]:
        """Names of the tools of the latest session."""
        return [each["name"] for each in self.settings.get("tools", [])]

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        self.connections.put_nowait(socket)
        connection = _Connection(self, socket)
        async for message in socket:
            event = message.json()
            self.events.append(event["type"])
            await connection.take(event)
        self.left.set()
        return socket

    def next_said(self) -> Said:
        return self._script.popleft()

    def new_id(self, kind: str) -> str:
        return f"{kind}_{next(self._ids)}"


class _Connection:
    """One session: its context, and the sound that nobody committed."""

    def __init__(self, service: RealtimeService, socket: web.WebSocketResponse) -> None:
        self._service = service
        self._socket = socket
        self._items: list[Item] = []
        self._sound = bytearray()

    async def take(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "session.update":
                self._service.settings |= event["session"]
            case "conversation.item.create" if self._has(event["item"]["id"]):
                await self._refuse(event, "item_create_duplicate_item_id")
            case "conversation.item.create":
                await self._add(event["item"], event["previous_item_id"])
            case "conversation.item.delete" if not self._has(event["item_id"]):
                await self._refuse(event, "item_delete_invalid_item_id")
            case "conversation.item.delete":
                self._items = [each for each in self._items if each["id"] != event["item_id"]]
                await self._send("conversation.item.deleted", item_id=event["item_id"])
            case "input_audio_buffer.append":
                self._sound += base64.b64decode(event["audio"])
            case "input_audio_buffer.clear":
                self._sound.clear()
                self._service.cleared.set()
            case "input_audio_buffer.commit":
                self._service.turns.append(bytes(self._sound))
                self._sound.clear()
                heard = [{"type": "input_audio", "transcript": None}]
                item = self._message("user", heard)
                await self._add(item, self._last)
                if self._service.settings["audio"]["input"].get("transcription"):
                    await self._send(
                        "conversation.item.input_audio_transcription.completed",
                        item_id=item["id"],
                        content_index=0,
                        transcript="words that the service understood",
                    )
            case "response.create":
                await self._respond(event["response"]["metadata"])
            case _:
                pass

    @property
    def _last(self) -> str | None:
        return self._items[-1]["id"] if self._items else None

    def _has(self, item_id: str) -> bool:
        return any(each["id"] == item_id for each in self._items)

    def _message(self, role: str, content: list[Item]) -> Item:
        new_id = self._service.new_id("item")
        return {"id": new_id, "type": "message", "role": role, "content": content}

    async def _send(self, kind: str, **fields: object) -> None:
        if self._service.is_silent:
            return
        event = {"type": kind, "event_id": self._service.new_id("event"), **fields}
        with suppress(ConnectionError):
            await self._socket.send_json(event)

    async def _refuse(self, event: dict[str, Any], code: str) -> None:
        about = {"type": "invalid_request_error", "code": code, "message": code}
        await self._send("error", error={**about, "event_id": event["event_id"]})

    async def _add(self, item: Item, behind: str | None) -> None:
        ids = [each["id"] for each in self._items]
        self._items.insert(0 if behind in {None, "root"} else ids.index(str(behind)) + 1, item)
        place = None if behind == "root" else behind
        await self._send("conversation.item.added", item=item, previous_item_id=place)

    async def _respond(self, metadata: dict[str, str]) -> None:
        self._service.asked.append(Asked([_described(each) for each in self._items]))
        said = self._service.next_said()
        response: dict[str, Any] = {
            "id": self._service.new_id("resp"),
            "object": "realtime.response",
        }
        begun = {**response, "status": "in_progress", "metadata": metadata}
        await self._send("response.created", response=begun)
        ended: dict[str, Any] = {**response, "status": "completed"}
        if said.fault == "failed":
            error = {"type": "server_error", "code": "overloaded"}
            ended |= {"status": "failed", "status_details": {"type": "failed", "error": error}}
        elif said.text:
            await self._speak(said)
        else:
            await self._call(*said.call)
        if said.fault == "cut":
            await self._socket.close(code=WSCloseCode.INTERNAL_ERROR)
        else:
            await self._send("response.done", response=ended)

    async def _speak(self, said: Said) -> None:
        item = self._message("assistant", [])
        place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        await self._send("response.output_item.added", item=item, output_index=0)
        await self._add(item, self._last)
        part = {"type": "audio", "transcript": ""}
        await self._send("response.content_part.added", part=part, **place)
        for word in said.text.split(" "):
            delta = word if said.text.startswith(word) else f" {word}"
            await self._send("response.output_audio_transcript.delta", delta=delta, **place)
        for start in range(0, len(said.sound), CHUNK):
            piece = base64.b64encode(said.sound[start : start + CHUNK]).decode()
            await self._send("response.output_audio.delta", delta=piece, **place)
        if said.fault != "cut":
            item["content"] = [{"type": "output_audio", "transcript": said.text}]
            await self._send("response.output_item.done", item=item, output_index=0)

    async def _call(self, name: str, arguments: str) -> None:
        new_id = self._service.new_id("item")
        item = {"id": new_id, "type": "function_call", "call_id": f"call_{new_id}", "name": name}
        begun = {**item, "arguments": ""}
        await self._send("response.output_item.added", item=begun, output_index=0)
        await self._add(begun, self._last)
        begun["arguments"] = arguments
        await self._send("response.output_item.done", item=begun, output_index=0)


def _described(item: Item) -> tuple[str, str]:
    if item["type"] == "function_call":
        return "call", item["name"]
    if item["type"] == "function_call_output":
        return "result", item["output"]
    [content] = item["content"]
    return item["role"], content.get("text") or content.get("transcript") or "sound"
