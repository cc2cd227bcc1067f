"""What blocks: a call that is a known sink, or a call of a project function that reaches one.

Every answer carries the chain that proves it, the shortest one first found in source order.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from bglint.index import data
from bglint.index.callers import last_name
from bglint.index.context import is_awaited, is_consumed, used_through
from bglint.index.facts import Module, Scope, dotted_text
from bglint.index.operations import Operation, operations_in, operations_of
from bglint.index.places import Place
from bglint.index.request_path import is_route
from bglint.index.resolve import is_accessor
from bglint.index.sinks import Names, Sink, known_kind
from bglint.index.symbols import PARTIAL, Symbol
from bglint.index.waiting import waits

if TYPE_CHECKING:
    from bglint.index.call_graph import Edge
    from bglint.index.project import Project
    from bglint.index.reach import Reach


_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """One call on the way to the sink: the function that makes it, the row of the call, and what it reaches.

    Reading a property, a subscript and the like count as calls.
    """

    function: Place
    row: int
    callee: str


@dataclass(frozen=True, slots=True)
class BlockingPath:
    """Why a call blocks: the sink, and the calls that lead to it (none for a direct call), outermost first."""

    sink: Sink
    steps: tuple[Step, ...] = ()


class Blocking:
    """Answers for one project; remembers its answers."""

    def __init__(self, project: Project, reach: Reach | None = None) -> None:
        """``reach`` bounds the search; without it, nothing but single calls and operations can be asked about."""
        self.project = project
        self.reach = reach
        self._configured = Names(project.extra_blocking)
        self._harmless = Names(dict.fromkeys(project.non_blocking, ""))
        self._edges: dict[Scope, list[tuple[ast.expr, Sink | Scope]]] = {}
        self._paths: dict[Scope, dict[str, BlockingPath]] = {}
        self._in_place: dict[Scope, bool] = {}
        self._run: dict[ast.expr, tuple[Sink | Scope, ...]] = {}
        self._operations: dict[Module, dict[ast.expr, tuple[Scope, ...]]] = {}

    def of_call(self, call: ast.Call, scope: Scope, kind: str) -> BlockingPath | None:
        """Why ``call``, made in ``scope``, blocks in the way of ``kind``; None when it does not, as far as is known."""
        if call not in self._run:
            self._run[call] = tuple(self.runs(call, scope))  # one answer for the rules of all kinds
        return self._first(self._run[call], kind)

    def of_operation(self, node: ast.expr, scope: Scope, kind: str) -> BlockingPath | None:
        """The same for an expression in ``operations`` of its module."""
        return self._first(self.operations(scope.module).get(node, ()), kind)

    def _first(self, run: Iterable[Sink | Scope], kind: str) -> BlockingPath | None:
        for reached in run:
            if not isinstance(reached, Sink):
                path = self.of_function(reached, kind)
            else:
                path = BlockingPath(reached) if reached.kind == kind else None
            if path is not None:
                return path
        return None

    def operations(self, module: Module) -> dict[ast.expr, tuple[Scope, ...]]:
        """The expressions in a module's async code, other than calls, that run sync functions worth a look.

        Of a property that one function reads again and again, only the first time counts: many remember their value.
        """
        if module not in self._operations:
            found: dict[ast.expr, tuple[Scope, ...]] = {}
            self._operations[module] = found
            places = self.reach.used_on_loop(module.path) if self.reach is not None else ()
            names = self.reach.operated(module.path) if self.reach is not None and places else _NONE
            read: set[tuple[Scope, str]] = set()
            for operation, scope in operations_in(module, names, sorted({row for row, _ in places})) if names else ():
                node = operation.node
                if not scope.is_async or (node.lineno, node.col_offset) not in places:
                    continue
                text = dotted_text(node) if operation.is_property and not operation.is_store else ""
                if (scope, text) not in read:
                    found[node] = (*found.get(node, ()), *self.run_by(operation, scope))
                read |= {(scope, text)} if text else set()
        return self._operations[module]

    def of_function(self, function: Scope, kind: str) -> BlockingPath | None:
        """Why a sync project function blocks when it is called; its steps start inside that function."""
        graph = self.reach.graph_of(function.module.path) if self.reach is not None else None
        if graph is not None:
            return _path(graph.shortest(function.place, kind))
        if function not in self._paths:
            self._paths[function] = self._search(function)
        return self._paths[function].get(kind)

    def _search(self, start: Scope) -> dict[str, BlockingPath]:
        """The ways to a sink of every kind. Breadth first: the shortest chains are found, and cycles end."""
        found: dict[str, BlockingPath] = {}
        seen = {start}
        queue: deque[tuple[Scope, tuple[Step, ...]]] = deque([(start, ())])
        while queue:
            function, steps = queue.popleft()
            for call, reached in self.edges(function):
                if isinstance(reached, Sink):
                    if reached.kind not in found:
                        step = Step(function.place, call.lineno, reached.name)
                        found[reached.kind] = BlockingPath(reached, (*steps, step))
                elif reached not in seen:
                    seen.add(reached)
                    queue.append((reached, (*steps, Step(function.place, call.lineno, reached.full_name))))
        return found

    def edges(self, function: Scope) -> list[tuple[ast.expr, Sink | Scope]]:
        """The calls in a function that block by themselves or run another sync project function."""
        if function not in self._edges:
            self._edges[function] = []  # a recursive question meanwhile sees no edge
            self._edges[function] = list(self._find_edges(function))
        return self._edges[function]

    def _find_edges(self, function: Scope) -> Iterator[tuple[ast.expr, Sink | Scope]]:
        path = function.module.path
        names = self.reach.callees(path) if self.reach is not None else None
        for call in function.calls:
            if names is not None and last_name(call.func) not in names:
                continue
            for reached in self.runs(call, function):
                yield call, reached
        operated = self.reach.operated(path) if self.reach is not None else _NONE
        for operation in operations_of(function, operated) if operated else ():
            for run in self.run_by(operation, function):
                yield operation.node, run

    def run_by(self, operation: Operation, scope: Scope) -> Iterator[Scope]:
        """The sync project functions that an operation runs on the spot."""
        base = self.project.resolve(operation.object, scope)
        if base is None or not base.instance or is_awaited(scope.module, operation.node):
            return
        for name in operation.methods:
            function: Scope | None = None
            if operation.is_property:
                function = self.project.resolver.accessor(base, name, operation.is_store)
            elif base.class_ is not None:
                method = self.project.resolver.class_member(base, name)
                function = method.function if method is not None else None
            if function is not None and not function.is_async and self._runs_here(function):
                if not self._is_harmless(function.full_name):
                    yield function

    def runs(self, call: ast.Call, scope: Scope) -> Iterator[Sink | Scope]:
        """What runs where a call stands: what it reaches, and for an object that is entered or iterated over on the
        spot the methods for that.
        """
        reached = self.reached(call, scope)
        if reached is not None:
            yield reached
        names = used_through(scope.module, call)
        made = self.project.resolve(call, scope) if names else None
        if made is not None and made.class_ is not None and made.instance:
            for name in names:
                method = self.project.resolver.class_member(made, name)
                if method is not None and method.function is not None and not method.function.is_async:
                    yield method.function

    def reached(self, call: ast.Call, scope: Scope) -> Sink | Scope | None:
        """The sink a call is, or the sync project function that it runs."""
        symbol = self.project.resolve(call.func, scope)
        if symbol is not None and symbol.name == PARTIAL and symbol.instance:
            symbol = symbol.item
        if symbol is None or is_awaited(scope.module, call):
            return None
        sink = self.sink(symbol)
        if sink is not None:
            return sink if waits(self.project, call, scope, sink.name) else None
        function = self._run_by(symbol)
        if function is None or function.is_async or self._is_harmless(function.full_name):
            return None
        if function.yields and not is_consumed(scope.module, call):
            return None  # calling a generator function runs nothing of it
        return function if self._runs_here(function) else None

    def _run_by(self, symbol: Symbol) -> Scope | None:
        """The function that runs when a symbol is called: itself, ``__init__`` or ``__call__``."""
        if symbol.class_ is not None:
            for name in ("__call__",) if symbol.instance else ("__init__", "__post_init__", "__new__"):
                method = self.project.resolver.class_member(symbol, name)
                if method is not None and method.function is not None:
                    return method.function
            return None
        return symbol.function

    def _runs_here(self, function: Scope) -> bool:
        """Whether a decorated function still runs where it is called; a decorator may move it to a thread."""
        if function not in self._in_place:
            self._in_place[function] = is_route(function, self.project) or all(
                is_accessor(d) or self._keeps_in_place(d, function.parent or function) for d in function.decorators
            )
        return self._in_place[function]

    def _keeps_in_place(self, decorator: ast.expr, scope: Scope) -> bool:
        symbol = self.project.resolve(decorator.func if isinstance(decorator, ast.Call) else decorator, scope)
        if symbol is None or symbol.name in self.project.extra_offload:
            return False
        if symbol.function is not None:
            given = decorator.args if isinstance(decorator, ast.Call) else []
            others = (self.project.resolve(node, scope) for node in given)
            # @dispatch(async_twin) chooses at run time.
            return not _moves(symbol.function) and not any(o and o.function and o.function.is_async for o in others)
        return data.matches(symbol.name, _transparent())

    def sink(self, symbol: Symbol) -> Sink | None:
        """The sink that calling a symbol is, by the built-in table and the configuration."""
        name = symbol.name
        if self._is_harmless(name):
            return None
        kind = self._configured.get(name) if self._configured.table else None
        if symbol.function is not None and symbol.function.is_async:
            return None
        if kind is None and symbol.scope is None and not symbol.instance:
            kind = known_kind(name)
        return Sink(name, kind) if kind is not None else None

    def _is_harmless(self, name: str) -> bool:
        """Whether the configuration says that a call does not block."""
        return bool(self._harmless.table) and self._harmless.get(name) is not None


def _path(way: Sequence[Edge]) -> BlockingPath | None:
    """A way through the call graph; None where it leads nowhere."""
    sink = way[-1].run if way else None
    if not isinstance(sink, Sink):
        return None
    names = (run.name if isinstance(run, Sink) else run.full_name for _, _, run in way)
    steps = (Step(function, row, name) for (function, row, _), name in zip(way, names, strict=True))
    return BlockingPath(sink, tuple(steps))


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
