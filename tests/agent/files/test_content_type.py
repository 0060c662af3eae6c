"""The type of a file follows from its bytes."""

from __future__ import annotations

import pytest

from agent.files.content_type import content_type, is_accepted

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\0" * 40
OFFICE = "application/vnd.openxmlformats-officedocument"


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (b"", "empty", "text/plain"),
        (b"hello", "a.exe", "text/plain"),
        (b"BMW and PK are letters", "a.txt", "text/plain"),
        ("grüß".encode()[:-1], "cut.txt", "text/plain"),
        (b"# Title", "notes.md", "text/markdown"),
        (b"a,b\n1,2", "table.csv", "text/csv"),
        (b'{"a": 1}', "data", "application/json"),
        (b"\xef\xbb\xbf[1, 2]", "data.txt", "text/plain"),
        (b'  [{"a": 1}]', "data.txt", "application/json"),
        (b"[1] a reference", "paper.txt", "text/plain"),
        (b"<!DOCTYPE html><p>", "page.txt", "text/html"),
        (b'<?xml version="1.0"?><svg xmlns="x"/>', "a.png", "image/svg+xml"),
        (b"%PDF-1.4\n1 0 obj", "a.txt", "application/pdf"),
        (PNG, "a.txt", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + b"\0" * 30, "a.png", "image/jpeg"),
        (b"GIF89a\1\0\1\0\x80\0\0" + b"\xff" * 20, "a", "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 " + b"\0" * 20, "a", "image/webp"),
        (b"PK\x03\x04\x14\0\0\0[Content_Types].xml\0word/document.xml", "a", f"{OFFICE}.wordproc"),
        (b"PK\x03\x04\x14\0\0\0bomb.txt", "a.docx", "application/zip"),
        (b"\0\1\2\3" * 10, "a.txt", "application/octet-stream"),
        (b"\x1b[31mcolours of a terminal", "a.log", "text/plain"),
    ],
)
def test_the_type_is_that_of_the_bytes(head: bytes, name: str, expected: str) -> None:
    assert content_type(head, name).startswith(expected)


def test_patterns_say_what_is_accepted() -> None:
    assert is_accepted("image/png", ("application/pdf", "Image/*"))
    assert not is_accepted("application/zip", ("application/pdf", "image/*"))
    assert is_accepted("application/zip", ("*/*",))
