"""Names that people give to files, and what is made of them."""

from __future__ import annotations

import pytest

from agent.files.safe_name import MAX_NAME_BYTES, safe_name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("Übersicht März.md", "Übersicht März.md"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system32\\evil.dll", "evil.dll"),
        ("a\0b\r\n.txt", "ab.txt"),
        ("..", "file"),
        ("", "file"),
        ("///", "file"),
        (" .hidden. ", "hidden"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("console.txt", "console.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("zero\u200bwidth\u2066.txt", "zerowidth.txt"),
        ('a<b>c:d"e|f?g*.txt', "a_b_c_d_e_f_g_.txt"),
        ("e\u0301.txt", "é.txt"),
        ("\ud800.txt", "txt"),
    ],
)
def test_a_name_is_made_safe(given: str, expected: str) -> None:
    assert safe_name(given) == expected


@pytest.mark.parametrize("letter", ["a", "ä", "漢", "😀"])
def test_a_name_that_is_too_long_keeps_its_suffix(letter: str) -> None:
    name = safe_name(letter * 10_000 + ".pdf")
    assert name.endswith(f"{letter}.pdf")
    assert MAX_NAME_BYTES - 4 < len(name.encode()) <= MAX_NAME_BYTES
