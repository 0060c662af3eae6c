from __future__ import annotations

import pytest

from agent.cli.command import printable
from agent.cli.line_editor import Completion, LineEditor
from agent.cli.progress_of_notices import progress_of

NAMES = ("/call", "/calm", "/who")


def complete(typed: str) -> Completion:
    return Completion(len(typed), [name for name in NAMES if name.startswith(typed)])


@pytest.fixture
def editor() -> LineEditor:
    return LineEditor("> ", complete)


def test_a_line_ends_with_enter_and_the_rest_is_given_back(editor: LineEditor) -> None:
    assert editor.feed("Hel") == (None, False, "")
    assert editor.feed("lo\nAgain\n") == ("Hello", False, "Again\n")


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("abc\x7f\x08d", "ad"),
        ("bc\x01a", "abc"),
        ("ac\x1b[Db", "abc"),
        ("ac\x1b[D\x1b[D\x1b[D\x1b[Cb\x1b[Fd\x1b[C!", "abcd!"),
        ("ab\x1b[H\x1b[3~", "b"),
        ("one two \x17three", "one three"),
        ("one two\x15x", "x"),
        ("one two\x02\x02\x02\x0b", "one "),
        ("a\x1b[5~\x1bx\x1b[1;5Cb\x00", "ab"),
        ("grüß 👋\x7f!", "grüß !"),
        ("cafe\u0301s\x7f\x7f!", "caf!"),
        ("e\u0301a\x02\x02\x1b[3~", "a"),
        ("e\u0301a\x01\x06b", "e\u0301ba"),
        (
            "日本\u3000語 क्\u200cष 👩\u200d🚀 5\xa0€",
            "日本\u3000語 क्\u200cष 👩\u200d🚀 5\xa0€",
        ),
        ("a\u202eb\u2028c\x9bd", "abcd"),
    ],
)
def test_keys(editor: LineEditor, keys: str, line: str) -> None:
    assert editor.feed(f"{keys}\n") == (line, False, "")


def test_a_key_may_come_in_pieces(editor: LineEditor) -> None:
    for piece in ("ac", "\x1b", "[", "D", "b"):
        assert editor.feed(piece) == (None, False, "")
    assert editor.take() == "abc"


PASTE = "\x1b[200~one\r\n/w\ttwo\x1b[31m\x04\rthree\x1b[201~"
PASTED = "one\n/w\ttwo[31m\nthree"


@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_is_pasted_is_one_line(editor: LineEditor, size: int) -> None:
    typed = f"> {PASTE}!\x1b[D\x1b[D"
    for at in range(0, len(typed), size):
        assert editor.feed(typed[at : at + size]) == (None, False, "")
    assert editor.candidates() == ()
    assert editor.shown(80).endswith("> > one↵/w two[31m↵three!\x1b[2D")
    assert editor.feed("\n/w\t") == (f"> {PASTED}!", False, "/w\t")
    # It comes back as any line, and its line feeds are characters.
    editor.feed("\x1b[A\x01" + "\x06" * 6 + "\x7f,")
    assert editor.take() == f"> {PASTED}!".replace("one\n", "one,")


def test_ctrl_d_ends_the_input_on_an_empty_line_alone(editor: LineEditor) -> None:
    assert editor.feed("a\x04") == (None, False, "")
    assert editor.feed("\x7f\x04") == (None, True, "")


def test_former_lines_come_back(editor: LineEditor) -> None:
    for line in ("one", "two", "two", " "):
        editor.feed(f"{line}\n")
    editor.feed("thr\x1b[A\x1b[A\x1b[A")
    assert "> one" in editor.shown(80)
    editor.feed("\x1b[B\x1b[B\x1b[B")
    assert editor.feed("ee\n") == ("three", False, "")


def test_tab_completes_as_far_as_it_is_certain_and_then_lists(editor: LineEditor) -> None:
    editor.feed("/w\t")
    assert editor.take() == "/who "
    editor.feed("/c\t")
    assert editor.candidates() == ()
    assert editor.shown(80).endswith("> /cal")
    editor.feed("\t")
    assert editor.candidates() == ["/call", "/calm"]
    assert editor.candidates() == ()
    editor.feed("l\t")
    assert editor.take() == "/call "
    editor.feed("/w x\x02\x02\t")
    assert editor.take() == "/who x"
    editor.feed("/x\t")
    assert editor.take() == "/x"


def test_the_part_of_a_long_line_around_the_cursor_is_shown(editor: LineEditor) -> None:
    editor.add("".join(chr(ord("a") + number) for number in range(26)))
    assert editor.shown(13) == "\r\x1b[K> qrstuvwxyz"
    editor.feed("\x1b[D")
    assert editor.shown(13) == "\r\x1b[K> pqrstuvwxy"
    editor.feed("\x01")
    assert editor.shown(13) == "\r\x1b[K> abcdefghij\x1b[10D"
    editor.take()
    editor.add("日本語日本語")
    assert editor.shown(13) == "\r\x1b[K> 本語日本語"


def test_a_long_line_that_is_pasted_is_shown_at_once(editor: LineEditor) -> None:
    assert editor.feed("語" * 100_000) == (None, False, "")
    assert editor.shown(13) == "\r\x1b[K> 語語語語語"
    assert editor.take() == "語" * 100_000


def test_text_typed_meanwhile_cannot_control_the_terminal(editor: LineEditor) -> None:
    editor.add("a\x1b[31m\tb")
    assert editor.take() == "a[31m b"


def test_shown_text_keeps_spaces_and_joiners_and_cannot_control_the_terminal() -> None:
    shown = "10\u202f000\xa0€\u3000क्\u200cष\n\t👩\u200d🚀"
    assert printable(shown) == shown
    assert printable("a\x1b[31m\x9b2J\x7f\rb\u202ec\u2029") == "a[31m2Jbc"


@pytest.mark.parametrize(
    ("notice", "words"),
    [
        (
            {"event": "file.progress", "name": "a.pdf", "received": 5, "size": 20},
            "sending a.pdf: 25%",
        ),
        ({"event": "file.progress", "name": "a.pdf", "received": 5}, "sending a.pdf: 5 bytes"),
        (
            {"event": "tool.progress", "tool": "dig", "content": "deeper", "progress": 0.5},
            "dig: deeper, 50%",
        ),
        ({"event": "tool.progress", "tool": "dig", "content": ""}, "dig"),
        ({"event": "message.stored"}, None),
    ],
)
def test_progress_in_words(notice: dict[str, object], words: str | None) -> None:
    assert progress_of(notice) == words
