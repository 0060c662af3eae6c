"""A call that runs again after a crash has the key that it had before."""

from __future__ import annotations

import pytest

from agent.parts.answer_parts import AnswerParts
from agent.tool_calls.call_origin import CallOrigin
from agent.tool_calls.idempotency_keys import IdempotencyKeys
from toolkit.caller import Caller

TEA = {"what": "tea", "milk": False}


def no_parts() -> AnswerParts:
    raise AssertionError("no parts are shown")


def turn(
    message: str = "m1",
    *,
    identity: str = "ann",
    private: bool = False,
    generation: int = 0,
    segment: str = "",
) -> CallOrigin:
    return CallOrigin(
        Caller(identity),
        message,
        None,
        private,
        lambda _: None,
        no_parts,
        segment_id=segment,
        generation=generation,
    )


def test_a_turn_that_runs_again_has_the_same_keys() -> None:
    first, second = (IdempotencyKeys("kitchen", turn()) for _ in range(2))
    calls = [("order", TEA), ("order", TEA), ("order", {"what": "milk"}), ("pay", TEA)]
    keys = [first.next(tool, arguments) for tool, arguments in calls]
    assert len(set(keys)) == len(calls)
    # Another worker: the model may put the arguments in another order.
    again = [second.next(tool, dict(reversed(arguments.items()))) for tool, arguments in calls]
    assert again == keys


@pytest.mark.parametrize(
    ("conversation", "origin"),
    [
        ("hall", turn()),
        ("kitchen", turn("m2")),
        ("kitchen", turn(identity="bob")),
        ("kitchen", turn(private=True)),
        ("kitchen", turn(generation=1)),
    ],
)
def test_no_other_turn_has_its_keys(conversation: str, origin: CallOrigin) -> None:
    key = IdempotencyKeys("kitchen", turn()).next("order", TEA)
    assert IdempotencyKeys(conversation, origin).next("order", TEA) != key


def test_a_turn_that_nobody_asked_for_has_keys_of_its_own() -> None:
    keys = {
        IdempotencyKeys("kitchen", turn("", segment=segment)).next("order", TEA)
        for segment in ("SG_1", "SG_2")
    }
    assert len(keys) == 2
