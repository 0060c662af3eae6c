"""Files are read by a process that can do nothing else, whatever is in them."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Final

import pytest
from PIL import Image

from agent.files.confinement import MEMORY_BYTES
from agent.files.content_type import content_type
from tests.agent.files.test_files_to_model import pdf

ROOT: Final = Path(__file__).parents[3]

GERMAN: Final = "Größe;Preis\nÄpfel;1,20 €\n"
JAPANESE: Final = "名前,値段\nりんご,100\nこれはテストです。\n"
RUSSIAN: Final = "Привет, мир. Сколько стоит эта книга?\n"

PROBE: Final = f"""
import os, socket, sys
from agent.files.confinement import confine
confine()
tried = {{
    "file": lambda: open("/etc/passwd"),
    "worker": lambda: open("/proc/self/environ"),
    "network": lambda: socket.create_connection(("127.0.0.1", 9)),
    "program": lambda: os.execv("/bin/true", ["true"]),
    "memory": lambda: bytearray({MEMORY_BYTES}),
}}
for name, attempt in tried.items():
    try:
        attempt()
    except (OSError, MemoryError):
        continue
    print(name)
"""
"""Prints what it can still do."""


def extracted(content: bytes, *arguments: str, path: Path) -> subprocess.CompletedProcess[bytes]:
    path.write_bytes(content)
    with path.open("rb") as file:
        return subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "agent.files.extraction", *arguments],
            cwd=ROOT,
            env={},
            stdin=file,
            capture_output=True,
            check=False,
        )


def test_the_process_has_no_files_no_network_and_no_memory_to_spare() -> None:
    probe = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROBE], cwd=ROOT, env={}, capture_output=True, check=True
    )
    assert probe.stdout == b""


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_a_picture_that_unpacks_to_much_stays_within_the_bound(mode: str, tmp_path: Path) -> None:
    bomb = io.BytesIO()
    Image.new(mode, (7_000, 7_000)).save(bomb, "PNG")
    done = extracted(bomb.getvalue(), "image", "1024", path=tmp_path / "bomb.png")
    assert done.returncode == 0, done.stderr
    assert Image.open(io.BytesIO(done.stdout)).size == (1_024, 1_024)


def test_a_picture_of_more_pixels_is_refused(tmp_path: Path) -> None:
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    done = extracted(bomb.getvalue(), "image", "1024", path=tmp_path / "bomb.png")
    assert (done.returncode, done.stdout) == (1, b"")


def test_a_small_picture_that_unpacks_to_610_megabytes_is_refused(tmp_path: Path) -> None:
    side = 14_260
    packer = zlib.compressobj(9)
    row = b"\0" * (3 * side + 1)
    pixels = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    )
    assert len(bomb) < 1_000_000
    assert side * len(row) > 610_000_000
    done = extracted(bomb, "image", "1024", path=tmp_path / "bomb.png")
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
def test_pictures_of_each_form_are_read(form: str, tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(picture, form)
    done = extracted(picture.getvalue(), "image", "10", path=tmp_path / "a")
    assert done.returncode == 0, done.stderr
    assert Image.open(io.BytesIO(done.stdout)).size == (10, 7)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "cp1252"),
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (GERMAN, "utf-32"),
        ("plain letters", "utf-16-le"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "utf-16"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        (RUSSIAN, "utf-16-le"),
        (JAPANESE, "utf-16-be"),
        (JAPANESE, "iso2022_jp"),
        ("Nazwa;Ilość\nŻółta łódź;3\n", "cp1250"),
        ("Größe;Preis\n", "cp850"),
        (RUSSIAN, "utf-16-be-mark"),
    ],
)
def test_text_is_read_in_the_encodings_of_offices(text: str, encoding: str, tmp_path: Path) -> None:
    content = (
        b"\xfe\xff" + text.encode("utf-16-be")
        if encoding == "utf-16-be-mark"
        else text.encode(encoding)
    )
    assert content_type(content, "table.csv") == "text/csv"
    assert content_type(content, "note.txt") == "text/plain"
    done = extracted(content, "text", "1000", path=tmp_path / "note.txt")
    assert done.stdout.decode() == text, done.stderr


@pytest.mark.parametrize("before", [b"\n", b"\xef\xbb\xbf", b"\0" * 1_024, b"Content-Type: x\r\n"])
def test_something_may_stand_before_a_pdf(before: bytes, tmp_path: Path) -> None:
    content = before + pdf("First page", "Second page")
    assert content_type(content[:4_096], "paper") == "application/pdf"
    done = extracted(content, "pdf", "1000", path=tmp_path / "paper.pdf")
    assert done.stdout.decode() == "First page\n\nSecond page", done.stderr


@pytest.mark.parametrize(
    "text",
    ["A PDF begins with %PDF-1.4 and has 1 0 obj in it", "%PDFs are fine", "see\n%PDF-1.7\n"],
)
def test_a_text_about_pdfs_is_a_text(text: str) -> None:
    assert content_type(text.encode(), "note.txt") == "text/plain"
