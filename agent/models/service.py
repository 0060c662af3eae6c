"""ModelService: the models of a process, and its connections to the model service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agent.app.app import in_order
from agent.config.proxies import Proxies
from agent.config.settings import Settings
from agent.models.asked_llm import AskedLLM
from agent.models.llm import build_client, build_llm
from agent.models.main_thread import OnMainThread
from agent.models.openai_client import MAX_CONNECTIONS
from agent.models.ordered_llms import OrderedLLMs
from agent.models.plugin_http import PluginHttp
from agent.models.plugin_llm import PluginLLM
from agent.models.request_slots import RequestSlots
from agent.models.sampler import Sampler
from agent.models.service_health import ServiceHealth
from agent.models.shared_llm import SharedLLM
from agent.models.summariser import Summariser
from agent.models.timeouts import Timeouts

if TYPE_CHECKING:
    from agent.app.app import App
    from agent.app.persona import Model, Models
    from agent.models.request_cost import OnAsked
    from agent.models.speech import SpeechService


class ModelService:
    """Makes LLMs for conversations; they share connections, on one event loop.

    Each session has an LLM of its own, because it listens to its LLM's errors.
    """

    def __init__(
        self, settings: Settings, app: App, proxies: Proxies, *, on_main_thread: OnMainThread
    ) -> None:
        key = settings.openai_api_key
        silence = settings.llm_timeout
        self._settings = settings
        self._app = app
        self._proxies = proxies
        self._on_main_thread = on_main_thread
        self._speech: SpeechService | None = None
        self.plugin_http = PluginHttp()
        """The connections of plugins that are not asked here: those of realtime models."""
        self._shared: dict[object, SharedLLM] = {}
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

    def open_llm(self, room: str, chosen: Models | None = None) -> AskedLLM:
        """An LLM for one conversation; the app's unless another one is chosen.

        Its requests to the model service wait for a connection in turn by room, and one room has at
        most half of the connections.
        """
        chosen = self._app.llm if chosen is None else chosen
        order = [None] if chosen is None else self._resolved(chosen)
        models = [self._open(room, each) for each in order]
        return models[0] if len(models) == 1 else OrderedLLMs(models)

    def summariser(self, room: str, on_asked: OnAsked) -> Summariser:
        """The summariser for the conversations of a room."""
        return Summariser(
            partial(self.open_llm, room), timeout=self._settings.llm_timeout, on_asked=on_asked
        )

    def sampler(self, room: str) -> Sampler:
        """The way for a room's tools to ask the model something."""
        return Sampler(partial(self.open_llm, room), timeout=self._settings.llm_timeout)

    async def load_speech(self) -> SpeechService:
        """Speech recognition and synthesis; loaded when a room first needs it."""
        if self._speech is None:
            # Imported here: a worker whose rooms have no microphones does not need it.
            from agent.models.speech import SpeechService  # noqa: PLC0415

            self._speech = SpeechService(self._settings, self._proxies, self._app)
        await self._speech.load(self._on_main_thread)
        return self._speech

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._speech is not None:
            await self._speech.aclose()
        for shared in self._shared.values():
            await shared.aclose()
        await self.plugin_http.aclose()
        await self._client.close()

    def _resolved(self, chosen: Models) -> list[Model]:
        """The models in order, with names of profiles replaced by the profiles' models."""
        order: list[Model] = []
        for each in in_order(chosen):
            profile = self._app.models.get(each) if isinstance(each, str) else None
            order += [each] if profile is None else in_order(profile)
        return order

    def _open(self, room: str, model: Model | None) -> AskedLLM:
        if model is None or isinstance(model, str):
            return build_llm(
                self._client,
                model=model or self._settings.llm_model,
                temperature=self._settings.llm_temperature,
                max_completion_tokens=self._settings.llm_max_completion_tokens,
                slot=partial(self._slots.hold, room),
            )
        shared = self._shared.get(model)
        if shared is None:
            shared = self._shared[model] = SharedLLM(model, self._on_main_thread)
        return PluginLLM(shared, silence=self._settings.llm_timeout)
