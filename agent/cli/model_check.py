"""Checks whether the model answers, and reports why not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from livekit.agents import APIError, APIStatusError, APITimeoutError, llm
from yarl import URL

from agent.cli.finding import Finding
from agent.models.llm import ChatLLM, build_client, build_llm
from agent.models.offered_tools import OfferedTools
from agent.models.openai_client import OpenAIClient
from agent.models.openai_errors import BrokenAnswerError, describe
from agent.models.timeouts import Timeouts
from toolkit.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.config.proxies import Proxies
    from agent.config.settings import Settings
    from toolkit.tool import Tool

WHAT: Final = "model"
UNAUTHORIZED: Final = (401, 403)
NO_SUCH_PATH: Final = (404, 405)
MAX_NAMES: Final = 5
"""How many of the service's models are listed if it lacks the configured one."""


async def check_model(
    settings: Settings, url: str, proxies: Proxies, tools: Sequence[Tool]
) -> Finding:
    """Asks the model a question as the worker does, with its tools, until it begins to answer."""
    return await _ModelCheck(settings, url, proxies, tools).run()


class _ModelCheck:
    def __init__(
        self, settings: Settings, url: str, proxies: Proxies, tools: Sequence[Tool]
    ) -> None:
        self._settings = settings
        self._tools = [tool for tool in tools if tool.model]
        self._url = url
        self._proxies = proxies
        self._name = settings.llm_model
        # Without the query, which may have a key in it.
        self._shown = str(URL(url).with_query(None))

    async def run(self) -> Finding:
        """The findings."""
        try:
            client = self._client(self._url)
        except ValueError as error:
            return self._failed(str(error), "set OPENAI_BASE_URL")
        try:
            await self._ask(client)
            return self._answers(client)
        except APIError as error:
            return await self._diagnose(client, error)
        finally:
            await client.close()

    def _client(self, url: str) -> OpenAIClient:
        key = self._settings.openai_api_key
        silence = self._settings.llm_timeout
        return build_client(
            base_url=url,
            api_key=key.get_secret_value() if key else None,
            proxy=self._proxies.for_url(url),
            timeouts=Timeouts(first_byte=silence, silence=silence, total=silence),
        )

    async def _ask(self, client: OpenAIClient) -> None:
        """Returns with the first event of an answer; raises APIError."""
        context = llm.ChatContext.empty()
        context.add_message(role="system", content="Answer with one word.")
        context.add_message(role="user", content="Hello")
        model: ChatLLM = build_llm(
            client,
            model=self._name,
            temperature=self._settings.llm_temperature,
            max_completion_tokens=self._settings.llm_max_completion_tokens,
        )
        tools = OfferedTools()
        tools.offer(self._tools, _never)
        async with await client.complete(model.request(context, tools.function_tools)) as answer:
            async for event in answer:
                if event.choices:
                    return

    def _answers(self, client: OpenAIClient) -> Finding:
        refused = client.dialect(self._name).refused
        text = f"{self._shown}: {self._name} answers"
        advice = ""
        if refused:
            text += f"; the service refuses {', '.join(refused)}, the worker leaves it out"
        if "tools" in refused:
            advice = "the model will call no tools; see docs/models.md, or choose another model"
        return Finding(WHAT, ok=True, text=text, advice=advice)

    async def _diagnose(self, client: OpenAIClient, error: APIError) -> Finding:
        status = error.status_code if isinstance(error, APIStatusError) else None
        is_no_answer = isinstance(error.__cause__, BrokenAnswerError)
        if status in NO_SUCH_PATH or is_no_answer:
            found = await self._look_around(client)
            if found is not None:
                return self._failed(describe(error), found)
        advice = self._advice(status)
        if is_no_answer:
            advice = "check OPENAI_BASE_URL and LLM_MODEL"
        elif isinstance(error, APITimeoutError):
            advice = "check that the service is running and has loaded the model, or LLM_TIMEOUT"
        return self._failed(describe(error), advice)

    def _advice(self, status: int | None) -> str:
        key = self._settings.openai_api_key
        if status is None:
            return "check OPENAI_BASE_URL, and that the service is running"
        if status in UNAUTHORIZED:
            return "check OPENAI_API_KEY" if key else "set OPENAI_API_KEY; check OPENAI_API_KEY"
        if status in NO_SUCH_PATH:
            if (URL(self._url).host or "").endswith(".openai.azure.com"):
                return "check OPENAI_BASE_URL: …/openai/deployments/NAME?api-version=…"
            return "check OPENAI_BASE_URL: the path before /chat/completions, often /v1"
        if status == 429:
            return "the service is over its limit, or requires payment"
        return "try again later" if status >= 500 else "see docs/models.md"

    async def _look_around(self, client: OpenAIClient) -> str | None:
        """Advice for a missing method, by the list of models."""
        try:
            names = await client.models()
        except APIError as error:
            if isinstance(error, APIStatusError) and error.status_code in UNAUTHORIZED:
                return self._advice(error.status_code)
            return await self._try_v1()
        if not names or self._name in names:
            return None
        known = ", ".join(names[:MAX_NAMES]) + (" …" if len(names) > MAX_NAMES else "")
        return f"set LLM_MODEL: the service has no {self._name}, but {known}"

    async def _try_v1(self) -> str | None:
        """Advice if the models are under /v1."""
        base = URL(self._url)
        if base.path.rstrip("/").endswith("/v1"):
            return None
        other = (base / "v1").with_query(base.query)
        client = self._client(str(other))
        try:
            async with asyncio.timeout(self._settings.llm_timeout):
                await client.models()
        except APIStatusError as error:
            if error.status_code not in UNAUTHORIZED:
                return None
        except (APIError, TimeoutError):
            return None
        finally:
            await client.close()
        return f"OPENAI_BASE_URL lacks /v1: set it to {other.with_query(None)}"

    def _failed(self, problem: str, advice: str) -> Finding:
        return Finding(WHAT, ok=False, text=f"{self._shown}: {problem}", advice=advice)


async def _never(tool: Tool, arguments: Mapping[str, object]) -> str:
    raise ToolError(f"{tool.name} is not called here, with {len(arguments)} arguments")
