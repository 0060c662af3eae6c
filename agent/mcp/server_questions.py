"""ServerQuestions: passes a server's questions to the tool call during which it asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import mcp_types as types

from toolkit.context import ToolContext
from toolkit.errors import ToolError
from toolkit.questions import Sampling

MAX_MESSAGES = 100
"""Messages of one request to the model."""


class ServerQuestions:
    """The callbacks of a session that makes one call, so that every question belongs to that call.

    Args:
        server: the server's name, for people.
        context: of the call.
        elicits, samples: which questions the server may ask.

    Attributes:
        refusal: why the last question had no answer, if it had none.
    """

    def __init__(self, server: str, context: ToolContext, *, elicits: bool, samples: bool) -> None:
        self.refusal: ToolError | None = None
        self._server = server
        self._context = context
        self._elicits = elicits
        self._samples = samples

    def callbacks(self) -> dict[str, Any]:
        """The callbacks for mcp's ClientSession, which announces them to the server."""
        given: dict[str, Callable[..., Awaitable[object]]] = {}
        if self._elicits:
            given["elicitation_callback"] = self._elicit
        if self._samples:
            given["sampling_callback"] = self._sample
        return given

    async def _elicit(
        self, _: object, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        try:
            if isinstance(params, types.ElicitRequestURLParams):
                answer = await self._context.elicit(params.message, url=params.url)
            else:
                answer = await self._context.elicit(params.message, params.requested_schema)
        except ToolError as error:
            return self._refused(error)
        self.refusal = None
        is_filled_in = answer.action == "accept" and isinstance(
            params, types.ElicitRequestFormParams
        )
        # A form whose fields were all left out has none; a page has no form.
        content = dict(answer.content) if is_filled_in else None
        return types.ElicitResult(action=answer.action, content=cast("Any", content))

    async def _sample(
        self, _: object, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult | types.ErrorData:
        if len(params.messages) > MAX_MESSAGES or params.tools:
            return types.ErrorData(code=types.INVALID_PARAMS, message="Too many messages, or tools")
        messages: list[tuple[types.Role, str]] = []
        for each in params.messages:
            texts = [part for part in each.content_as_list if isinstance(part, types.TextContent)]
            if len(texts) != len(each.content_as_list):
                return types.ErrorData(code=types.INVALID_PARAMS, message="Only text is supported")
            messages.append((each.role, "\n".join(part.text for part in texts)))
        sampling = Sampling(
            tuple(messages),
            params.system_prompt or "",
            params.max_tokens,
            f"The MCP server {self._server}",
        )
        try:
            answer = await self._context.sample(sampling)
        except ToolError as error:
            return self._refused(error)
        self.refusal = None
        return types.CreateMessageResult(
            role="assistant",
            content=types.TextContent(type="text", text=answer.text),
            model=answer.model or "unknown",
            stop_reason="maxTokens" if answer.is_cut else "endTurn",
        )

    def _refused(self, error: ToolError) -> types.ErrorData:
        self.refusal = error
        return types.ErrorData(code=types.INVALID_REQUEST, message=str(error))
