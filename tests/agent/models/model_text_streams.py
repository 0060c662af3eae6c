"""Text as services stream it: cut characters, reasoning in it, filters that stop it."""

from __future__ import annotations

from tests.agent.models.model_streams import CALLED, DONE, END, Stream, d, text

CHARACTERS = [
    Stream(
        "vLLM",
        "an emoji cut between escapes",
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi \\ud83d"}}]}\n\n'
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"\\ude00"}}]}\n\n' + END,
        "Hi 😀",
    ),
    Stream(
        "any",
        "a lone first half",
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi \\ud83d"}}]}\n\n'
        + text("!")
        + END,
        "Hi \ufffd!",
    ),
    Stream(
        "any",
        "a lone first half at the end",
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi \\ud83d"}}]}\n\n' + END,
        "Hi \ufffd",
    ),
    Stream(
        "any",
        "a lone second half",
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"\\ude00 Hi"}}]}\n\n' + END,
        "\ufffd Hi",
    ),
    Stream(
        "any",
        "an emoji cut in arguments",
        b'data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"1",'
        b'"function":{"name":"look","arguments":"{\\"city\\": \\"\\ud83d"}}]}}]}\n\n'
        b'data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,'
        b'"function":{"arguments":"\\ude00\\"}"}}]}}]}\n\n' + CALLED + DONE,
        finish="tool_calls",
        calls=(("look", {"city": "😀"}),),
    ),
]

THINKING = [
    Stream("any", "tags", text("<think>secret</think>Hi") + END, "Hi", thought="secret"),
    Stream(
        "SGLang",
        "tags in pieces, empty finish reasons",
        text("<think>", "") + text("secret", "") + text("</think>Hi", "") + END,
        "Hi",
        thought="secret",
        source="sgl-project/sglang#3912",
    ),
    Stream(
        "any",
        "blanks before and after",
        text("\n<think>\nsecret\n</think>\n\nHi") + END,
        "Hi",
        thought="\nsecret\n",
    ),
    Stream(
        "any",
        "in the middle",
        text("One.\n<think>secret</think>Two.") + END,
        "One.\nTwo.",
        thought="secret",
    ),
    Stream(
        "any",
        "cut off",
        text("<think>secret") + d({}, "length") + DONE,
        "",
        "length",
        thought="secret",
    ),
    Stream(
        "any",
        "cut off after text",
        text("Hi.\n<think>secret") + d({}, "length") + DONE,
        "Hi.\n",
        "length",
        thought="secret",
    ),
    Stream("any", "nothing but reasoning", text("<think>secret") + END, "", thought="secret"),
    Stream(
        "any",
        "a tag that is spoken of",
        text("Models write `<think>` and `</think>`.") + END,
        "Models write `<think>` and `</think>`.",
    ),
    Stream(
        "any",
        "a tag that never ends",
        text("Models write <think> first, I think.") + END,
        "Models write <think> first, I think.",
    ),
    Stream(
        "vLLM",
        "a lone end",
        text("secret</think>Hi") + END,
        "Hi",
        thought="secret",
        source="vllm-project/vllm#31045, deepseek-ai/DeepSeek-R1#352, ggml-org/llama.cpp#11861",
    ),
    Stream(
        "DeepSeek",
        "reasoning_content",
        d({"reasoning_content": "sec", "content": None})
        + d({"reasoning_content": "ret"})
        + text("Hi")
        + END,
        "Hi",
        thought="secret",
        source="api-docs.deepseek.com/guides/reasoning_model",
    ),
    Stream(
        "OpenRouter",
        "reasoning",
        d({"reasoning": "secret", "content": ""}) + text("Hi") + END,
        "Hi",
        thought="secret",
        source="openrouter.ai/docs/use-cases/reasoning-tokens",
    ),
    Stream(
        "Magistral",
        "its own tags",
        text("[THINK]secret[/THINK]Hi") + END,
        "Hi",
        thought="secret",
        source="huggingface.co/mistralai/Magistral-Small-2506",
    ),
    Stream(
        "any", "a bracket that is none", text("[THIN") + text("GS] to do") + END, "[THINGS] to do"
    ),
    *(
        Stream(
            service,
            f"its own tags {number}",
            text(given) + END,
            "Hi",
            thought="secret",
            source=source,
        )
        for number, (service, given, source) in enumerate(
            [
                ("Kimi", "◁think▷secret◁/think▷Hi", "MoonshotAI/Kimi-VL#45"),
                (
                    "Sky-T1",
                    "<|begin_of_thought|>secret<|end_of_thought|>\n\nHi",
                    "NovaSky-AI/SkyThought#37",
                ),
                ("any", "<THINK>secret</THINK>Hi", ""),
                ("any", "<reasoning>secret</reasoning>Hi", ""),
                ("Gemma", "<|channel>thoughtsecret<channel|>Hi", "NousResearch/hermes-agent#67632"),
            ]
        )
    ),
    Stream(
        "gpt-oss",
        "channels that no parser took away",
        text("<|channel|>analysis<|mess")
        + text("age|>secret<|end|><|start|>assistant<|chan")
        + text("nel|>final<|message|>Hi")
        + END,
        "Hi",
        thought="secret<|end|><|start|>assistant",
        source="vllm-project/vllm#32633",
    ),
    Stream(
        "gpt-oss",
        "a channel that is not for readers",
        text('<|channel|>commentary to=functions.look<|message|>{"city": "Paris"}<|end|>') + END,
        thought=' to=functions.look<|message|>{"city": "Paris"}<|end|>',
        source="NVIDIA/TensorRT-LLM#9256",
    ),
    Stream(
        "gpt-oss",
        "the last channel alone",
        text("<|channel|>final<|message|>") + text("Hi") + END,
        "Hi",
        source="vllm-project/vllm#32633",
    ),
    Stream(
        "Gemini",
        "thought",
        text("<thought>secret</thought>Hi") + END,
        "Hi",
        thought="secret",
        source="ai.google.dev/gemini-api/docs/openai",
    ),
]

WITHHELD = [
    Stream(
        "Azure",
        "a filter after text",
        text("Hello wor") + d({}, "content_filter") + DONE,
        "Hello wor",
        "content_filter",
        source="microsoft/semantic-kernel#5240",
    ),
    Stream("Azure", "a filter before text", d({}, "content_filter") + DONE, "", "content_filter"),
    Stream(
        "Gemini",
        "safety",
        d({}, "content_filter: PROHIBITED_CONTENT") + DONE,
        "",
        "content_filter",
        source="BerriAI/litellm#28847",
    ),
    Stream(
        "any",
        "a filter by another name",
        text("Hello wor") + d({}, "content-filtered") + DONE,
        "Hello wor",
        "content_filter",
    ),
    Stream(
        "Cohere",
        "toxic",
        text("Hello wor") + d({}, "ERROR_TOXIC") + DONE,
        "Hello wor",
        "content_filter",
        source="cohere-ai/cohere-python: src/cohere/types/finish_reason.py",
    ),
    Stream(
        "Zhipu",
        "sensitive",
        text("Hello wor") + d({}, "sensitive") + DONE,
        "Hello wor",
        "content_filter",
        source="docs.z.ai chat completions",
    ),
]
