"""Why a model stopped, in the words of the OpenAI API, whichever words the service has."""

from typing import Final

STOP: Final = "stop"
LENGTH: Final = "length"
TOOL_CALLS: Final = "tool_calls"
CONTENT_FILTER: Final = "content_filter"
ERROR: Final = "error"

_SAME_AS: Final = {
    # TGI: docs/source/reference/api_reference.md; Anthropic, Cohere, Gemini: their own APIs' words,
    # which gateways pass on.
    "eos": STOP,
    "eos_token": STOP,
    "end_turn": STOP,
    "stop_sequence": STOP,
    "complete": STOP,
    "max_tokens": LENGTH,
    "max_output_tokens": LENGTH,
    "model_length": LENGTH,  # Mistral
    "model_context_window_exceeded": LENGTH,
    "function_call": TOOL_CALLS,
    "tool_use": TOOL_CALLS,
    "tool_call": TOOL_CALLS,
    "safety": CONTENT_FILTER,
    "image_safety": CONTENT_FILTER,
    "recitation": CONTENT_FILTER,
    "blocklist": CONTENT_FILTER,
    "prohibited_content": CONTENT_FILTER,
    "spii": CONTENT_FILTER,
    "refusal": CONTENT_FILTER,  # Anthropic: its classifiers stopped the answer
    "sensitive": CONTENT_FILTER,  # Zhipu
    "content_filtered": CONTENT_FILTER,
    "guardrail_intervened": CONTENT_FILTER,  # Bedrock
    "abort": ERROR,  # SGLang
    "failed": ERROR,
    "network_error": ERROR,  # Zhipu
    "insufficient_system_resource": ERROR,  # DeepSeek
    "malformed_function_call": ERROR,  # Gemini
    "function_call_filter": ERROR,  # Gemini's compatible endpoint, with a colon and the reason
}


def finish_reason(said: str) -> str:
    """`stop`, `length`, `tool_calls`, `content_filter` or `error`; unknown ones are unchanged."""
    word = said.partition(":")[0].strip().lower()
    return _SAME_AS.get(word, word)
