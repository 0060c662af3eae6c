"""A loopback server with the audio half of OpenAI's API, for tests with real sound."""

from __future__ import annotations

import asyncio
import io
import wave
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
from aiohttp import web

from tests.agent.voice.speech import RATE, Samples, say, understand

SPEECH_RATE: Final = 24_000
_CHUNK: Final = 4096


@dataclass
class SpeechServer:
    """`/v1/audio/speech` and `/v1/audio/transcriptions`; an async context manager.

    Attributes:
        spoken: the texts to speak, request by request.
        voices: the voice of each request.
        understood: the recognised texts, request by request.
        languages: the language given with each request; None: to be detected.
        scripted: texts to return instead of the recognised ones, after so many seconds.
        hangs: whether it accepts requests and never responds.
        stt_status, tts_status: the status to fail with; 200: no failure.
    """

    spoken: list[str] = field(default_factory=list[str])
    voices: list[str] = field(default_factory=list[str])
    understood: list[str] = field(default_factory=list[str])
    languages: list[object] = field(default_factory=list[object])
    scripted: tuple[str, float] | None = None
    hangs: bool = False
    stt_status: int = 200
    tts_status: int = 200
    _runner: web.AppRunner | None = None
    _port: int = 0

    @property
    def base_url(self) -> str:
        """The value for STT_BASE_URL and TTS_BASE_URL."""
        return f"http://127.0.0.1:{self._port}/v1"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_post("/v1/audio/speech", self._speech)
        app.router.add_post("/v1/audio/transcriptions", self._transcriptions)
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

    async def _speech(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = await request.json()
        await self._hang()
        if self.tts_status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self.tts_status)
        self.spoken.append(body["input"])
        self.voices.append(body["voice"])
        assert body["response_format"] == "pcm"
        has_words = any(map(str.isalnum, body["input"]))
        audio = (await say(body["input"], SPEECH_RATE)).tobytes() if has_words else b""
        response = web.StreamResponse(headers={"content-type": "audio/pcm"})
        await response.prepare(request)
        try:
            for start in range(0, len(audio), _CHUNK):
                await response.write(audio[start : start + _CHUNK])
            await response.write_eof()
        except ConnectionResetError:
            pass  # The answer was interrupted.
        return response

    async def _transcriptions(self, request: web.Request) -> web.Response:
        await self._hang()
        form = await request.post()
        self.languages.append(form.get("language"))
        if self.stt_status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self.stt_status)
        if self.scripted is not None:
            text, seconds = self.scripted
            await asyncio.sleep(seconds)
            return web.json_response({"text": text})
        uploaded = form["file"]
        assert isinstance(uploaded, web.FileField)
        samples = await asyncio.to_thread(_read_wav, uploaded.file.read())
        text = await understand(samples)
        self.understood.append(text)
        return web.json_response({"text": text})

    async def _hang(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()


def _read_wav(data: bytes) -> Samples:
    with wave.open(io.BytesIO(data)) as file:
        assert file.getframerate() == RATE
        assert file.getnchannels() == 1
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)
