"""What blocks: a call that is a known sink, or a call of a project function that reaches one.

Every answer carries the chain that proves it, the shortest one first found in source order.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bglint.index import data
from bglint.index.callers import last_name
from bglint.index.context import is_awaited, is_consumed
from bglint.index.facts import Scope
from bglint.index.request_path import is_route
from bglint.index.symbols import PARTIAL, Symbol

if TYPE_CHECKING:
    from bglint.index.project import Project


@dataclass(frozen=True, slots=True)
class Sink:
    """A call that blocks by itself: its qualified name and kind (``http``, ``sleep``, …)."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Step:
    """One call on the way to the sink: the function that makes it, the call, and what it reaches."""

    function: Scope
    call: ast.Call
    callee: str


@dataclass(frozen=True, slots=True)
class BlockingPath:
    """Why a call blocks: the sink, and the calls that lead to it (none for a direct call), outermost first."""

    sink: Sink
    steps: tuple[Step, ...] = ()


class Blocking:
    """Answers for one project; remembers its answers."""

    def __init__(self, project: Project, callees: Callable[[Path], frozenset[str]] | None = None) -> None:
        """``callees``, where given, bounds the search: in that file no call of another name reaches a sink."""
        self.project = project
        self.callees = callees
        self._edges: dict[Scope, list[tuple[ast.Call, Sink | Scope]]] = {}
        self._paths: dict[tuple[Scope, str], BlockingPath | None] = {}
        self._in_place: dict[Scope, bool] = {}

    def of_call(self, call: ast.Call, scope: Scope, kind: str) -> BlockingPath | None:
        """Why ``call``, made in ``scope``, blocks in the way of ``kind``; None when it does not, as far as is known."""
        reached = self.reached(call, scope)
        if isinstance(reached, Sink):
            return BlockingPath(reached) if reached.kind == kind else None
        if reached is None:
            return None
        return self.of_function(reached, kind)

    def of_function(self, function: Scope, kind: str) -> BlockingPath | None:
        """Why a sync project function blocks when it is called; its steps start inside that function."""
        key = (function, kind)
        if key not in self._paths:
            self._paths[key] = self._search(function, kind)
        return self._paths[key]

    def _search(self, start: Scope, kind: str) -> BlockingPath | None:
        """Breadth first, so that the shortest chain is found, and cycles end."""
        seen = {start}
        queue: deque[tuple[Scope, tuple[Step, ...]]] = deque([(start, ())])
        while queue:
            function, steps = queue.popleft()
            following: list[tuple[Scope, tuple[Step, ...]]] = []
            for call, reached in self.edges(function):
                if isinstance(reached, Sink):
                    if reached.kind == kind:
                        return BlockingPath(reached, (*steps, Step(function, call, reached.name)))
                elif reached not in seen:
                    seen.add(reached)
                    following.append((reached, (*steps, Step(function, call, reached.full_name))))
            queue.extend(following)
        return None

    def edges(self, function: Scope) -> list[tuple[ast.Call, Sink | Scope]]:
        """The calls in a function that block by themselves or run another sync project function."""
        if function not in self._edges:
            self._edges[function] = []  # a recursive question meanwhile sees no edge
            self._edges[function] = list(self._find_edges(function))
        return self._edges[function]

    def _find_edges(self, function: Scope) -> Iterator[tuple[ast.Call, Sink | Scope]]:
        names = self.callees(function.module.path) if self.callees is not None else None
        for call in function.calls:
            if names is not None and last_name(call.func) not in names:
                continue
            reached = self.reached(call, function)
            if reached is not None:
                yield call, reached

    def reached(self, call: ast.Call, scope: Scope) -> Sink | Scope | None:
        """The sink a call is, or the sync project function that it runs."""
        symbol = self.project.resolve(call.func, scope)
        if symbol is not None and symbol.name == PARTIAL and symbol.instance:
            symbol = symbol.item
        if symbol is None or is_awaited(scope.module, call):
            return None
        sink = self.sink(symbol)
        if sink is not None:
            return None if is_non_blocking(call) else sink
        function = self._run_by(symbol)
        if function is None or function.is_async or function.full_name in self.project.non_blocking:
            return None
        if function.yields and not is_consumed(scope.module, call):
            return None  # calling a generator function runs nothing of it
        return function if self._runs_here(function) else None

    def _run_by(self, symbol: Symbol) -> Scope | None:
        """The function that runs when a symbol is called: itself, ``__init__`` or ``__call__``."""
        if symbol.class_ is not None:
            for name in ("__call__",) if symbol.instance else ("__init__", "__post_init__"):
                method = self.project.resolver.class_member(symbol, name)
                if method is not None and method.function is not None:
                    return method.function
            return None
        return symbol.function

    def _runs_here(self, function: Scope) -> bool:
        """Whether a decorated function still runs where it is called; a decorator may move it to a thread."""
        if function not in self._in_place:
            self._in_place[function] = is_route(function, self.project) or all(
                self._keeps_in_place(d, function.parent or function) for d in function.decorators
            )
        return self._in_place[function]

    def _keeps_in_place(self, decorator: ast.expr, scope: Scope) -> bool:
        symbol = self.project.resolve(decorator.func if isinstance(decorator, ast.Call) else decorator, scope)
        if symbol is None:
            return False
        if symbol.function is not None:
            return not _moves(symbol.function)
        return data.matches(symbol.name, _transparent())

    def sink(self, symbol: Symbol) -> Sink | None:
        """The sink that calling a symbol is, by the built-in table and the configuration."""
        name = symbol.name
        if name in self.project.non_blocking:
            return None
        kind = self.project.extra_blocking.get(name)
        if kind is None and symbol.scope is None and not symbol.instance:
            kind = known_kind(name)
        return Sink(name, kind) if kind is not None else None


def _moves(decorator: Scope) -> bool:
    """Whether a project's decorator replaces functions by async ones, or hands them to a thread."""
    return any(
        isinstance(node, ast.AsyncFunctionDef) or (isinstance(node, ast.Call) and last_name(node.func) in _offloaders())
        for node in ast.walk(decorator.node)
    )


@cache
def _offloaders() -> frozenset[str]:
    return frozenset(name.rpartition(".")[2] for name in data.load("blocking.toml")["offload"])


@cache
def _transparent() -> frozenset[str]:
    return frozenset(data.load("harmless.toml")["transparent_decorators"]) | frozenset(
        data.load("blocking.toml")["in_place"]["decorators"]
    )


def instead_of(name: str) -> str | None:
    """What async code uses in the place of a sink."""
    table: dict[str, str] = data.load("blocking.toml")["async"]
    prefix = name
    while prefix and prefix not in table:
        prefix = prefix.rpartition(".")[0]
    return table.get(prefix)


@cache
def known_kind(dotted: str) -> str | None:
    """The kind of a known blocking name."""
    table = _names()
    if dotted in table:
        return table[dotted]
    prefix = dotted.rpartition(".")[0]
    while prefix:
        if f"{prefix}.*" in table:
            return table[f"{prefix}.*"]
        prefix = prefix.rpartition(".")[0]
    return None


@cache
def _names() -> dict[str, str]:
    groups = data.load("blocking.toml")["names"]
    return {name: kind for kind, group in groups.items() for name in group["calls"]}


def sinks_of(kinds: Iterable[str], extra: Mapping[str, str]) -> Iterator[str]:
    """The qualified names of the sinks of some kinds, the configured ones included."""
    wanted = frozenset(kinds)
    yield from (name for name, kind in _names().items() if kind in wanted)
    yield from (name for name, kind in extra.items() if kind in wanted)


def is_non_blocking(call: ast.Call) -> bool:
    """Whether a call's own arguments say that it does not wait: ``block=False``, ``timeout=0``, ``sleep(0)``."""
    for keyword in call.keywords:
        if keyword.arg in ("block", "blocking") and _is_constant(keyword.value, False):
            return True
        if keyword.arg == "timeout" and _is_constant(keyword.value, 0):
            return True
    func = call.func
    last = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    return last == "sleep" and len(call.args) == 1 and _is_constant(call.args[0], 0)


def _is_constant(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value == value
