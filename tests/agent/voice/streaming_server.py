"""A loopback server with the WebSockets of Deepgram (speech to text) and Cartesia (text to speech).

The messages are those that https://developers.deepgram.com/reference/speech-to-text/listen-streaming
and https://docs.cartesia.ai/api-reference/tts/websocket describe, as far as their plugins use them.
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
from aiohttp import WSMsgType, web

from tests.agent.voice.speech import RATE, say, understand

SPEECH_RATE: Final = 24_000
LOUD: Final = 300.0
"""Mean amplitude of speech."""
PAUSE: Final = 0.5
"""Seconds of silence that end an utterance."""
_PIECE: Final = 9_600


@dataclass
class StreamingServer:
    """An async context manager.

    Attributes:
        listens: the query of each connection for recognition.
        keys: the keys that were sent, `stt …` and `tts …`.
        understood: the recognised texts.
        spoken: the texts to speak, sentence by sentence.
        voices: ids of the voices they were spoken in.
        cuts: connections that are cut at the first sound from now on, instead of served.
        tts_status: the status to refuse synthesis with; 101: none.
    """

    listens: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    keys: set[str] = field(default_factory=set[str])
    understood: list[str] = field(default_factory=list[str])
    spoken: list[str] = field(default_factory=list[str])
    voices: set[str] = field(default_factory=set[str])
    cuts: int = 0
    tts_status: int = 101
    _listeners: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None
    _port: int = 0

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables of the example."""
        url = f"http://127.0.0.1:{self._port}"
        return {
            "DEEPGRAM_URL": f"{url}/v1/listen",
            "DEEPGRAM_API_KEY": "a key for ears",
            "CARTESIA_URL": url,
            "CARTESIA_API_KEY": "a key for a mouth",
        }

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v1/listen", self._listen)
        app.router.add_get("/tts/websocket", self._speak)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _listen(self, request: web.Request) -> web.WebSocketResponse:
        self.listens.append(dict(request.query))
        self.keys.add(f"stt {request.headers['Authorization']}")
        assert request.query["encoding"] == "linear16"
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._listeners += 1
        try:
            await self._recognize(socket)
        finally:
            self._listeners -= 1
            self._changed.set()
        return socket

    async def left(self) -> None:
        """Returns when nobody is connected for recognition."""
        while self._listeners:
            self._changed.clear()
            async with asyncio.timeout(30):
                await self._changed.wait()

    async def _recognize(self, socket: web.WebSocketResponse) -> None:
        heard, silence = bytearray(), 0
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                if self.cuts:
                    self.cuts -= 1
                    await socket.close(code=1011)
                    break
                sound = np.frombuffer(message.data, np.int16)
                is_loud = float(np.abs(sound.astype(np.int32)).mean()) > LOUD
                if is_loud and not heard:
                    await socket.send_json({"type": "SpeechStarted", "timestamp": 0.0})
                    await socket.send_json(_results("…", is_final=False))
                if is_loud or heard:
                    heard += message.data
                    silence = 0 if is_loud else silence + len(sound)
                if heard and silence > PAUSE * RATE:
                    await self._understand(socket, heard)
            elif message.type is WSMsgType.TEXT:
                kind = json.loads(message.data)["type"]
                assert kind in {"KeepAlive", "Finalize", "CloseStream"}
                if kind != "KeepAlive" and heard:
                    await self._understand(socket, heard)
                if kind == "CloseStream":
                    await socket.send_json({"type": "Metadata"})
                    await socket.close()

    async def _understand(self, socket: web.WebSocketResponse, heard: bytearray) -> None:
        samples = np.frombuffer(bytes(heard), np.int16)
        heard.clear()
        text = await understand(samples)
        self.understood.append(text)
        await socket.send_json(_results(text, is_final=True))

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        if self.tts_status != 101:
            return web.Response(status=self.tts_status)
        self.keys.add(f"tts {request.headers['X-API-Key']}")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            asked: dict[str, Any] = json.loads(message.data)
            if "transcript" not in asked:
                continue  # The context is cancelled.
            context = {"context_id": asked["context_id"], "status_code": 206}
            assert asked["output_format"]["encoding"] == "pcm_s16le"
            assert asked["output_format"]["sample_rate"] == SPEECH_RATE
            self.voices.add(asked["voice"]["id"])
            if text := asked["transcript"].strip():
                self.spoken.append(text)
                sound = (await say(text, SPEECH_RATE)).tobytes()
                for start in range(0, len(sound), _PIECE):
                    piece = base64.b64encode(sound[start : start + _PIECE]).decode()
                    await socket.send_json(
                        {"type": "chunk", "data": piece, "done": False, **context}
                    )
            if not asked["continue"]:
                await socket.send_json({"type": "done", "done": True, **context})
        return socket


def _results(text: str, *, is_final: bool) -> dict[str, Any]:
    words = [
        {"word": word, "start": 0.0, "end": 0.1, "confidence": 0.9, "punctuated_word": word}
        for word in text.split()
    ]
    return {
        "type": "Results",
        "is_final": is_final,
        "speech_final": is_final,
        "start": 0.0,
        "duration": 1.0,
        "channel": {"alternatives": [{"transcript": text, "confidence": 0.9, "words": words}]},
        "metadata": {"request_id": "a request"},
    }
