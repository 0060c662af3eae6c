"""A file that is part of an answer, as those who see the answer are shown it."""

from __future__ import annotations

from agent.contract.parts import FilePart
from agent.history.message import Attachment
from agent.parts.answer_parts import AnswerParts


def show_file(parts: AnswerParts, file: Attachment) -> None:
    """Shows a file; its content goes out as all files do."""
    part: FilePart = {
        "id": file.id,
        "type": "file",
        "fileId": file.id,
        "name": file.name,
        "mimeType": file.type,
        "size": file.size,
        "sha256": file.sha256,
    }
    parts.put(part["id"], part)
