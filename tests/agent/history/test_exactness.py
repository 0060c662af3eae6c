"""A stored text comes back byte for byte, whatever it is."""

from __future__ import annotations

import random

import pytest

from agent.history.errors import InvalidValueError
from agent.history.exact_text import escape, unescape
from agent.history.history import History
from agent.history.message import Message, MessageKey, ThreadKey
from agent.testing.history_samples import answer_to, asked, ended, everything

TEXTS = {
    "empty": "",
    "emoji": "\U0001f469\U0001f3fd\u200d\U0001f467\U0001f3fd \U0001f3f4\U000e0067\U000e007f",
    "right to left": "\u05e9\u05dc\u05d5 \u202e\u05e2\u05d5\u202c \u0645\u0631\u062d",
    "combining": "e\u0301 \u00e9 Z\u0351\u036b\u0343",
    "NUL": "\0a\0\0b\0",
    "control": "".join(map(chr, range(32))) + "\x7f\x85\u2028\ufeff",
    "escapes": "\x1a \x1a0 \x1a\x1a0\0\x1a",
    "line ends": "\r\n a \r b \n\t ",
    "quotes": "'\"`\\%_;--$1 :name ? {}",
    "SQL": "'); DROP TABLE history_message; --",
    "beyond the BMP": "\U0010ffff\U00010000\ufffd\uffff",
    "long": "ä😀" * 40_000,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_every_field_survives(history: History, text: str) -> None:
    name = text[:256]
    identity = name or "nobody"
    thread = ThreadKey(identity, identity)
    question = Message(
        thread=thread,
        sender_id=identity,
        id=identity,
        role="user",
        text=text,
        timestamp=2**63 - 1,
        sender_name=text,
        in_reply_to=identity,
        form="packet",
        awaits_answer=True,
    )
    assert await history.add_message(question)
    assert not await history.add_message(question)
    answer = ended(answer_to(question), text, "length")
    await history.finish_answer(answer)

    kept = await everything(history, thread, identity)
    assert [(m.text, m.sender_name, m.sender_id, m.id) for m in kept] == [
        (text, text, identity, identity),
        (text, "Agent", "agent", answer.id),
    ]
    assert [m.timestamp for m in kept] == [2**63 - 1, answer.timestamp]
    assert [m.in_reply_to for m in kept] == [identity, identity]
    assert kept[0].thread == thread
    found = await history.find(identity, identity, asker=identity)
    assert [m.key for m in found] == [question.key]
    assert (await history.threads(identity, asker=identity))[0].messages == 2


@pytest.mark.parametrize("alphabet", ["\U0001f600\U00020000\U0010abcd", "\0", "\x1a\0"])
async def test_ids_of_256_characters(history: History, alphabet: str) -> None:
    """The largest keys there can be, and ones that cannot be compressed, fit the indices."""
    seeded = random.Random(7)  # noqa: S311 - the same letters in each run
    if len(alphabet) == 3:
        alphabet = "".join(chr(seeded.randrange(0x10000, 0x110000)) for _ in range(5_000))
    room, owner, one, other = ("".join(seeded.choices(alphabet, k=256)) for _ in range(4))
    thread = ThreadKey(room, owner)
    question = asked(one, sender=owner, thread=thread)
    assert await history.add_message(question)
    answer = answer_to(question, other if other != one else "SG")
    await history.finish_answer(ended(await history.begin_answer(answer)))
    await history.set_reaction(answer.key, alphabet[:64], asker=owner)
    assert [m.key for m in await everything(history, thread, owner)] == [question.key, answer.key]


async def test_half_a_surrogate_pair_is_replaced_in_texts(history: History) -> None:
    await history.add_message(asked("1", "a\ud83d b\ude00 c\ud83d\ude00"))
    (kept,) = await everything(history)
    assert kept.text == "a\ufffd b\ufffd c😀"


@pytest.mark.parametrize("value", ["", "x" * 257, "x" * 10_000, "\ud83d"])
def test_ids_that_cannot_be_kept_are_refused(value: str) -> None:
    room = ThreadKey("kitchen")
    with pytest.raises(InvalidValueError):
        ThreadKey(value * 2)  # The name of a conversation may have 384 characters.
    with pytest.raises(InvalidValueError):
        ThreadKey("kitchen", value)
    with pytest.raises(InvalidValueError):
        MessageKey(room, value, "1")
    with pytest.raises(InvalidValueError):
        asked(value)
    with pytest.raises(InvalidValueError):
        answer_to(asked("1"), value or "x" * 257)


@pytest.mark.parametrize("timestamp", [2**63, -(2**63), 10**30])
def test_timestamps_beyond_64_bits_are_refused(timestamp: int) -> None:
    with pytest.raises(InvalidValueError):
        Message(ThreadKey("kitchen"), "ann", "1", "user", "", timestamp)


def test_a_thread_has_its_id_back() -> None:
    for thread in (ThreadKey("r"), ThreadKey("r", "ann"), ThreadKey("r", "private:room")):
        assert ThreadKey.from_id("r", thread.id) == thread
    for wrong in ("", "Room", "private", "private:", "'; --"):
        with pytest.raises(InvalidValueError):
            ThreadKey.from_id("r", wrong)


def test_escaped_text_differs_where_text_differs() -> None:
    seeded = random.Random(3)  # noqa: S311 - the same letters in each run
    texts = {"".join(seeded.choices("\0\x1a0a", k=seeded.randrange(8))) for _ in range(2_000)}
    escaped = {escape(text) for text in texts}
    assert len(escaped) == len(texts)
    assert "\0" not in "".join(escaped)
    assert {unescape(text) for text in escaped} == texts


def test_no_representation_holds_what_people_wrote() -> None:
    message = asked("1", "very secret")
    assert "very secret" not in repr(message)
    assert "very secret" not in repr(ended(answer_to(message), "very secret"))
