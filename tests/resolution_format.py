"""Reads the specs of the resolver in fixtures/resolution/: what expressions are, and what blocks through them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```python(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REVEAL = re.compile(r"^\s*reveal\(.*\)  # (\S+)$")
_ERROR = re.compile(r"  # error: (BGL\d{3})$")


@dataclass(frozen=True)
class Case:
    """A small project (path → text), what its ``reveal(…)`` lines promise, and where blocking must be reported."""

    title: str
    files: dict[str, str]
    revealed: dict[tuple[str, int], str]
    errors: list[tuple[str, int, str]]

    def write(self, folder: Path) -> None:
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")


def read_cases(text: str) -> Iterator[Case]:
    """The cases of one spec file, one for each ``###`` section; no section may be without code."""
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0]
        files = {name or "example.py": body for name, body in _BLOCK.findall(section)}
        assert files, f"{title}: no code"
        lines = [(name, row, line) for name, body in files.items() for row, line in enumerate(body.split("\n"), 1)]
        revealed = {(name, row): m[1] for name, row, line in lines if (m := _REVEAL.match(line))}
        errors = sorted((name, row, m[1]) for name, row, line in lines if (m := _ERROR.search(line)))
        unread = [line for name, row, line in lines if "reveal(" in line and (name, row) not in revealed]
        assert not unread, f"{title}: {unread}"
        yield Case(title, files, revealed, errors)
