"""A survey: what every function of some files runs, noted file by file. In many files that belong together that is
less work than to look again and again for the callers of what has been found.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bglint.index.call_graph import CallGraph, Run
from bglint.index.callers import last_name
from bglint.index.linking import calls_on
from bglint.index.operations import runs_by_operation
from bglint.index.places import Owner, Place, Position
from bglint.index.sinks import Sink

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

# Of a long file; between two parts modules can be dropped.
_ROWS_AT_ONCE = 1_000


class Way(NamedTuple):
    """A call or another expression that runs something on the spot, the scope it stands in, and what it runs."""

    node: ast.expr
    scope: Scope
    run: Iterator[Sink | Scope]

    @property
    def position(self) -> Position:
        """Where the expression stands."""
        return Position(self.node.lineno, self.node.col_offset)

    @property
    def called(self) -> str | None:
        """The last part of the name that it calls; None where it is no call."""
        return last_name(self.node.func) if isinstance(self.node, ast.Call) else None


class FromLoop(NamedTuple):
    """What an expression in an async function runs: where that stands, and which name it calls (None: no call)."""

    position: Position
    called: str | None
    run: Run


class Survey:
    """The ``graph`` of the sync functions of some ``files``, and what async ones run; sinks of some kinds count."""

    def __init__(self, project: Project, kinds: frozenset[str]) -> None:
        self.project = project
        self.kinds = kinds
        self.files: set[Path] = set()
        self.graph = CallGraph()
        self.sinks: dict[Path, set[str]] = {}  # the names of those that a file calls
        self._operators: set[Place] = set()  # of the functions, those that operations run
        self._from_loop: dict[Path, list[FromLoop]] = {}

    def note_calls(self, path: Path) -> None:
        """Note what the calls in a file run."""
        self.files.add(path)
        first, last = 1, 1
        while first <= last:
            self.project.trim()
            module = self.project.module_at(path)
            if module is None:
                return
            last = module.text.count("\n") + 1
            runs = self.project.blocking.runs
            calls = calls_on(module, range(first, first + _ROWS_AT_ONCE))
            self.note(Way(call, scope, runs(call, scope)) for call, scope in calls)
            first += _ROWS_AT_ONCE

    def note(self, ways: Iterable[Way]) -> None:
        """Note what some expressions run."""
        for way in ways:
            for run in way.run:
                target = run if isinstance(run, Sink) else run.place
                if not isinstance(target, Sink) or target.kind in self.kinds:
                    self._note(way, target)

    def _note(self, way: Way, run: Run) -> None:
        scope, path = way.scope, way.scope.module.path
        if isinstance(run, Sink):
            self.sinks.setdefault(path, set()).add(run.name)
        if scope.is_async:
            self._from_loop.setdefault(path, []).append(FromLoop(way.position, way.called, run))
        elif scope.is_function:
            self.graph.add(scope.place, way.node.lineno, run)
            if scope.owner is not None and runs_by_operation(scope):
                self._operators.add(scope.place)

    def reaching_methods(self) -> set[tuple[str, Owner]]:
        """The methods and properties that operations run and through which a sink is reached."""
        found = self._operators.intersection(self.graph.reaching(self.kinds))
        return {(place.name, place.owner) for place in found if place.owner is not None}

    def on_loop(self, path: Path) -> Iterator[tuple[Position, str | None]]:
        """Where async functions of a file reach a sink, with the name that is called; asked once."""
        found = self.graph.reaching(self.kinds)
        for here, called, run in self._from_loop.pop(path, ()):
            if isinstance(run, Sink) or run in found:
                yield here, called

    def forget(self, path: Path) -> list[Place]:
        """Drop what is known of a file that has a new text; returns where its functions stood."""
        self._operators = {place for place in self._operators if place.path != path}
        self._from_loop.pop(path, None)
        self.sinks.pop(path, None)
        return self.graph.forget(path)


def moved(before: Sequence[Place], after: Sequence[Place]) -> dict[Place, Place]:
    """Where the functions of a file stand after a change: those of one name in their order, if none of them is gone."""
    here, there = _by_name(before), _by_name(after)
    return {
        old: new
        for name, places in here.items()
        if len(places) == len(there.get(name, ()))
        for old, new in zip(places, there[name], strict=True)
        if old != new
    }


def _by_name(places: Iterable[Place]) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    for place in sorted(places, key=lambda place: (place.row, place.column)):
        found.setdefault(place.full_name, []).append(place)
    return found
