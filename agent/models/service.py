"""ModelService: the connections of a process to its model service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agent.config.proxies import Proxies
from agent.config.settings import Settings
from agent.models.llm import ChatLLM, build_client, build_llm
from agent.models.main_thread import OnMainThread
from agent.models.openai_client import MAX_CONNECTIONS
from agent.models.request_slots import RequestSlots
from agent.models.service_health import ServiceHealth
from agent.models.summariser import Summariser
from agent.models.timeouts import Timeouts

if TYPE_CHECKING:
    from agent.models.speech import SpeechService


class ModelService:
    """Makes LLMs for conversations; they share one HTTP client, on one event loop.

    Each session has an LLM of its own, because it listens to its LLM's errors.
    """

    def __init__(
        self, settings: Settings, proxies: Proxies, *, on_main_thread: OnMainThread
    ) -> None:
        key = settings.openai_api_key
        silence = settings.llm_timeout
        self._settings = settings
        self._proxies = proxies
        self._on_main_thread = on_main_thread
        self._speech: SpeechService | None = None
        self._slots = RequestSlots(MAX_CONNECTIONS, MAX_CONNECTIONS // 2)
        self._client = build_client(
            base_url=settings.openai_base_url,
            api_key=key.get_secret_value() if key else None,
            proxy=proxies.for_url(settings.openai_base_url),
            timeouts=Timeouts(first_byte=silence, silence=silence),
        )

    @property
    def health(self) -> ServiceHealth:
        """Whether the service answered when it was last asked."""
        return self._client.health

    def open_llm(self, room: str) -> ChatLLM:
        """An LLM for one conversation. Its requests wait for a connection in turn by room, and one
        room has at most half of the connections."""
        return build_llm(
            self._client,
            model=self._settings.llm_model,
            temperature=self._settings.llm_temperature,
            max_completion_tokens=self._settings.llm_max_completion_tokens,
            slot=partial(self._slots.hold, room),
        )

    def summariser(self, room: str) -> Summariser:
        """What puts the conversations of a room into a few words."""
        return Summariser(partial(self.open_llm, room), timeout=self._settings.llm_timeout)

    async def load_speech(self) -> SpeechService:
        """What hears and speaks; its models are loaded when the first room asks for it."""
        if self._speech is None:
            # Only here: a worker whose rooms have no microphones does without it.
            from agent.models.speech import SpeechService  # noqa: PLC0415

            self._speech = SpeechService(self._settings, self._proxies)
        await self._speech.load(self._on_main_thread)
        return self._speech

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._speech is not None:
            await self._speech.aclose()
        await self._client.close()
