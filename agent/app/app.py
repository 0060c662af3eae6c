"""App: the agents of a worker, their tools, models and hooks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import BaseModel

from agent.app.agent_maker import AgentMaker
from agent.app.app_error import AppError
from agent.app.header_makers import check_header_makers
from agent.app.hooks import DEFAULT_TIMEOUT, Hooks
from agent.app.maker import check_maker
from agent.app.persona import Persona
from agent.app.realtime_models import OF_AN_AGENT, check_fit, is_realtime
from agent.app.realtime_persona import speaker_of
from agent.app.speech import check_speech
from agent.app.store_maker import StoreMaker
from toolkit.tool import Tool

if TYPE_CHECKING:
    from agent.app import hooks as on
    from agent.app.agent_maker import MakeAgent
    from agent.app.function_tools import AnyFunctionTool
    from agent.app.header_makers import HeaderMaker
    from agent.app.persona import AnyTool, Model, Models
    from agent.app.speech import SpeechToText, TextToSpeech
    from agent.history.turn_store import TurnStore

ONLY: Final = ""
"""The name of the agent of an app that has but one."""


class App:
    """The app that a worker runs: its agents, and their common tools, models and hooks.

    Raises:
        AppError: one sentence that says what is wrong.
    """

    def __init__(  # noqa: PLR0913 - everything that one can say of an app
        self,
        agents: Mapping[str, Persona | MakeAgent] | None = None,
        default: str | None = None,
        *,
        instructions: str | None = None,
        greeting: str | None = None,
        tools: Sequence[AnyTool] = (),
        llm: Models | None = None,
        models: Mapping[str, Models] | None = None,
        stt: SpeechToText | None = None,
        tts: TextToSpeech | None = None,
        settings: Sequence[type[BaseModel]] = (),
        topics: Sequence[Any] = (),
        history: TurnStore | Callable[[], TurnStore] | None = None,
        mcp_headers: Mapping[str, HeaderMaker] | None = None,
        before_answer: on.BeforeAnswer | None = None,
        after_answer: on.AfterAnswer | None = None,
        on_text: on.OnText | None = None,
        on_join: on.OnPerson | None = None,
        on_leave: on.OnPerson | None = None,
        on_message: on.OnMessage | None = None,
        on_start: on.OnWorker | None = None,
        on_stop: on.OnWorker | None = None,
        on_room_start: on.OnRoom | None = None,
        on_room_stop: on.OnRoom | None = None,
        hook_timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """
        Args:
            agents: by name; each is a Persona, a class of livekit Agents, or a function that makes
                one of these, or an AgentSession and an Agent; where it has a parameter `room`, it
                gets the Room. Without agents there is one, of `instructions`.
            default: name of the agent that answers unless metadata names another; the first one
                unless given.
            instructions: of the only agent; AGENT_INSTRUCTIONS unless given.
            greeting: of the only agent.
            tools: that all agents have.
            llm: the model or models that agents answer with; LLM_MODEL at OPENAI_BASE_URL unless
                given.
            models: by names of the app's own, for agents, metadata and hooks to choose from.
            stt: speech recognition in rooms with a voice: any STT of livekit-agents, or a function
                that makes one for each conversation; STT_MODEL at STT_BASE_URL unless given.
            tts: the same of speech synthesis; TTS_MODEL at TTS_BASE_URL unless given.
            settings: classes of settings, read from the environment, besides those of tools.
            topics: kinds of data packets besides the worker's own, each an agent.data.topic.Topic.
            history: a store of one's own for messages, or a function or class that makes one, once
                in each process; the database at DATABASE_URL unless given.
            mcp_headers: functions that return headers, such as a token that expires, for servers of
                MCP_SERVERS, by their names. One with a parameter `caller` gets the Caller of each
                tool call, and None where no call is made.
            hook_timeout: seconds that one call of a hook may take.
        """
        if agents and (instructions is not None or greeting is not None):
            raise AppError("App: instructions and greeting are for an app without agents")
        self.personas, self.makers = _agents(agents, instructions, greeting)
        self.default = default if default is not None else next(iter(self.personas))
        if self.default not in self.personas:
            names = ", ".join(self.personas)
            raise AppError(f"App: there is no agent {self.default!r}; the agents are: {names}")
        self.llm = llm
        self.models: Mapping[str, Models] = dict(models or {})
        self.shared_tools = _as_tools(tools)
        self.own_tools = {name: _as_tools(each.tools) for name, each in self.personas.items()}
        self.tools = _unlike(chain(self.shared_tools, *self.own_tools.values()))
        self.hooks = Hooks(
            before_answer=before_answer,
            after_answer=after_answer,
            on_text=on_text,
            on_join=on_join,
            on_leave=on_leave,
            on_message=on_message,
            on_start=on_start,
            on_stop=on_stop,
            on_room_start=on_room_start,
            on_room_stop=on_room_stop,
            timeout=hook_timeout,
        )
        asked = (*(tool.settings for tool in self.tools if tool.settings), *settings)
        self.topics = _as_topics(topics)
        self.store_maker = None if history is None else StoreMaker(history)
        self.settings: tuple[type[BaseModel], ...] = tuple(dict.fromkeys(asked))
        self.mcp_headers: Mapping[str, HeaderMaker] = dict(mcp_headers or {})
        check_header_makers(self.mcp_headers)
        self.stt, self.tts = stt, tts
        check_speech("stt", stt, "STT")
        check_speech("tts", tts, "TTS")
        for name, persona in self.personas.items():
            check_speech(f"the stt of {name or 'the agent'}", persona.stt, "STT")
            check_speech(f"the tts of {name or 'the agent'}", persona.tts, "TTS")
        for where, chosen in self._choices():
            _check_model(where, chosen, self.models)

    @property
    def uses_service(self) -> bool:
        """Whether some agent answers with a model at OPENAI_BASE_URL."""
        asked = [each for each in self.personas.values() if not is_realtime(each.llm)]
        return any(self._is_of_service(each.models or self.llm) for each in asked)

    @property
    def has_speech(self) -> bool:
        """Whether it has an STT or TTS of its own, for some agent."""
        speakers = (self, *self.personas.values())
        return any(each.stt is not None or each.tts is not None for each in speakers)

    def offers(self, agent: str, tool: str) -> bool:
        """Whether this agent has a tool: one of its own, of all, or not of the app's."""
        own = self.own_tools[agent]
        others = self.tools
        return any(each.name == tool for each in chain(own, self.shared_tools)) or all(
            each.name != tool for each in others
        )

    def _is_of_service(self, models: Models | None) -> bool:
        if models is None:
            return True
        return any(
            isinstance(each, str)
            and (each not in self.models or self._is_of_service(self.models[each]))
            for each in in_order(models)
        )

    def _choices(self) -> Iterable[tuple[str, Models | None]]:
        yield "llm", self.llm
        for name, models in self.models.items():
            yield f"models[{name!r}]", models
        for name, persona in self.personas.items():
            yield f"the llm of {name or 'the agent'}", persona.models


def in_order(models: Models) -> list[Model]:
    """The models in the order in which they are asked."""
    if isinstance(models, str) or not isinstance(models, Sequence):
        return [models]
    return list(cast("Sequence[Model]", models))


def _agents(
    agents: Mapping[str, Persona | MakeAgent] | None,
    instructions: str | None,
    greeting: str | None,
) -> tuple[dict[str, Persona], dict[str, AgentMaker]]:
    """The agents by name, and how those are made that are livekit Agents, or speak by a realtime
    model; as a Persona, a livekit Agent has nothing but the app's model."""
    if agents is None:
        return {ONLY: Persona(instructions or "", greeting=greeting)}, {}
    personas: dict[str, Persona] = {}
    makers: dict[str, AgentMaker] = {}
    for name, agent in agents.items():
        if not name or len(name) > MAX_NAME:
            raise AppError(
                f"App: the name of an agent has 1 to {MAX_NAME} characters, got {name!r}"
            )
        if isinstance(agent, Persona):
            personas[name] = agent
            if is_realtime(agent.llm):
                check_fit(name, cast("Any", agent.llm))
                makers[name] = AgentMaker(name, partial(speaker_of, agent), of_persona=True)
        else:
            makers[name] = AgentMaker(name, agent)
            personas[name] = Persona("")
    if not personas:
        raise AppError("App: agents is empty, expected at least one agent")
    return personas, makers


MAX_NAME = 64


def _as_tools(tools: Iterable[AnyTool]) -> tuple[Tool, ...]:
    return tuple(_as_tool(tool) for tool in tools)


def _as_tool(tool: object) -> Tool:
    if isinstance(tool, Tool):
        return tool
    module = sys.modules.get("livekit.agents")
    # An app that made one has imported it.
    if module is not None and isinstance(
        tool, module.llm.FunctionTool | module.llm.RawFunctionTool
    ):
        from agent.app.function_tools import as_tool  # noqa: PLC0415 - see above

        return as_tool(cast("AnyFunctionTool", tool))
    name = getattr(tool, "__name__", type(tool).__name__)
    raise AppError(f"App: {name} is not a tool: write @tool (toolkit) or @function_tool above it")


def _as_topics(topics: Iterable[object]) -> tuple[Any, ...]:
    for each in topics:
        if not (hasattr(each, "handler") and hasattr(each, "content")):
            raise AppError(f"App: topics has a {type(each).__name__}, expected a Topic")
    return tuple(topics)


def _unlike(tools: Iterable[Tool]) -> tuple[Tool, ...]:
    """All tools, each once. Two agents may share a tool, but not have different tools of one
    name."""
    by_name: dict[str, Tool] = {}
    for tool in tools:
        if by_name.setdefault(tool.name, tool) is not tool:
            raise AppError(f"App: two tools are called {tool.name}")
    return tuple(by_name.values())


def _check_model(where: str, models: Models | None, named: Mapping[str, Any]) -> None:
    if models is None:
        return
    order = in_order(models)
    if not order:
        raise AppError(f"App: {where} is empty, expected at least one model")
    module = sys.modules.get("livekit.agents")
    for each in order:
        if isinstance(each, str):
            if where.startswith("models[") and each in named:
                raise AppError(
                    f"App: {where} names {each!r}, expected a model and no other profile"
                )
        elif module and isinstance(each, module.llm.LLM):
            continue
        elif callable(each):
            check_maker(where, each)
        else:
            raise AppError(
                f"App: {where} has a {type(each).__name__}, expected an LLM of livekit-agents, a "
                f"function that makes one, or a name{OF_AN_AGENT if is_realtime(each) else ''}"
            )
