"""Completions: what Tab completes in a conversation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from agent.author_label import display_name
from agent.cli.approval_questions import ApprovalQuestions
from agent.cli.command import printable
from agent.cli.line_editor import Completion
from agent.cli.tool_questions import ToolQuestions
from agent.client import RoomAgent

_COMMAND: Final = re.compile(r"/(\w+) +(.*)", re.DOTALL)
_WORD: Final = re.compile(r"""[^\s"'@(\[{,:]*\Z""")


class Completions:
    """Completes commands, the agent's methods, names and identities of those in the room, and paths
    of files.

    Args:
        commands: their names.
        asked: by command, the questions that it is for.
    """

    def __init__(
        self,
        agent: RoomAgent,
        commands: Iterable[str],
        asked: Mapping[str, ApprovalQuestions | ToolQuestions],
    ) -> None:
        self._agent = agent
        self._commands = [f"/{name}" for name in commands]
        self._asked = asked

    def of(self, typed: str) -> Completion:
        """Completes what stands before the cursor."""
        found = _COMMAND.fullmatch(typed)
        if found is None:
            if typed.startswith("/"):
                return _beginning(typed, self._commands)
            return self._people(typed)
        command, rest = found.groups()
        choices: dict[str, Callable[[], Iterable[str]]] = {
            "call": lambda: self._agent.method_names,
            "thread": lambda: ("room", "private"),
        }
        if command in self._asked:
            choices[command] = lambda: map(str, self._asked[command].waiting)
        if command in choices and " " not in rest:
            return _beginning(rest, choices[command]())
        if command == "file" and " " not in rest:
            return _path(rest)
        return self._people(rest)

    def _people(self, typed: str) -> Completion:
        """Completes the last word with the names and identities that begin with it."""
        found = _WORD.search(typed)
        word = "" if found is None else found.group()
        if not word:
            return Completion(0, ())
        people = self._agent.room.remote_participants.values()
        names = {name for each in people for name in (each.identity, display_name(each.name))}
        return _beginning(word, (name for name in names if name), is_exact=False)


def _beginning(word: str, names: Iterable[str], *, is_exact: bool = True) -> Completion:
    """The names that begin with a word; letters may be small or big where it need not be exact."""
    shown = {printable(name).replace("\n", " ") for name in names}
    if is_exact:
        found = sorted(name for name in shown if name.startswith(word))
    else:
        small = word.casefold()
        found = sorted(name for name in shown if name.casefold().startswith(small))
    return Completion(len(word), found)


def _path(typed: str) -> Completion:
    """Files and directories; those with a space in their names are left out: they need quotes."""
    directory, name = Path(typed).parent, Path(typed).name
    if typed.endswith("/"):
        directory, name = Path(typed), ""
    try:
        entries = [
            f"{each.name}/" if each.is_dir() else each.name
            for each in directory.expanduser().iterdir()
            if not each.name.startswith(".") or name.startswith(".")
        ]
    except (OSError, RuntimeError):
        # RuntimeError: nobody has the name that stands behind `~`.
        return Completion(0, ())
    found = _beginning(name, (entry for entry in entries if " " not in entry))
    is_directory = any(each.endswith("/") for each in found.candidates)
    return Completion(found.length, found.candidates, "" if is_directory else " ")
