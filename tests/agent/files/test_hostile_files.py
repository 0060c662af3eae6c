"""Files that were made to harm the worker: the rooms go on."""

from __future__ import annotations

from tests.agent.conftest import Enter, StartWorker
from tests.agent.files.test_files_in import send


async def test_a_file_of_comments_freezes_nothing(enter: Enter, start_worker: StartWorker) -> None:
    worker = await start_worker()
    mallory = await enter("mallory", worker=worker)
    bob = await enter("bob", worker=worker, room="another room")
    stream = await send(mallory, b"<!---->" * 60 + b"x", name="note.txt")
    assert (await mallory.notice("file.received", streamId=stream))["mimeType"] == "text/plain"
    for client in (mallory, bob):
        assert await client.ask_method("getCurrentTime")
        assert (await client.ask("hello")).finish_reason == "stop"
