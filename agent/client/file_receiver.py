"""FileReceiver: files that the agent sends, saved in a directory."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from livekit import rtc

MAX_FILE_BYTES: Final = 1_073_741_824
MAX_IN_PACKETS: Final = 16
"""Files in packets that are being put together."""

MAX_PACKET_FILE_BYTES: Final = 16_777_216

_UNSAFE: Final = re.compile(r"[^\w.\- ()]")


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A complete file whose hash matches the one that the agent sent."""

    file_id: str
    name: str
    path: Path
    size: int


class FileReceiver:
    """Saves files under names that are free there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pieces: OrderedDict[str, dict[int, bytes]] = OrderedDict()

    async def read(self, reader: rtc.ByteStreamReader) -> ReceivedFile | None:
        """Saves a byte stream; None: it is too large, broke off, or does not match its
        description."""
        info = reader.info
        attributes = info.attributes or {}
        content = bytearray()
        async for chunk in reader:
            content += chunk
            if len(content) > MAX_FILE_BYTES:
                return None
        name = info.name or "file"
        return await self._save(
            attributes.get("file_id", ""), name, bytes(content), attributes.get("sha256")
        )

    async def hear(self, packet: Mapping[str, Any]) -> ReceivedFile | None:
        """Takes a packet of a file; the file, once all of its packets are there."""
        try:
            file_id, seq, total = str(packet["fileId"]), int(packet["seq"]), int(packet["total"])
            piece = base64.b64decode(packet["data"], validate=True)
            name, sha256 = str(packet["name"]), str(packet["sha256"])
        except (KeyError, TypeError, ValueError, binascii.Error):
            return None
        pieces = self._pieces.setdefault(file_id, {})
        pieces[seq] = piece
        if sum(map(len, pieces.values())) > MAX_PACKET_FILE_BYTES:
            self._pieces.pop(file_id)
            return None
        if len(self._pieces) > MAX_IN_PACKETS:
            self._pieces.popitem(last=False)
        if len(pieces) < total:
            return None
        self._pieces.pop(file_id, None)
        content = b"".join(pieces[number] for number in sorted(pieces))
        return await self._save(file_id, name, content, sha256)

    async def _save(
        self, file_id: str, name: str, content: bytes, sha256: str | None
    ) -> ReceivedFile | None:
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            return None
        path = await asyncio.to_thread(self._write, safe_name(name), content)
        return ReceivedFile(file_id, name, path, len(content))

    def _write(self, name: str, content: bytes) -> Path:
        self._directory.mkdir(parents=True, exist_ok=True)
        stem, suffix = Path(name).stem, Path(name).suffix
        for number in range(1_000):
            path = self._directory / (f"{stem} ({number}){suffix}" if number else name)
            try:
                with path.open("xb") as file:
                    file.write(content)
            except FileExistsError:
                continue
            return path
        raise FileExistsError(f"{self._directory}: too many files called {name}")


def safe_name(name: str) -> str:
    """A name without directories and without characters that a shell or a terminal interprets."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return _UNSAFE.sub("_", last).strip(". ")[:128] or "file"
