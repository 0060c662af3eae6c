"""The text of an answer when the model fails: one short, honest sentence."""

from __future__ import annotations

from livekit.agents import APIConnectionError, APIStatusError, APITimeoutError, llm

from agent.app.hooks import HookError
from agent.models.openai_errors import BrokenAnswerError, is_withheld, status_of

_CREDENTIALS = "The model service does not accept this agent's credentials."
_PROBLEM = "The model service has a problem. Please try again in a while."
_BY_STATUS = {
    400: "The model service did not accept the request.",
    401: _CREDENTIALS,
    402: "The model service requires payment before it answers again.",
    403: _CREDENTIALS,
    404: "The model that this agent is configured with was not found.",
    413: "The conversation is too long for the model service.",
    422: "The model service did not accept the request.",
    429: "The model service is over its limit right now. Please try again in a while.",
}
_TOO_LONG = "The answer took too long and was given up. Please try again."
_ENDS_HERE = "(The answer took too long and ends here.)"
_NOTHING_SAID = "The model gave no answer. Please try again."
_NOT_PREPARED = "The answer could not be prepared. Please try again."
_CUT_OFF = "(The answer was cut off here. Please ask again.)"
_WITHHELD = "The model service's content filter withheld the answer."
_REST_WITHHELD = "(The model service's content filter withheld the rest of the answer.)"


def timeout_sentence(*, said: bool) -> str:
    """The sentence for an answer that reached ANSWER_TIMEOUT; `said`: part of it has been sent."""
    return _ENDS_HERE if said else _TOO_LONG


def sentence_for(error: BaseException | None, *, said: bool, withheld: bool = False) -> str:
    """The sentence for an error.

    Args:
        said: part of the answer is already out.
        withheld: there is no error, but a content filter has stopped the answer.
    """
    if withheld or is_withheld(error):
        return _REST_WITHHELD if said else _WITHHELD
    if said:
        return _CUT_OFF
    return _NOT_PREPARED if isinstance(error, HookError) else _nothing_said(error)


def _nothing_said(error: BaseException | None) -> str:
    if isinstance(error, APITimeoutError):
        return "The model did not answer in time. Please try again."
    if isinstance(error, APIStatusError) or isinstance(
        error and error.__cause__, BrokenAnswerError
    ):
        return _BY_STATUS.get(status_of(error) or 500, _PROBLEM)
    if isinstance(error, APIConnectionError | llm.RealtimeError):
        return "The model service cannot be reached right now. Please try again in a while."
    return _NOTHING_SAID
