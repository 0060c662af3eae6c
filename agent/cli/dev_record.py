"""The record of a running `dev`: a file through which other commands find it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.cli.command import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping

READING_TAKES = 0.1
"""Seconds to wait for the lock; far more than a `read` takes."""

CHECKOUT = Path(__file__).resolve().parent.parent.parent


class DevRecord(BaseModel):
    """A running `dev`: its room server, its agent and its model.

    Attributes:
        has_key: whether the model service gets a key, which is not kept here.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    url: str
    api_key: str
    api_secret: str
    agent_name: str
    agent_identity: str
    reply_topic: str
    model_url: str
    model: str
    has_key: bool


class DevRecordFile:
    """The file of one checkout's `dev`, readable by its user only.

    The process of `dev` holds a lock on it, which ends with the process however that ends. A file
    without a lock is a leftover, whatever stands in it.
    """

    def __init__(self, environ: Mapping[str, str], checkout: Path = CHECKOUT) -> None:
        runtime = environ.get("XDG_RUNTIME_DIR", "")
        # It is set where nobody logged in, as after `su`, and then it is not there.
        base = runtime if runtime and os.path.isdir(runtime) else tempfile.gettempdir()
        name = hashlib.sha256(str(checkout).encode()).hexdigest()[:16]
        self._path = Path(base) / f"livekit-room-agent-{os.getuid()}" / f"dev-{name}.json"
        self._file: int | None = None

    def read(self) -> DevRecord | None:
        """The running `dev`, or None if there is none, or if it has not started yet."""
        try:
            self._check_owner()
            file = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            if self._lock(file, fcntl.LOCK_SH):
                return None
            return DevRecord.model_validate_json(os.read(file, 65_536))
        except ValidationError:
            return None
        finally:
            os.close(file)

    def take(self) -> None:
        """Takes the file for this process, until `release` or its end.

        Raises:
            BlockingIOError: another `dev` of this checkout is running.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_owner()
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if not self._lock(file, fcntl.LOCK_EX):
            # It may be held for the moment of a `read`.
            time.sleep(READING_TAKES)
            if not self._lock(file, fcntl.LOCK_EX):
                os.close(file)
                raise BlockingIOError
        os.truncate(file, 0)
        self._file = file

    def release(self) -> None:
        """Empties the file, and leaves it: deleting it could delete that of the next `dev`."""
        if self._file is not None:
            os.truncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def write(self, record: DevRecord) -> None:
        """Writes where the `dev` of this process runs."""
        if self._file is None:
            raise RuntimeError("the file is not taken")
        os.write(self._file, record.model_dump_json().encode())

    def _check_owner(self) -> None:
        """The temporary directory is shared: another user may have created ours."""
        status = self._path.parent.stat(follow_symlinks=False)
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise CommandError(f"{self._path.parent} is open to other users: remove it")

    @staticmethod
    def _lock(file: int, kind: int) -> bool:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
