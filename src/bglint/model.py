"""What travels between the stages: rules' metadata, findings, fixes and edits. Plain data, no LibCST."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple


class Level(enum.Enum):
    """How sure the harm is: an ERROR is wrong whenever it runs, a WARNING is a risk."""

    ERROR = "error"
    WARNING = "warning"


class Applicability(enum.Enum):
    """SAFE fixes keep the behaviour but for the risk itself; any other change makes a fix UNSAFE."""

    SAFE = "safe"
    UNSAFE = "unsafe"


class Location(NamedTuple):
    """A place between two characters: ``row`` and ``column`` count from 1, columns in characters."""

    row: int
    column: int


class Span(NamedTuple):
    """The text from ``start`` up to, not including, ``end``. An empty span is an insertion point."""

    start: Location
    end: Location


class Edit(NamedTuple):
    """Put ``content`` in the place of ``span``'s text."""

    span: Span
    content: str


@dataclass(frozen=True, slots=True)
class Fix:
    """All edits that one finding's repair needs: its site, imports and helpers. They apply together or not at all.

    ``message`` says in a few words what the fix does ("Wrap the callable in a guard").
    """

    applicability: Applicability
    message: str
    edits: tuple[Edit, ...]


class Frame(NamedTuple):
    """One step of a call chain: ``function`` (qualified name) is called, or blocks, at ``filename``:``row``."""

    function: str
    filename: str
    row: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One report.

    ``path`` is relative to the working directory where that is possible. ``fix_refused`` says why a rule that
    has a fix offers none here. ``noqa_rows`` are the rows on which a ``# noqa`` comment silences the finding, the
    first of them being where ``--add-noqa`` would write it.
    """

    code: str
    name: str
    level: Level
    message: str
    path: str
    span: Span
    chain: tuple[Frame, ...] = ()
    fix: Fix | None = None
    fix_refused: str | None = None
    noqa_rows: tuple[int, ...] = ()

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """The order of every output: path, row, column, code, message."""
        return (self.path, self.span.start.row, self.span.start.column, self.code, self.message)

    @property
    def url(self) -> str:
        """Where the rule is documented, relative to the project's own pages."""
        return f"docs/rules/{self.code}.md"
