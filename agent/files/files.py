"""Files: the parts of file handling that all rooms of a process share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from agent.config.settings import Settings
from agent.files.contents import Contents
from agent.files.model_view import ModelView
from agent.files.store import FileStore
from agent.files.type_detection import TypeDetection


@dataclass(frozen=True, slots=True)
class Files:
    """The store of files, the detection of their types, their contents for the model, and the
    largest size of one, in bytes."""

    store: FileStore
    types: TypeDetection
    model_view: ModelView
    contents: Contents
    max_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings have it; `store.open` comes next."""
        store = FileStore(settings.attachments_dir, max_bytes=settings.max_stored_bytes)
        characters = settings.max_file_characters
        contents = Contents(store, max_characters=characters, vision=settings.llm_vision)
        return cls(
            store=store,
            types=TypeDetection(),
            model_view=ModelView(contents, max_characters=characters),
            contents=contents,
            max_bytes=settings.max_file_bytes,
        )

    async def aclose(self) -> None:
        """Closes; returns when the last write has finished."""
        self.types.close()
        await self.store.aclose()
