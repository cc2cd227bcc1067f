"""Guards: can an exception leave this function? Answered for callables of the project, across its files.

A function is guarded when everything in it that can raise lies in a ``try`` whose broad handler does not raise
again (or in ``suppress(Exception)``), when a decorator of the project does that around it, or when it only calls
what is guarded. What cannot be read is UNKNOWN.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from bglint.index import data
from bglint.index.context import TRIES
from bglint.index.facts import Scope, dotted_text
from bglint.index.symbols import PARTIAL, Symbol

if TYPE_CHECKING:
    from bglint.index.project import Project

_BROAD = {"builtins.Exception", "builtins.BaseException"}
# Handlers of these may raise again: they end the task, they do not report a failure.
_ENDINGS = {
    "asyncio.CancelledError", "builtins.KeyboardInterrupt", "builtins.SystemExit", "builtins.GeneratorExit",
    "anyio.get_cancelled_exc_class()", "concurrent.futures.CancelledError",
}  # fmt: skip


class Guard(enum.Enum):
    """Whether a callable lets exceptions out."""

    GUARDED = "guarded"
    UNGUARDED = "unguarded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, and for UNGUARDED the function and the first node in it that can raise."""

    guard: Guard
    function: Scope | None = None
    exposed: ast.AST | None = None


_UNKNOWN = Verdict(Guard.UNKNOWN)


class Guards:
    """Answers for one project; remembers its answers."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[Scope, ast.AST | None] = {}
        self._busy: set[Scope] = set()

    def of_expression(self, node: ast.expr, scope: Scope) -> Verdict:
        """The verdict on a callable written as ``node`` in ``scope`` (a name, partial, bound method, lambda, call)."""
        symbol = self.project.resolve(node, scope)
        if isinstance(node, ast.Call) and symbol is None:
            return self._made_by_configured_guard(node, scope)
        return self.of_symbol(symbol) if symbol is not None else _UNKNOWN

    def of_symbol(self, symbol: Symbol) -> Verdict:
        """The verdict on what a symbol does when it is called."""
        if symbol.name in self.project.extra_guards:
            return Verdict(Guard.GUARDED)
        if symbol.instance:
            if symbol.name == PARTIAL:
                return self.of_symbol(symbol.item) if symbol.item is not None else _UNKNOWN
            method = self.project.resolver.class_member(symbol, "__call__") if symbol.class_ is not None else None
            return self.of_symbol(method) if method is not None else _UNKNOWN
        return self.of_function(symbol.function) if symbol.function is not None else _UNKNOWN

    def of_function(self, function: Scope) -> Verdict:
        """The verdict on a project function, its decorators included."""
        decorated = self._decorators(function)
        if decorated is not None:
            return decorated
        if is_stub(function) or (function.yields and not function.is_async):
            return _UNKNOWN
        node = self.exposed(function)
        return Verdict(Guard.GUARDED, function) if node is None else Verdict(Guard.UNGUARDED, function, node)

    def _made_by_configured_guard(self, node: ast.Call, scope: Scope) -> Verdict:
        maker = self.project.resolve(node.func, scope)
        known = maker is not None and maker.name in self.project.extra_guards
        return Verdict(Guard.GUARDED) if known else _UNKNOWN

    # -- decorators ----------------------------------------------------------------------------------------------

    def _decorators(self, function: Scope) -> Verdict | None:
        """What the decorators settle: guarded, unknown, or nothing (None)."""
        verdict: Verdict | None = None
        outer = function.parent or function
        for decorator in function.decorators:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            symbol = self.project.resolve(called, outer)
            if symbol is None:
                if not _is_accessor(decorator):
                    verdict = _UNKNOWN
                continue
            if symbol.name in self.project.extra_guards:
                return Verdict(Guard.GUARDED, function)
            if symbol.name in _transparent():
                continue
            wrappers = self._wrappers(symbol, calls=2 if isinstance(decorator, ast.Call) else 1)
            if not wrappers:
                verdict = _UNKNOWN
            elif all(self.exposed(wrapper) is None for wrapper in wrappers):
                return Verdict(Guard.GUARDED, function)
        return verdict

    def _wrappers(self, symbol: Symbol, calls: int) -> list[Scope]:
        """The functions that a decorator puts in the place of what it decorates; [] when that is unknown.

        ``@d`` calls d once with the function, ``@d(...)`` twice. A decorator may return one of several.
        """
        current = [symbol.function] if symbol.function is not None else []
        for _ in range(calls):
            following: list[Scope] = []
            for function in current:
                parameters = {p.arg for p in function.parameters}
                for value in function.returns:
                    if value is None:
                        continue
                    if isinstance(value, ast.Name) and value.id in parameters:
                        continue  # registers the function and gives it back as it is
                    found = self.project.resolve(value, function)
                    if found is None or found.function is None:
                        return []
                    following.append(found.function)
            current = following
        return current

    # -- what can raise ------------------------------------------------------------------------------------------

    def exposed(self, function: Scope) -> ast.AST | None:
        """The first node in ``function`` whose exception would leave it; None when there is none."""
        if function in self._known:
            return self._known[function]
        if function in self._busy:
            return None
        self._busy.add(function)
        try:
            found = self._block(function.body, function)
        finally:
            self._busy.discard(function)
        self._known[function] = found
        return found

    def _block(self, body: Iterable[ast.stmt], scope: Scope) -> ast.AST | None:
        return _first(self._statement(statement, scope) for statement in body)

    def _statement(self, node: ast.stmt, scope: Scope) -> ast.AST | None:
        if isinstance(node, (ast.Raise, ast.Assert)):
            return node
        if isinstance(node, TRIES):
            return self._try(node, scope)  # type: ignore[arg-type]
        if isinstance(node, (ast.With, ast.AsyncWith)):
            return self._with(node, scope)
        if isinstance(node, (ast.For, ast.AsyncFor)):
            if isinstance(node, ast.AsyncFor):
                return node
            return self._expression(node.iter, scope) or self._block([*node.body, *node.orelse], scope)
        if isinstance(node, (ast.If, ast.While)):
            return self._expression(node.test, scope) or self._block([*node.body, *node.orelse], scope)
        if isinstance(node, ast.Match):
            inner = (self._block(case.body, scope) for case in node.cases)
            return self._expression(node.subject, scope) or _first(inner)
        if isinstance(node, (ast.Expr, ast.Return, ast.Assign, ast.AnnAssign, ast.AugAssign)):
            return self._expression(node.value, scope) if node.value is not None else None
        return None  # pass, break, imports, nested definitions: not what a guard is for

    def _try(self, node: ast.Try, scope: Scope) -> ast.AST | None:
        found = None if self.guards(node, scope) else self._block(node.body, scope)
        if found is None:
            raising = (_raise_in(h.body) for h in node.handlers if not self._ends_task(h, scope))
            found = _first(raising) if self.guards(node, scope) else None
        return found or self._block(node.orelse, scope) or _raise_in(node.finalbody)

    def guards(self, node: ast.Try, scope: Scope) -> bool:
        """Whether a ``try`` keeps every ordinary exception of its body."""
        for handler in node.handlers:
            if _raise_in(handler.body) is not None:
                if self._ends_task(handler, scope):
                    continue
                return False
            if self.is_broad(handler.type, scope):
                return True
        return False

    def is_broad(self, node: ast.expr | None, scope: Scope) -> bool:
        """Whether an ``except`` clause catches Exception or more."""
        if node is None:
            return True
        if isinstance(node, ast.Tuple):
            return any(self.is_broad(element, scope) for element in node.elts)
        symbol = self.project.resolve(node, scope)
        return symbol is not None and symbol.name in _BROAD

    def _ends_task(self, handler: ast.ExceptHandler, scope: Scope) -> bool:
        if handler.type is None:
            return False
        types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        symbols = [self.project.resolve(t, scope) for t in types]
        return all(s is not None and s.name in _ENDINGS for s in symbols)

    def _with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> ast.AST | None:
        for item in node.items:
            if self._suppresses(item.context_expr, scope):
                return None
            found = self._expression(item.context_expr, scope)
            if found is not None:
                return found
        return self._block(node.body, scope)

    def _suppresses(self, node: ast.expr, scope: Scope) -> bool:
        if not isinstance(node, ast.Call):
            return False
        symbol = self.project.resolve(node.func, scope)
        if symbol is None:
            return False
        if symbol.name in self.project.extra_guards:
            return True
        if symbol.name == "contextlib.suppress":
            return any(self.is_broad(argument, scope) for argument in node.args)
        return self._is_guarding_manager(symbol)

    def _is_guarding_manager(self, symbol: Symbol) -> bool:
        """A project's ``@contextmanager`` whose ``yield`` lies in a guard."""
        function = symbol.function
        if function is None or not function.yields or not self.project.resolver.is_context_manager(function):
            return False
        tries = [
            ancestor
            for y in function.yields
            for ancestor in function.module.ancestors(y)
            if isinstance(ancestor, TRIES)
        ]
        return any(self.guards(t, function) for t in tries)  # type: ignore[arg-type]

    def _expression(self, node: ast.expr, scope: Scope) -> ast.AST | None:
        """The first part of an expression that can raise."""
        pending: list[ast.AST] = [node]
        while pending:
            part = pending.pop()
            if isinstance(part, ast.Lambda):
                continue
            if isinstance(part, ast.Call):
                if self._call_raises(part, scope):
                    return part
            elif isinstance(part, ast.Await):
                if not isinstance(part.value, ast.Call):
                    return part
            elif isinstance(part, (ast.YieldFrom, ast.Yield)):
                return part
            elif isinstance(part, ast.Subscript):
                if isinstance(part.ctx, ast.Load) and not isinstance(part.slice, ast.Slice):
                    return part
            pending.extend(reversed(list(ast.iter_child_nodes(part))))
        return None

    def _call_raises(self, node: ast.Call, scope: Scope) -> bool:
        if is_logger_call(node):
            return False
        symbol = self.project.resolve(node.func, scope)
        if symbol is None:
            return True
        if symbol.class_ is not None:
            return self._construction_raises(symbol)
        if symbol.function is not None:
            if symbol.function.is_async and not isinstance(scope.module.parents.get(node), ast.Await):
                return False
            return self.of_function(symbol.function).guard is not Guard.GUARDED
        if symbol.name == PARTIAL:
            return symbol.instance
        return not data.matches(symbol.name, _harmless())

    def _construction_raises(self, symbol: Symbol) -> bool:
        assert symbol.class_ is not None
        if symbol.instance:
            method = self.project.resolver.class_member(symbol, "__call__")
            return method is None or self.of_symbol(method).guard is not Guard.GUARDED
        init = self.project.resolver.class_member(symbol, "__init__")
        if init is None:
            return False
        return init.function is None or self.of_function(init.function).guard is not Guard.GUARDED


def is_stub(function: Scope) -> bool:
    """Whether a body only says that somebody else implements it: ``...``, a docstring, NotImplementedError."""
    if isinstance(function.node, ast.Lambda):
        return False
    if any(dotted_text(d).endswith(("abstractmethod", "overload")) for d in function.decorators):
        return True
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    if not body:
        return any(
            isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) and s.value.value is ...
            for s in function.body
        )
    if len(body) == 1 and isinstance(body[0], ast.Raise) and body[0].exc is not None:
        raised = body[0].exc.func if isinstance(body[0].exc, ast.Call) else body[0].exc
        return dotted_text(raised) == "NotImplementedError"
    return False


def is_logger_call(node: ast.Call) -> bool:
    """Whether a call reads as ``logger.info(...)``: logging does not raise, whichever library the logger is of."""
    func = node.func
    if not isinstance(func, ast.Attribute) or func.attr not in data.load("harmless.toml")["logger_methods"]:
        return False
    owner = dotted_text(func.value).rpartition(".")[2]
    return owner in data.load("harmless.toml")["logger_names"]


def _raise_in(body: Iterable[ast.stmt]) -> ast.AST | None:
    """The first ``raise`` in statements, nested functions left out."""
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.Raise):
            return node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            pending.extend(child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr))
    return None


def _first(nodes: Iterator[ast.AST | None]) -> ast.AST | None:
    return next((node for node in nodes if node is not None), None)


def _is_accessor(decorator: ast.expr) -> bool:
    """``@x.setter`` and its like."""
    return isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "getter", "deleter")


@cache
def _harmless() -> frozenset[str]:
    return frozenset(data.load("harmless.toml")["calls"])


@cache
def _transparent() -> frozenset[str]:
    return frozenset(data.load("harmless.toml")["transparent_decorators"])
