"""Files of messages: kept with them, found by those who may see them, gone with them."""

from __future__ import annotations

from dataclasses import replace

from agent.history.history import History
from agent.history.message import Attachment, ThreadKey
from tests.agent.history.conftest import NewHistory
from tests.agent.history.turns import ROOM, answer_to, asked, ended, everything

PRIVATE = ThreadKey("kitchen", "ann")


def file(number: int) -> Attachment:
    return Attachment(f"file_{number}", f"{number}.txt", "text/plain", 2**40, f"{number:064x}")


async def test_a_message_keeps_its_files_in_order(history: History) -> None:
    question = replace(asked("1"), attachments=(file(2), file(1)))
    await history.add_message(question)
    await history.add_message(asked("2"))
    await history.add_message(question)
    kept = await everything(history)
    assert [message.attachments for message in kept] == [(file(2), file(1)), ()]
    (first, _) = await history.unanswered("kitchen")
    assert first.message.attachments == (file(2), file(1))


async def test_an_answer_has_the_files_of_its_last_version(history: History) -> None:
    question = asked("1")
    await history.add_message(question)
    await history.finish_answer(replace(ended(answer_to(question)), attachments=(file(1),)))
    await history.finish_answer(replace(ended(answer_to(question)), attachments=(file(2),)))
    assert [each.attachments for each in await everything(history)] == [(), (file(2),)]


async def test_files_are_found_by_those_who_see_their_message(history: History) -> None:
    await history.add_message(replace(asked("1"), attachments=(file(1),)))
    await history.add_message(replace(asked("1", thread=PRIVATE), attachments=(file(2),)))

    assert await history.find_attachment("kitchen", "file_1", asker="bob") == (file(1), ROOM)
    assert await history.find_attachment("kitchen", "file_2", asker="ann") == (file(2), PRIVATE)
    assert await history.find_attachment("kitchen", "file_2", asker="bob") is None
    assert await history.find_attachment("hall", "file_1", asker="bob") is None
    assert await history.find_attachment("kitchen", "file_3", asker="ann") is None


async def test_the_bytes_of_a_rooms_files_are_counted_by_sender(
    history: History, new_history: NewHistory
) -> None:
    """For all processes: they share the database."""
    other = new_history()
    assert await other.stored_bytes("kitchen") == {}
    await history.add_message(replace(asked("1"), attachments=(file(1), file(2))))
    await history.add_message(replace(asked("2", thread=PRIVATE), attachments=(file(2),)))
    await history.add_message(replace(asked("3", sender="bob"), attachments=(file(1),)))
    await history.add_message(replace(asked("4", thread=ThreadKey("hall")), attachments=(file(1),)))
    one, two = file(1).size, file(2).size
    assert await other.stored_bytes("kitchen") == {"ann": one + two + two, "bob": one}
    await history.delete_message(asked("1").key, asker="ann")
    assert await other.stored_bytes("kitchen") == {"ann": two, "bob": one}


async def test_files_go_with_their_message(history: History) -> None:
    message = replace(asked("1"), attachments=(file(1), file(2)))
    await history.add_message(message)
    await history.add_message(replace(asked("2"), attachments=(file(2),)))
    hashes = [file(number).sha256 for number in (1, 2, 3)]
    assert await history.attached_content(hashes) == set(hashes[:2])

    await history.delete_message(message.key, asker="ann")

    assert await history.find_attachment("kitchen", "file_1", asker="ann") is None
    assert await history.attached_content(hashes) == {hashes[1]}
