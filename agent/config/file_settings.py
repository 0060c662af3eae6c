"""FileSettings: a group of settings; agent.config.settings reads them."""

from pathlib import Path

from pydantic import BaseModel, Field

from agent.config.setting_types import Names


class FileSettings(BaseModel):
    """Settings of the file store, and limits of files."""

    attachments_dir: Path = Field(
        Path("data/attachments"),
        alias="ATTACHMENTS_DIR",
        description="directory of the files that participants send",
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
        description="files that one participant may send at once, and that one message may have",
    )
    file_types: Names = Field(
        ("*/*",),
        alias="FILE_TYPES",
        description="accepted content types, such as image/* or application/pdf",
    )
    max_file_characters: int = Field(
        50_000,
        alias="MAX_FILE_CHARACTERS",
        ge=0,
        le=10_000_000,
        description="characters of file text that the model gets in one request",
    )
    max_stored_bytes: int = Field(
        10_737_418_240,
        alias="MAX_STORED_BYTES",
        ge=0,
        description="bytes of all files in ATTACHMENTS_DIR together",
    )
    max_room_bytes: int = Field(
        5_368_709_120,
        alias="MAX_ROOM_BYTES",
        ge=0,
        description="bytes of the files in one room together; 0: no limit",
    )
    max_participant_bytes: int = Field(
        2_147_483_648,
        alias="MAX_PARTICIPANT_BYTES",
        ge=0,
        description="bytes of the files that one participant sent in a room together; 0: no limit",
    )
    quarantine_days: float = Field(
        14.0,
        alias="QUARANTINE_DAYS",
        ge=0,
        le=3_650,
        description="days until a file that no message refers to is deleted",
    )
