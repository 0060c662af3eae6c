"""Questions of a tool to the person whom it runs for, and to the model."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Elicitation:
    """A question to a person, in MCP's terms: a form, or a page to open.

    Attributes:
        message: the question.
        schema: JSON schema of an object: the fields of the form.
        url: of the page, in place of a form; http or https.
    """

    message: str
    schema: Mapping[str, object] | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Elicited:
    """A person's response to a question.

    Attributes:
        action: `accept`; `decline`: they said no; `cancel`: they said neither.
        content: the fields of the form, as its schema has them, if they accepted one.
    """

    action: Literal["accept", "decline", "cancel"]
    content: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Sampling:
    """A question to the model outside of the conversation.

    Attributes:
        messages: pairs of a role, `user` or `assistant`, and a text.
        system_prompt: instructions; may be empty.
        max_tokens: of the answer, roughly.
        asker: the name of the one who asks, shown to the person who has to agree.
    """

    messages: tuple[tuple[Literal["user", "assistant"], str], ...]
    system_prompt: str
    max_tokens: int
    asker: str


@dataclass(frozen=True, slots=True)
class Sampled:
    """The model's answer.

    Attributes:
        is_cut: whether it was shortened.
    """

    text: str
    model: str
    is_cut: bool = False


Elicit = Callable[[Elicitation], Awaitable[Elicited]]
"""Asks the person; raises ToolError if they cannot be asked."""

Sample = Callable[[Sampling], Awaitable[Sampled]]
"""Asks the model, if the person agrees; raises ToolError."""
