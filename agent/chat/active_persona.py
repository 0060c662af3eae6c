"""ActivePersona: the agent of the app that answers in one conversation, and its hand-overs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final

from agent.models.assistant import MAX_TOOL_STEPS, Assistant
from toolkit.errors import NotFound

if TYPE_CHECKING:
    from agent.app.persona import Models, Persona
    from agent.models.assistant import StepModel
    from agent.tool_calls.conversation_tools import ConversationTools
    from toolkit.handoff import Handoff

_LANGUAGE: Final = "\n\nAnswer in this language: {}."


class ActivePersona:
    """Configures the Assistant of a conversation as its agent says.

    Attributes:
        name: of the agent that answers.
        assistant: what answers are made with.
        on_change: called when another agent answers from now on.
    """

    def __init__(
        self,
        personas: Mapping[str, Callable[[], Persona]],
        first: str,
        *,
        offers: Callable[[str, str], bool],
        tools: ConversationTools,
        open_model: Callable[[Models | None], StepModel],
        shows_reasoning: bool = False,
        in_sessions: Collection[str] = (),
    ) -> None:
        """
        Args:
            personas: the app's agents as they are in this room, by name.
            offers: whether an agent, by its name, has a tool, by its.
            open_model: makes a model of this conversation's own.
            shows_reasoning: people see what models think, unless an agent says otherwise.
            in_sessions: names of the livekit Agents, whose sessions answer for them.
        """
        self._personas = personas
        self._offers = offers
        self._tools = tools
        self._open_model = open_model
        self._made: dict[str, tuple[Persona, StepModel]] = {}
        self._shows_reasoning = shows_reasoning
        self._in_sessions = frozenset(in_sessions)
        self._acts_as: str | None = None
        self._is_changed = False
        self.name = first
        self.on_change: Callable[[], None] | None = None
        persona, model = self._part(first)
        self.assistant = Assistant(instructions_of(persona), model, tools.offered)
        self._take_on()

    @property
    def persona(self) -> Persona:
        """The agent that answers."""
        return self._part(self.name)[0]

    @property
    def has_others(self) -> bool:
        """Whether the app has several agents."""
        return len(self._personas) > 1

    @property
    def is_told(self) -> bool:
        """Whether clients see which agent answers: if there are several, or may be, since a livekit
        Agent may hand over to any other."""
        return self.has_others or bool(self._in_sessions)

    @property
    def in_session(self) -> bool:
        """Whether it is a livekit Agent."""
        return self.name in self._in_sessions

    @property
    def title(self) -> str:
        """Its name for people."""
        return self._acts_as or self.persona.name or self.name

    @property
    def label(self) -> str | None:
        """Its name on the wire and in the history; None where the app has but one agent."""
        return (self._acts_as or self.name) if self.is_told else None

    def begin_turn(self) -> None:
        """Undoes the changes of one turn. Call it once the turn's tools are ready."""
        if self._is_changed:
            self._take_on()
        if self.has_others:
            self._offer(None)

    def change_turn(
        self, *, instructions: str, model: Models | None, tools: frozenset[str] | None
    ) -> None:
        """Overrides these for the next answer; None: the agent's own."""
        self._is_changed = True
        self.assistant.instructions = instructions
        if model is not None:
            self.assistant.model = self._open_model(model)
        if tools is not None:
            self._offer(tools)

    def wrap_model(self, wrap: Callable[[StepModel], StepModel]) -> None:
        """Wraps the model for the next answer."""
        self._is_changed = True
        self.assistant.model = wrap(self.assistant.model)

    def resume(self, name: str) -> None:
        """Resumes the agent that answered last in the stored history, if the app still has it."""
        if name in self._personas and name != self.name:
            self._become(name)

    def renew(self, name: str) -> None:
        """Takes on an agent's instructions as they are in the room now."""
        made = self._made.get(name)
        if made is not None:
            persona = self._personas[name]()
            self._made[name] = persona, made[1]
            # Changes by a hook last for one turn.
            if name == self.name and not self._is_changed:
                self.assistant.instructions = instructions_of(persona)

    def acts_as(self, name: str | None, other: str) -> None:
        """A livekit Agent answers from now on in its session: the app's of that name, or another
        one, which is known by its own id."""
        if name is not None:
            if name != self.name or self._acts_as is not None:
                self._become(name)
        elif other != self._acts_as:
            self._acts_as = other
            if self.on_change is not None:
                self.on_change()

    def hand_off(self, handoff: Handoff) -> str:
        """Hands the conversation to another agent; returns the text that agent reads. Raises
        NotFound."""
        name = handoff.agent
        if name not in self._personas:
            raise NotFound(f"There is no agent {name}. The agents are: {', '.join(self._personas)}")
        if name != self.name:
            self._become(name)
            self._offer(None)
        message = f": {handoff.message}" if handoff.message else "."
        return f"You are {self.title} from here on, and go on with the conversation{message}"

    def _become(self, name: str) -> None:
        self.name = name
        self._acts_as = None
        self._take_on()
        if self.on_change is not None:
            self.on_change()

    def _take_on(self) -> None:
        persona, model = self._part(self.name)
        assistant = self.assistant
        assistant.instructions = instructions_of(persona)
        assistant.model = model
        steps = persona.limits.tool_steps
        assistant.tool_steps = MAX_TOOL_STEPS if steps is None else steps
        assistant.shows_reasoning = self._shows_reasoning and persona.show_reasoning
        assistant.voice, assistant.language = persona.voice, persona.language
        assistant.stt, assistant.tts = persona.stt, persona.tts
        assistant.in_session = self.in_session
        self._is_changed = False

    def _offer(self, chosen: frozenset[str] | None) -> None:
        name = self.name
        self._tools.offer(
            lambda tool: self._offers(name, tool) and (chosen is None or tool in chosen)
        )

    def _part(self, name: str) -> tuple[Persona, StepModel]:
        part = self._made.get(name)
        if part is None:
            persona = self._personas[name]()
            part = self._made[name] = persona, self._open_model(persona.models)
        return part


def instructions_of(persona: Persona) -> str:
    """The system prompt of an agent."""
    language = _LANGUAGE.format(persona.language) if persona.language else ""
    return persona.instructions + language
