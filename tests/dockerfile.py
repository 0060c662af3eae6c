"""Reads a Dockerfile into stages of instructions, as far as tests need it."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

_OPTION = re.compile(r"--(\S+)\s+")


@dataclass(frozen=True)
class Instruction:
    name: str
    """In upper case: FROM, RUN, COPY …"""
    arguments: str
    """Without its options, continued lines joined."""
    options: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        return self.arguments.split()

    @property
    def exec_form(self) -> list[str] | None:
        """The words of a JSON array, or None for the shell form."""
        try:
            words = json.loads(self.arguments)
        except ValueError:
            return None
        return cast("list[str]", words) if isinstance(words, list) else None


@dataclass
class Stage:
    base: str
    name: str | None
    instructions: list[Instruction] = field(default_factory=list[Instruction])
    arguments: dict[str, str] = field(default_factory=dict[str, str])
    """Its ARGs as RUN has them in the environment: without `--build-arg`, their defaults."""

    def all(self, name: str) -> list[Instruction]:
        return [each for each in self.instructions if each.name == name]


def read_dockerfile(path: Path) -> list[Stage]:
    """The stages in order; ARG values before the first FROM are filled in, and are the defaults of
    stages that name them."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for each in _instructions(path.read_text()):
        if each.name == "FROM":
            base, *alias = each.words
            for name, value in arguments.items():
                base = base.replace(f"${{{name}}}", value)
            stages.append(Stage(base, alias[1] if alias else None))
            continue
        if stages:
            stages[-1].instructions.append(each)
        if each.name == "ARG":
            name, given, value = each.arguments.partition("=")
            if not stages:
                arguments[name] = value
            elif given or name in arguments:
                stages[-1].arguments[name] = value if given else arguments[name]
    return stages


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found: list[Instruction] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        if not name:
            continue
        rest = rest.strip()
        options: list[str] = []
        while option := _OPTION.match(rest):
            options.append(option[1])
            rest = rest[option.end() :].strip()
        found.append(Instruction(name.upper(), rest, tuple(options)))
    return found
