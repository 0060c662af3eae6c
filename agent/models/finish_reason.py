"""Why a model stopped, in the words of the OpenAI API, whichever words the service has."""

import re
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
    "moderation": CONTENT_FILTER,
    "risk": CONTENT_FILTER,
    "abort": ERROR,  # SGLang
    "unexpected_tool_call": ERROR,  # Gemini
    "too_many_tool_calls": ERROR,  # Gemini
    "failed": ERROR,
    "network_error": ERROR,  # Zhipu
    "insufficient_system_resource": ERROR,  # DeepSeek
    "malformed_function_call": ERROR,  # Gemini
    "function_call_filter": ERROR,  # Gemini's compatible endpoint, with a colon and the reason
}


_FILTERED: Final = re.compile(r"filter|safety|toxic|prohibited|blocked|violation")
_FAILED: Final = re.compile(r"error|fail|cancel|abort|time_?out|malformed|rate_limit")
_CUT: Final = re.compile(r"length|max_|limit|truncat")
# In this order: `error_toxic` is Cohere's.
_BY_PART: Final = ((_FILTERED, CONTENT_FILTER), (_FAILED, ERROR), (_CUT, LENGTH))
"""The meaning of parts of an unknown word."""

_NONE: Final = frozenset({"null", "none"})
"""DashScope's own API has `null` as text in each event before the last."""


def finish_reason(said: str) -> str:
    """`stop`, `length`, `tool_calls`, `content_filter` or `error`; unknown ones are unchanged.

    Empty if the text says that there is none yet.
    """
    word = said.partition(":")[0].strip().lower().replace("-", "_")
    if word in _NONE:
        return ""
    if (known := _SAME_AS.get(word)) is not None or word in {STOP, LENGTH, TOOL_CALLS, ERROR}:
        return known or word
    return next((reason for part, reason in _BY_PART if part.search(word)), word)
