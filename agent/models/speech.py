"""SpeechService: speech recognition and synthesis for all rooms of a process.

Not imported by a worker that has no room with a microphone. Everything runs here or at the
configured services: the framework's own defaults for the detection of turns and interruptions
would call LiveKit's cloud.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import openai
from livekit import local_inference
from livekit.agents import LanguageCode, inference, stt, tts, vad
from livekit.agents.voice.turn import TurnHandlingOptions
from pydantic import SecretStr

from agent.app.speech import make_speech
from agent.config.proxies import DIRECT, Proxies
from agent.config.settings import Settings
from agent.models.borrowed_speech import BorrowedSTT, BorrowedTTS, MissingSTT, MissingTTS
from agent.models.plugin_http import PluginHttp

if TYPE_CHECKING:
    import httpx2

    from agent.app.app import App
    from agent.app.speech import Kind, SpeechToText, TextToSpeech
    from agent.models.main_thread import OnMainThread

logger = logging.getLogger(__name__)

NO_KEY = "none"
"""For services that need no key; the client insists on one."""

VAD_THREADS = 2

SILENCE = 10.0
"""Seconds without a byte after which synthesis has failed; the plugin would wait for 30."""


class SpeechService:
    """Makes STT, TTS and VAD for conversations; they share connections and models.

    Each session has its own of each, because it listens to their errors.
    """

    def __init__(
        self, settings: Settings, proxies: Proxies = DIRECT, app: App | None = None
    ) -> None:
        """`app`: its STT and TTS replace the configured services."""
        self._settings = settings
        self._stt, self._tts = (None, None) if app is None else (app.stt, app.tts)
        self._has_own = app is not None and app.has_speech
        self._http = PluginHttp()
        self._lent: dict[int, stt.STT[Any] | tts.TTS[Any]] = {}
        self._stt_client = _client(
            settings.stt_base_url or settings.openai_base_url,
            settings.stt_api_key if settings.stt_base_url else settings.openai_api_key,
            proxies,
        )
        self._tts_client = _client(
            settings.tts_base_url or settings.openai_base_url,
            settings.tts_api_key if settings.tts_base_url else settings.openai_api_key,
            proxies,
            event_hooks={"request": [_limit_silence]},
        )
        self._executor = ThreadPoolExecutor(VAD_THREADS, thread_name_prefix="vad")

    async def load(self, on_main_thread: OnMainThread) -> None:
        """Loads the models that run in this process, off the event loop; quick if done before.

        About 250 MB, once for a process, nearly all of it for the end-of-turn model. The plugin is
        imported meanwhile: participants may speak already.
        """
        await asyncio.gather(asyncio.to_thread(_load), on_main_thread(_load_plugin))
        if self._has_own:
            await self._http.open()

    def open_stt(self, language: str | None, chosen: SpeechToText | None = None) -> stt.STT[Any]:
        """Speech recognition: the app's, or one request to the service for each utterance.

        Args:
            language: the room's, if it has one of its own: a tag, or a name in English. One that
                livekit-agents does not know is left to be found out.
            chosen: the agent's own, in place of the app's.
        """
        if (given := chosen or self._stt) is not None:
            return self._borrow_stt(given, language)
        language = _code(language) if language else self._settings.stt_language
        from livekit.plugins.openai import STT  # noqa: PLC0415 - see _load_plugin

        return STT(
            client=self._stt_client,
            model=self._settings.stt_model,
            language=language,
            detect_language=not language,
            use_realtime=False,
        )

    def open_tts(
        self,
        voice: str | None,
        language: str | None = None,
        chosen: TextToSpeech | None = None,
    ) -> tts.TTS[Any]:
        """Speech synthesis, in the voice of the room if it has one of its own.

        Args:
            language: the room's, for a function of the app.
            chosen: the agent's own, in place of the app's.
        """
        if (given := chosen or self._tts) is not None:
            return self._borrow_tts(given, voice, language)
        from livekit.plugins.openai import TTS  # noqa: PLC0415 - see _load_plugin

        return TTS(
            client=self._tts_client,
            model=self._settings.tts_model,
            voice=voice or self._settings.tts_voice,
            # Uncompressed, with nothing to encode or decode: the first sound comes earliest.
            response_format="pcm",
        )

    def open_vad(self) -> vad.VAD:
        """Silero VAD, as it comes with livekit-agents."""
        return inference.VAD(model="silero", executor=self._executor)

    def turn_handling(self) -> TurnHandlingOptions:
        """Detection of the end of a turn, and of interruptions, in a session: both on this
        machine."""
        return {
            "turn_detection": self.turn_detector(),
            "interruption": {"mode": "vad"},
            # A turn is stored, and waits for its place among the messages, before it is answered.
            "preemptive_generation": {"enabled": False},
        }

    def turn_detector(self) -> inference.TurnDetector:
        """The end-of-turn model of this machine."""
        return inference.TurnDetector(version="v1-mini")

    async def aclose(self) -> None:
        """Closes connections and threads; the models stay with the process."""
        for lent in self._lent.values():
            await lent.aclose()
        await self._http.aclose()
        await self._stt_client.close()
        await self._tts_client.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _borrow_stt(self, given: SpeechToText, language: str | None) -> stt.STT[Any]:
        if (made := self._made(given, "STT", language=language)) is None:
            return MissingSTT()
        model, is_own = made
        return BorrowedSTT(model, self._http, is_own=is_own)

    def _borrow_tts(
        self, given: TextToSpeech, voice: str | None, language: str | None
    ) -> tts.TTS[Any]:
        if (made := self._made(given, "TTS", voice=voice, language=language)) is None:
            return MissingTTS()
        model, is_own = made
        return BorrowedTTS(model, self._http, is_own=is_own)

    def _made(self, given: object, kind: Kind, **values: str | None) -> tuple[Any, bool] | None:
        """An STT or TTS of the app, and whether it is the conversation's alone; None: the app could
        not make it."""
        try:
            model, is_own = self._http.context().run(lambda: make_speech(given, kind, **values))
        except Exception:
            # The boundary around the app's own function.
            logger.exception("the app's %s could not be made; rooms continue without it", kind)
            return None
        if not is_own:
            self._lent[id(model)] = model
        return model, is_own


def _load_plugin() -> None:
    """Imports livekit-plugins-openai, which registers itself: only the main thread may do that."""
    importlib.import_module("livekit.plugins.openai")


def _code(language: str) -> str:
    """The two letters (ISO 639-1) of a language; empty if it is not known."""
    code = LanguageCode(language)
    return code.language if code.to_language_name() else ""


async def _limit_silence(request: httpx2.Request) -> None:
    request.extensions["timeout"] = {**request.extensions.get("timeout", {}), "read": SILENCE}


def _client(
    base_url: str,
    api_key: SecretStr | None,
    proxies: Proxies,
    **options: Any,  # noqa: ANN401 - the client's own
) -> openai.AsyncClient:
    return openai.AsyncClient(
        base_url=base_url,
        api_key=api_key.get_secret_value() if api_key else NO_KEY,
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(
            proxy=proxies.for_url(base_url), trust_env=False, **options
        ),
    )


def _load() -> None:
    local_inference.init_vad()
    local_inference.init_eot()
