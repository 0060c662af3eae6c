"""The demo model serves the plugin of livekit-agents, and runs as a program."""

import asyncio
import sys

import aiohttp
from livekit.agents import APIConnectOptions, function_tool, llm
from livekit.plugins import openai as openai_plugin

from devserver.model import DemoModel


async def test_serves_the_plugin(model: DemoModel) -> None:
    asked: list[str] = []

    @function_tool(name="getWeather")
    async def get_weather(city: str) -> str:
        """Get the weather.

        Args:
            city: Name of the city
        """
        asked.append(city)
        return "Weather service unreachable"

    context = llm.ChatContext.empty()
    context.add_message(role="user", content="What is the weather in Paris?")
    tools: list[llm.Tool] = [get_weather]
    plugin: llm.LLM[object] = openai_plugin.LLM(model="m", base_url=model.base_url, api_key="any")
    async with plugin:
        options = APIConnectOptions(max_retry=0)
        called = await plugin.chat(chat_ctx=context, tools=tools, conn_options=options).collect()
        for call in called.tool_calls:
            result = await llm.execute_function_call(call, llm.ToolContext(tools))
            context.insert(result.fnc_call)
            assert result.fnc_call_out
            context.insert(result.fnc_call_out)
        answered = await plugin.chat(chat_ctx=context, tools=tools, conn_options=options).collect()

    assert asked == ["Paris"]
    assert "failed: Weather service unreachable" in answered.text
    assert answered.usage
    assert answered.usage.total_tokens > 0


async def test_runs_as_a_program_until_sigterm() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "devserver.model", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
            base_url = line.strip().partition("OPENAI_BASE_URL=")[2]
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{base_url}/models") as response,
            ):
                assert response.status == 200
            process.terminate()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
