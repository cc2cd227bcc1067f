"""What is left of functions and classes when their modules are dropped: where they stand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bglint.index.facts import Scope


class Owner(NamedTuple):
    """A project class, by its file and names."""

    path: Path
    full_name: str
    name: str

    @classmethod
    def of(cls, scope: Scope) -> Owner:
        """The class of that scope."""
        return cls(scope.module.path, scope.full_name, scope.name)


class Place(NamedTuple):
    """Where a project function is: its file, the class it is a method of, its own name, row and column."""

    path: Path
    owner: Owner | None
    full_name: str
    row: int
    column: int

    @property
    def name(self) -> str:
        """The function's name without those around it."""
        return self.full_name.rpartition(".")[2]


class Position(NamedTuple):
    """Where an expression starts: its row from 1, its column in bytes from 0."""

    row: int
    column: int
