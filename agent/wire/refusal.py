"""A refusal: the error that a sender gets when something is not accepted."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer to its sender, not a failure of ours
    """Something was not accepted; has a sentence for its sender.

    Attributes:
        code: the error, with the meaning that the code has in an RPC error
            (400 malformed, 413 too large, 429 too many).
        retry_after: seconds after which to try again, if that helps.
        message_id: the sender's id of the refused message, if only the code that read it knows it.
    """

    def __init__(
        self,
        code: int,
        sentence: str,
        *,
        retry_after: float | None = None,
        message_id: str | None = None,
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.retry_after = retry_after
        self.message_id = message_id
