"""What the room is told when the model fails: one short, honest sentence."""

from __future__ import annotations

from livekit.agents import APIConnectionError, APIStatusError, APITimeoutError

_BY_STATUS = {
    400: "The model service did not accept the request.",
    401: "The model service does not accept this agent's credentials.",
    403: "The model service does not accept this agent's credentials.",
    404: "The model that this agent is configured with was not found.",
    429: "The model service is over its limit right now. Please try again in a while.",
}
_NOTHING_SAID = "The model gave no answer. Please try again."
_CUT_OFF = "(The answer was cut off here. Please ask again.)"


def sentence_for(error: BaseException | None, *, said: bool) -> str:
    """The sentence for an error; `said`: part of the answer is already out."""
    if said:
        return _CUT_OFF
    if isinstance(error, APITimeoutError):
        return "The model did not answer in time. Please try again."
    if isinstance(error, APIStatusError):
        return _BY_STATUS.get(
            error.status_code, "The model service has a problem. Please try again in a while."
        )
    if isinstance(error, APIConnectionError):
        return "The model service cannot be reached right now. Please try again in a while."
    return _NOTHING_SAID
