"""Refusals of services, with status and body, and the part of the request that each of them means.

A comment above a row names where it comes from. Rows without a project are siblings of others.
"""

from __future__ import annotations

from agent.models.refused_field import (
    NO_CONTENT,
    NO_THOUGHTS,
    PICTURES,
    SYSTEM,
    THOUGHTS,
    TOOLS,
)


def openai(message: str, param: str | None = None, code: str | None = None) -> object:
    return {"error": {"message": message, "type": "a_type", "param": param, "code": code}}


def vllm(message: str) -> object:
    return {"object": "error", "message": message, "type": "a type", "param": None, "code": 400}


def forbidden(*loc: str | int) -> list[object]:
    problem = {
        "type": "extra_forbidden",
        "loc": ["body", *loc],
        "msg": "Extra inputs are not permitted",
    }
    return [problem | {"input": "swordfish"}]


REFUSALS: list[tuple[str, int, object, str | None]] = [
    # evalstate/fast-agent#279
    (
        "OpenAI",
        400,
        openai(
            "Unsupported parameter: 'parallel_tool_calls' is not supported with this model.",
            "parallel_tool_calls",
            "unsupported_parameter",
        ),
        "parallel_tool_calls",
    ),
    (
        "OpenAI, a value",
        400,
        openai(
            "Unsupported value: 'temperature' does not support 0.5 with this model.",
            "temperature",
            "unsupported_value",
        ),
        "temperature",
    ),
    (
        "OpenAI, an old model",
        400,
        openai("Unrecognized request argument supplied: max_completion_tokens"),
        "max_completion_tokens",
    ),
    ("Azure", 400, openai("Unknown parameter: 'stream_options'."), "stream_options"),
    ("Mistral", 422, {"detail": forbidden("stream_options")}, "stream_options"),
    # mistralai/client-ts#65, partITech/php-mistral#76
    ("Mistral, nested", 422, {"object": "error", "message": {"detail": forbidden("tools")}}, TOOLS),
    (
        "Mistral, as the message",
        422,
        {"object": "Error", "message": forbidden("tool_choice")},
        "tool_choice",
    ),
    # BerriAI/litellm#30835
    (
        "Mistral, reasoning",
        422,
        {"detail": forbidden("messages", 2, "assistant", THOUGHTS)},
        THOUGHTS,
    ),
    # gpustack/gpustack#429
    (
        "vLLM, an old version",
        400,
        vllm(
            "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options'), 'msg': 'Extra inputs"
            " are not permitted', 'input': {'include_usage': True}}]"
        ),
        "stream_options",
    ),
    # vllm-project/vllm#9986
    (
        "vLLM without a parser",
        400,
        vllm(
            '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
        ),
        TOOLS,
    ),
    ("vLLM, a text model", 400, vllm("m is not a multimodal model"), PICTURES),
    ("vLLM, Gemma's template", 400, vllm("System role not supported"), SYSTEM),
    # ollama/ollama#6027
    ("Ollama", 400, openai("registry.ollama.ai/library/gemma:2b does not support tools"), TOOLS),
    ("Ollama, its own API", 400, {"error": "gemma:2b does not support tools"}, TOOLS),
    ("llama.cpp", 500, openai("tools param requires --jinja flag"), TOOLS),
    (
        "llama.cpp, no projector",
        500,
        openai("image input is not supported - hint: mmproj"),
        PICTURES,
    ),
    ("Groq", 400, openai("property 'parallel_tool_calls' is unsupported"), "parallel_tool_calls"),
    ("Groq, tools", 400, openai("`tool calling` is not supported with this model"), TOOLS),
    # jackmpcollins/magentic#382
    (
        "Gemini",
        400,
        [openai('Invalid JSON payload. Unknown name "parallel_tool_calls": Cannot find field.')],
        "parallel_tool_calls",
    ),
    (
        "Gemini, Gemma",
        400,
        [openai("Function calling is not enabled for models/gemma-3-27b-it")],
        TOOLS,
    ),
    (
        "Gemini, Gemma's template",
        400,
        [openai("Developer instruction is not enabled for models/gemma-3-27b-it")],
        SYSTEM,
    ),
    ("OpenRouter", 404, openai("No endpoints found that support tool use."), TOOLS),
    ("OpenRouter, pictures", 404, openai("No endpoints found that support image input"), PICTURES),
    (
        "LiteLLM",
        400,
        openai(
            "litellm.UnsupportedParamsError: x does not support parameters: ['reasoning_effort']"
        ),
        "reasoning_effort",
    ),
    (
        "TGI",
        422,
        "Failed to deserialize the JSON body: unknown field `stream_options`",
        "stream_options",
    ),
    # langchain-ai/langchain#34166, NousResearch/hermes-agent#16388
    (
        "DeepSeek",
        400,
        openai("Missing `reasoning_content` field in the assistant message"),
        NO_THOUGHTS,
    ),
    (
        "DeepSeek, V4",
        400,
        openai("The `reasoning_content` in the thinking mode must be passed back to the API."),
        NO_THOUGHTS,
    ),
    (
        "Kimi",
        400,
        openai(
            "thinking is enabled but reasoning_content is missing in assistant tool call message"
        ),
        NO_THOUGHTS,
    ),
    ("DeepSeek, V3", 400, openai("messages[2]: missing field `content`"), NO_CONTENT),
    # spring-ai-alibaba/website#39
    (
        "DashScope",
        400,
        {
            "code": "InvalidParameter",
            "message": "<400> InternalError.Algo.InvalidParameter: The tool call is not supported.",
        },
        TOOLS,
    ),
    # labring/FastGPT#4031
    ("a gateway, one call", 400, openai("Function call is not supported for this model."), TOOLS),
    # truefoundry/models#944
    (
        "DeepInfra",
        405,
        openai("Tool calling is not supported for model: NousResearch/Hermes-3-Llama-3.1-70B"),
        TOOLS,
    ),
    ("a gateway", 501, "tools are not supported", TOOLS),
    ("a gateway, an ability", 400, openai("The model does not have tool-use capability"), TOOLS),
    (
        "a gateway, both",
        400,
        openai("parallel function calling is not supported"),
        "parallel_tool_calls",
    ),
    ("Django", 422, {"errors": {"stream_options": ["unknown field"]}}, "stream_options"),
    (
        "Gemini, its own names",
        400,
        openai('Invalid JSON payload received. Unknown name "streamOptions": Cannot find field.'),
        "stream_options",
    ),
    # vllm-project/vllm#2080
    (
        "vLLM, no role system",
        400,
        vllm("Conversation roles must alternate user/assistant/user/assistant/..."),
        SYSTEM,
    ),
    ("a gateway, roles", 400, openai("messages[0].role must be one of user, assistant"), SYSTEM),
    (
        "FastAPI, roles",
        422,
        {
            "detail": [
                {
                    "type": "literal_error",
                    "loc": ["body", "messages", 0, "role"],
                    "msg": "Input should be 'user' or 'assistant'",
                }
            ]
        },
        SYSTEM,
    ),
    ("a gateway, the first", 400, openai("first message must use the user role"), SYSTEM),
    # Errors about something else, or about nothing that could be left out.
    (
        "OpenAI, a schema",
        400,
        openai("Invalid schema for function 'look'", "tools[0].function"),
        None,
    ),
    (
        "OpenAI, an id",
        400,
        openai(
            "messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
        ),
        None,
    ),
    ("OpenAI, too long", 400, openai("This model's maximum context length is 8192 tokens."), None),
    ("OpenAI, the key", 401, openai("temperature and tools are not supported without a key"), None),
    ("OpenAI, the limit", 429, openai("Rate limit reached: temperature"), None),
    ("any", 500, openai("Internal error"), None),
    ("any, no message", 400, "", None),
]
