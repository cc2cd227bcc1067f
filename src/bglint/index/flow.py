"""The control flow of one function: which statement can run after which, by what way.

``Flow`` is a graph of points, built once per function from its ``ast``. A point is a statement, an ``except`` clause
or one of the two ends (``end``: the function returns; ``escape``: an exception leaves it). Its ``normal`` edges are
taken when it goes well, its ``raised`` ones when it fails. What a ``finally`` block holds stands in the graph once for
every way through it, as the interpreter compiles it: so leaving by ``return`` never mixes with going on.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from bglint.index.context import TRIES

Catcher: TypeAlias = "ast.ExceptHandler | ast.With | ast.AsyncWith"
# Does this clause (or context manager) catch what a ``raise`` raises; None as the second argument stands for any
# ordinary exception that a statement lets out. None as the answer means perhaps.
Catches: TypeAlias = Callable[["ast.ExceptHandler | ast.With | ast.AsyncWith", "ast.Raise | None"], "bool | None"]
# What the condition of an ``if`` or ``while`` surely is; None where it may be either.
Decides: TypeAlias = Callable[[ast.expr], "bool | None"]


@dataclass(slots=True, eq=False)
class Point:
    """A place in the graph; ``node`` is None for the ends, and where a ``finally`` lets an exception go on.

    ``chance`` there tells an exception that a statement may let out from one that a ``raise`` raises.
    """

    node: ast.stmt | ast.ExceptHandler | None = None
    normal: list[Point] = field(default_factory=list)
    raised: list[Point] = field(default_factory=list)
    chance: bool = False


@dataclass(frozen=True, slots=True)
class _Exits:
    """Where ``break``, ``continue``, ``return`` and exceptions lead from a block; points are made when asked for."""

    to_break: Callable[[], Point]
    to_continue: Callable[[], Point]
    to_return: Callable[[], Point]
    to_raise: Callable[[ast.Raise | None], list[Point]]


class Flow:
    """The graph of one function's body. ``catches`` decides where exceptions go, ``decides`` which branches are dead.

    Without them ``may_catch`` and ``truth`` do.
    """

    def __init__(self, body: list[ast.stmt], catches: Catches | None = None, decides: Decides | None = None) -> None:
        self.catches = catches or may_catch
        self.decides = decides or truth
        self._points: dict[ast.AST, list[Point]] = {}
        self.end = Point()
        self.escape = Point()
        exits = _Exits(lambda: self.end, lambda: self.end, lambda: self.end, lambda _: [self.escape])
        self.entry = self._block(body, self.end, exits)

    # -- questions -----------------------------------------------------------------------------------------------

    def points(self, node: ast.AST) -> list[Point]:
        """The points of a statement or ``except`` clause: none where it can never run."""
        return self._points.get(node, [])

    def reach(
        self, starts: Iterable[Point], *, avoid: Collection[ast.AST] = (), failing: bool = True
    ) -> dict[Point, None]:
        """All points that can come after (or are) ``starts``, in the order found, none passing through ``avoid``.

        ``failing=False`` follows exceptions only where a ``raise`` or the end of a ``finally`` raises them.
        """
        found: dict[Point, None] = {}
        pending = [point for point in starts if point.node not in avoid or point.node is None]
        while pending:
            point = pending.pop()
            if point in found:
                continue
            found[point] = None
            around = self.following(point, failing=failing)
            pending.extend(p for p in around if p.node is None or p.node not in avoid)
        return found

    def following(self, point: Point, *, failing: bool = True) -> Iterator[Point]:
        """The points right after one."""
        yield from point.normal
        if failing or point.node is None or isinstance(point.node, ast.Raise):
            yield from point.raised

    def after(self, node: ast.AST, *, avoid: Collection[ast.AST] = (), failing: bool = True) -> dict[Point, None]:
        """All points that can come once ``node`` went well."""
        starts = [following for point in self.points(node) for following in point.normal]
        return self.reach(starts, avoid=avoid, failing=failing)

    def after_failing(self, node: ast.AST, *, failing: bool = True) -> dict[Point, None]:
        """All points that can come once ``node`` raised."""
        starts = [following for point in self.points(node) for following in point.raised]
        return self.reach(starts, failing=failing)

    def leaving(self, points: Iterable[Point]) -> list[ast.Raise]:
        """The ``raise`` statements among ``points`` whose exception can leave the function, in source order."""
        found = {point.node for point in points if isinstance(point.node, ast.Raise) and self._leaves(point)}
        return sorted(found, key=lambda node: (node.lineno, node.col_offset))

    def _leaves(self, point: Point) -> bool:
        """Whether an exception raised at ``point`` gets out: through ``finally`` blocks, past no ``except`` clause."""
        pending, seen = list(point.raised), set[Point]()
        while pending:
            following = pending.pop()
            if following is self.escape:
                return True
            if following in seen or isinstance(following.node, ast.ExceptHandler):
                continue
            seen.add(following)
            pending.extend(self.following(following, failing=False))
        return False

    def can_end(self, loop: ast.For | ast.AsyncFor | ast.While) -> bool:
        """Whether a loop can be left: not counting exceptions that no ``raise`` raises and that it does not catch."""
        inside = {*nodes_of(loop.body), loop}
        pending, seen = self.points(loop)[:], set[Point]()
        while pending:
            point = pending.pop()
            if point in seen:
                continue
            seen.add(point)
            if point in (self.end, self.escape) or (point.node is not None and point.node not in inside):
                return True
            by_chance = point.chance if point.node is None else not isinstance(point.node, ast.Raise)
            pending.extend(point.normal)
            pending.extend(p for p in point.raised if not by_chance or p.node in inside or p.chance)
        return False

    # -- making the graph, from the last statement to the first --------------------------------------------------

    def _new(self, node: ast.stmt | ast.ExceptHandler) -> Point:
        point = Point(node)
        self._points.setdefault(node, []).append(point)
        return point

    def _block(self, body: list[ast.stmt], following: Point, exits: _Exits) -> Point:
        """The first point of statements after which ``following`` comes."""
        reachable = body[: next((i + 1 for i, s in enumerate(body) if isinstance(s, _JUMPS)), len(body))]
        for statement in reversed(reachable):
            following = self._statement(statement, following, exits)
        return following

    def _statement(self, node: ast.stmt, following: Point, exits: _Exits) -> Point:
        if isinstance(node, TRIES):
            return self._try(node, following, exits)  # type: ignore[arg-type]
        if isinstance(node, (ast.While, ast.For, ast.AsyncFor)):
            return self._loop(node, following, exits)
        point = self._new(node)
        if isinstance(node, ast.Raise):
            point.raised = exits.to_raise(node)
            return point
        if _may_raise(node):
            point.raised = exits.to_raise(None)
        if isinstance(node, ast.Return):
            point.normal = [exits.to_return()]
        elif isinstance(node, ast.Break):
            point.normal = [exits.to_break()]
        elif isinstance(node, ast.Continue):
            point.normal = [exits.to_continue()]
        elif isinstance(node, ast.If):
            point.normal = self._branches(node, following, exits)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            point.normal = [self._block(node.body, following, self._within(node, following, exits))]
        elif isinstance(node, ast.Match):
            point.normal = [self._block(case.body, following, exits) for case in node.cases]
            if not any(_matches_all(case) for case in node.cases):
                point.normal.append(following)
        else:
            point.normal = [following]
        return point

    def _branches(self, node: ast.If, following: Point, exits: _Exits) -> list[Point]:
        always = self.decides(node.test)
        found = [] if always is False else [self._block(node.body, following, exits)]
        return found if always else [*found, self._block(node.orelse, following, exits)]

    def _loop(self, node: ast.While | ast.For | ast.AsyncFor, following: Point, exits: _Exits) -> Point:
        point = self._new(node)
        always = self.decides(node.test) if isinstance(node, ast.While) else None
        if not isinstance(node, ast.While) or _may_raise(node):
            point.raised = exits.to_raise(None)
        inside = _Exits(lambda: following, lambda: point, exits.to_return, exits.to_raise)
        if always is not False:
            point.normal.append(self._block(node.body, point, inside))
        if not always:
            point.normal.append(self._block(node.orelse, following, exits))
        return point

    def _within(self, node: ast.With | ast.AsyncWith, following: Point, exits: _Exits) -> _Exits:
        """The exits of a ``with`` body: an exception ends there if the context manager swallows it."""

        def to_raise(what: ast.Raise | None) -> list[Point]:
            caught = self.catches(node, what)
            outside = [] if caught else exits.to_raise(what)
            return outside if caught is False else [*outside, following]

        return _Exits(exits.to_break, exits.to_continue, exits.to_return, to_raise)

    def _try(self, node: ast.Try, following: Point, exits: _Exits) -> Point:
        outside = self._through_finally(node.finalbody, exits) if node.finalbody else exits
        done = self._block(node.finalbody, following, exits)
        handlers: dict[ast.ExceptHandler, Point] = {}

        def entered(handler: ast.ExceptHandler) -> Point:
            if handler not in handlers:
                point = handlers[handler] = self._new(handler)
                point.normal = [self._block(handler.body, done, outside)]
            return handlers[handler]

        def to_raise(what: ast.Raise | None) -> list[Point]:
            found: list[Point] = []
            for handler in node.handlers:
                caught = self.catches(handler, what)
                if caught is not False:
                    found.append(entered(handler))
                if caught:
                    return found
            return [*found, *outside.to_raise(what)]

        inside = _Exits(outside.to_break, outside.to_continue, outside.to_return, to_raise)
        return self._block(node.body, self._block(node.orelse, done, outside), inside)

    def _through_finally(self, body: list[ast.stmt], exits: _Exits) -> _Exits:
        """The exits of a ``try`` that has a ``finally``: each has its own copy of it on the way."""
        passing: dict[ast.Raise | None, list[Point]] = {}

        def to_raise(what: ast.Raise | None) -> list[Point]:
            if what not in passing:
                on = Point(chance=what is None)
                passing[what] = [self._block(body, on, exits)]
                on.raised = exits.to_raise(what)
            return passing[what]

        def copied(target: Callable[[], Point]) -> Callable[[], Point]:
            made: list[Point] = []

            def to() -> Point:
                if not made:
                    made.append(self._block(body, target(), exits))
                return made[0]

            return to

        return _Exits(copied(exits.to_break), copied(exits.to_continue), copied(exits.to_return), to_raise)


def may_catch(catcher: Catcher, raised: ast.Raise | None) -> bool | None:
    """Knows nothing of types: a bare ``except`` catches everything, any other perhaps, a context manager nothing."""
    if isinstance(catcher, ast.ExceptHandler):
        return True if catcher.type is None else None
    return False


def surely_raises(body: list[ast.stmt]) -> bool:
    """Whether statements that run always end in a ``raise`` of their own (or never end), whatever else fails."""
    flow = Flow(body)
    return flow.end not in flow.reach([flow.entry], failing=False)


def nodes_of(body: Iterable[ast.stmt]) -> Iterator[ast.stmt | ast.ExceptHandler]:
    """The statements and ``except`` clauses in statements, themselves included, nested functions left out."""
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.stmt, ast.ExceptHandler)):
            yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.expr)):
            pending.extend(ast.iter_child_nodes(node))


def parts_of(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions that a point itself evaluates: of a compound statement those of its header, no nested function's.

    What a ``lambda`` holds runs elsewhere and is left out.
    """
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return
    pending: list[ast.AST] = [
        child for child in ast.iter_child_nodes(node) if isinstance(child, (ast.expr, ast.withitem))
    ]
    while pending:
        part = pending.pop(0)
        if isinstance(part, ast.expr):
            yield part
        if not isinstance(part, ast.Lambda):
            pending[:0] = [c for c in ast.iter_child_nodes(part) if not isinstance(c, ast.expr_context)]


def truth(test: ast.expr) -> bool | None:
    """What a condition always is, where it is a constant or the ``not`` of one."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = truth(test.operand)
        return None if inner is None else not inner
    return None


_JUMPS = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_QUIET = (
    ast.Pass, ast.Break, ast.Continue, ast.Global, ast.Nonlocal, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef,
    ast.Import, ast.ImportFrom,
)  # fmt: skip
_QUIET_PARTS = (ast.Name, ast.Constant, ast.Lambda, ast.Tuple, ast.List, ast.NamedExpr, ast.BoolOp, ast.Not)


def _may_raise(node: ast.stmt) -> bool:
    """Whether a statement's own expressions do more than name and compare things by identity."""
    if isinstance(node, _QUIET):
        return False
    if isinstance(node, (ast.With, ast.AsyncWith, ast.Assert, ast.Delete)):
        return True
    return any(
        not isinstance(part, _QUIET_PARTS) and not (isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not))
        for part in parts_of(node)
    )


def _matches_all(case: ast.match_case) -> bool:
    """``case _:`` or ``case name:``."""
    pattern = case.pattern
    while isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
        pattern = pattern.pattern
    return case.guard is None and isinstance(pattern, ast.MatchAs)
