"""The call graph as plain data: which sync functions run which others, or a sink. It outlives the modules it is of."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from bglint.index.places import Place
from bglint.index.sinks import Sink

# What runs where a call stands.
Run: TypeAlias = Sink | Place


class Edge(NamedTuple):
    """What an expression on that ``row`` of a ``function`` runs on the spot."""

    function: Place
    row: int
    run: Run


class CallGraph:
    """Functions by their places, with the rows of what they run in source order; of one target, the first."""

    def __init__(self) -> None:
        self._rows: dict[Place, dict[Run, int]] = {}
        self._callers: dict[Run, list[Place]] = {}
        self._known: dict[Place, Place] = {}  # one object for equal places
        self._distances: dict[str, dict[Place, int]] = {}

    def add(self, function: Place, row: int, run: Run) -> None:
        """Note what a function runs on a row."""
        function = self._known.setdefault(function, function)
        if isinstance(run, Place):
            run = self._known.setdefault(run, run)
        rows = self._rows.setdefault(function, {})
        if run not in rows:
            rows[run] = row
            self._callers.setdefault(run, []).append(function)
            self._distances.clear()

    def distances(self, kind: str) -> Mapping[Place, int]:
        """The functions that reach a sink of a kind, with the number of calls that this takes, the sink's included."""
        if kind not in self._distances:
            found: dict[Place, int] = {}
            pending: deque[tuple[Run, int]] = deque(
                (run, 0) for run in self._callers if isinstance(run, Sink) and run.kind == kind
            )
            while pending:
                run, distance = pending.popleft()
                for caller in self._callers.get(run, ()):
                    if caller not in found:
                        found[caller] = distance + 1
                        pending.append((caller, distance + 1))
            self._distances[kind] = found
        return self._distances[kind]

    def reaching(self, kinds: Iterable[str]) -> Collection[Place]:
        """The functions that reach a sink of one of some kinds."""
        return frozenset().union(*(self.distances(kind).keys() for kind in kinds))

    def shortest(self, function: Place, kind: str) -> list[Edge]:
        """The shortest way from a function to a sink of a kind, first in source order; empty where there is none."""
        distances = self.distances(kind)
        way: list[Edge] = []
        for left in range(distances.get(function, 0), 0, -1):
            rows = self._rows[function]
            run = next(run for run in rows if _leads(run, kind, left - 1, distances))
            way.append(Edge(function, rows[run], run))
            if isinstance(run, Place):
                function = run
        return way

    def functions_in(self, path: Path) -> list[Place]:
        """The functions of a file that run anything."""
        return [function for function in self._rows if function.path == path]

    def forget(self, path: Path) -> list[Place]:
        """Drop the edges of the functions of a file, which has a new text; returns these functions."""
        functions = self.functions_in(path)
        for function in functions:
            self._take_out(function)
        return functions

    def move(self, places: Mapping[Place, Place]) -> None:
        """Let the edges to some functions lead to where these stand now: one may stand where another one did."""
        for caller in {caller for before in places for caller in self._callers.get(before, ())}:
            for run, row in self._take_out(caller).items():
                self.add(caller, row, places.get(run, run) if isinstance(run, Place) else run)

    def _take_out(self, function: Place) -> dict[Run, int]:
        """Drop the edges of a function; returns what it ran, with the rows."""
        rows = self._rows.pop(function)
        for run in rows:
            self._callers[run].remove(function)
        self._distances.clear()
        return rows


def _leads(run: Run, kind: str, left: int, distances: Mapping[Place, int]) -> bool:
    """Whether a sink of a kind is ``left`` calls away, for 0 there."""
    if isinstance(run, Sink):
        return left == 0 and run.kind == kind
    return left > 0 and distances.get(run) == left
