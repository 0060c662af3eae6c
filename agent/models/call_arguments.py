"""The arguments of a tool call, as text that is never repaired into something else than the model
meant."""

from __future__ import annotations

import json


def kept_from_repair(text: str) -> str:
    """The text of a call's arguments, as a JSON string if it must not be repaired.

    livekit-agents repairs invalid JSON. Slips of writing, such as quotes of another kind, leave
    no doubt about what is meant. The end of arguments that were cut off does (`{"amount": 1` may
    have been 100), and so do several objects: the last one would count. A JSON string is
    no object, so the model gets an error.
    """
    return json.dumps(text) if _is_doubtful(text.strip()) else text


def _is_doubtful(text: str) -> bool:
    if not text:
        return False
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(text)
    except json.JSONDecodeError as error:
        is_open = error.pos >= len(text) or "Unterminated" in error.msg
        return is_open or text.count("{") > text.count("}")
    except RecursionError:
        return True
    return text[end:].lstrip().startswith("{")
