"""FileSettings: a group of settings; agent.config.settings reads them."""

from pathlib import Path

from pydantic import BaseModel, Field

from agent.config.setting_types import Names


class FileSettings(BaseModel):
    """Where files are stored, and their limits."""

    attachments_dir: Path = Field(
        Path("data/attachments"),
        alias="ATTACHMENTS_DIR",
        description="files that people send are kept here",
    )
    max_file_bytes: int = Field(
        104_857_600,
        alias="MAX_FILE_BYTES",
        ge=0,
        le=1_073_741_824,
        description="largest file, in bytes",
    )
    max_files: int = Field(
        10,
        alias="MAX_FILES",
        ge=1,
        le=100,
        description="files one participant may be sending at once, and of one message",
    )
    file_types: Names = Field(
        ("*/*",),
        alias="FILE_TYPES",
        description="types of files that are taken, as image/* or application/pdf",
    )
    max_file_characters: int = Field(
        50_000,
        alias="MAX_FILE_CHARACTERS",
        ge=0,
        le=10_000_000,
        description="of the text of files that the model is given with one request",
    )
    max_stored_bytes: int = Field(
        10_737_418_240,
        alias="MAX_STORED_BYTES",
        ge=0,
        description="of all files in ATTACHMENTS_DIR together",
    )
    max_room_bytes: int = Field(
        5_368_709_120,
        alias="MAX_ROOM_BYTES",
        ge=0,
        description="of the files of one room's messages together; 0: no limit",
    )
    max_participant_bytes: int = Field(
        2_147_483_648,
        alias="MAX_PARTICIPANT_BYTES",
        ge=0,
        description="of the files that one participant sent in a room together; 0: no limit",
    )
    quarantine_days: float = Field(
        14.0,
        alias="QUARANTINE_DAYS",
        ge=0,
        le=3_650,
        description="days that a file which no message has any more is kept before it is deleted",
    )
