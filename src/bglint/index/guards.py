"""Guards: can an exception leave this callable? Answered for callables of the project, across its files.

A function is guarded when everything in it that can raise lies in a ``try`` whose broad handler does not raise
again (or in ``suppress(Exception)``), when a decorator of the project does that around it, or when it only calls
what is guarded. What cannot be read is UNKNOWN.
"""

from __future__ import annotations

import ast
import enum
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

from bglint.index import data
from bglint.index.exposure import Exposure
from bglint.index.exposure import is_logger_call as is_logger_call
from bglint.index.facts import Scope, dotted_text
from bglint.index.handlers import has_logged
from bglint.index.resolve import is_accessor
from bglint.index.symbols import PARTIAL, Symbol

if TYPE_CHECKING:
    from bglint.index.project import Project

_LONGEST_PATH = 8


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
        self._exposure = Exposure(self)
        self._decorating: set[Scope] = set()

    @cached_property
    def _configured(self) -> frozenset[str]:
        """The names of the configured guards, and those under which the project defines them."""
        names = self.project.extra_guards
        defined = [self.project.function(name) for name in names]
        return names | {function.full_name for function in defined if function is not None}

    def is_configured(self, symbol: Symbol) -> bool:
        """Whether the configuration says that this decorator, wrapper or context manager guards."""
        return bool(self.project.extra_guards) and symbol.name in self._configured

    def of_expression(self, node: ast.expr, scope: Scope) -> Verdict:
        """The verdict on a callable written as ``node`` in ``scope`` (a name, partial, bound method, lambda, call)."""
        if isinstance(node, ast.Call):
            maker = self.project.resolve(node.func, scope)
            if maker is not None and self.is_configured(maker):
                return Verdict(Guard.GUARDED)
        symbol = self.project.resolve(node, scope)
        return self.of_symbol(symbol) if symbol is not None else _UNKNOWN

    def of_symbol(self, symbol: Symbol) -> Verdict:
        """The verdict on what a symbol does when it is called."""
        if self.is_configured(symbol):
            return Verdict(Guard.GUARDED)
        if symbol.instance:
            if symbol.name == PARTIAL:
                return self.of_symbol(symbol.item) if symbol.item is not None else _UNKNOWN
            method = self.project.resolver.class_member(symbol, "__call__") if symbol.class_ is not None else None
            return self.of_symbol(method) if method is not None else _UNKNOWN
        return self.of_function(symbol.function) if symbol.function is not None else _UNKNOWN

    def lets_nothing_out(self, symbol: Symbol) -> bool:
        """Whether what a symbol is can be called without a guard."""
        return self.of_symbol(symbol).guard is Guard.GUARDED

    def of_function(self, function: Scope) -> Verdict:
        """The verdict on a project function, its decorators included."""
        decorated = self._decorators(function) if function.decorators else None
        if decorated is not None:
            return decorated
        if is_stub(function) or function.yields:
            return _UNKNOWN
        node = self.exposed(function)
        return Verdict(Guard.GUARDED, function) if node is None else Verdict(Guard.UNGUARDED, function, node)

    def exposed(self, function: Scope) -> ast.AST | None:
        """The first node in ``function`` whose exception would leave it; None when there is none."""
        return self._exposure.of_function(function)

    def awaiting_raises(self, node: ast.Call, scope: Scope) -> bool:
        """Whether awaiting what a call gives, now or later, may raise."""
        return self._exposure.awaiting_raises(node, scope)

    def awaiting_raises_unseen(self, node: ast.Call, scope: Scope) -> bool:
        """The same for errors that no decorator of the project has logged before it lets them out."""
        if not self.awaiting_raises(node, scope):
            return False
        called = self.project.resolve(node.func, scope)
        function = called.function if called is not None else None
        return function is None or not any(self._logs(decorator, function) for decorator in function.decorators)

    def _logs(self, decorator: ast.expr, function: Scope) -> bool:
        symbol = self._maker(decorator, function)
        wrappers = self._wrappers(symbol, decorator) if symbol is not None else None
        return bool(wrappers) and all(has_logged(self.exposed(wrapper), wrapper) for wrapper in wrappers or ())

    def guards(self, node: ast.Try, scope: Scope) -> bool:
        """Whether a ``try`` keeps every ordinary exception of its body."""
        return self._exposure.guards(node, scope)

    def is_broad(self, node: ast.expr | None, scope: Scope) -> bool:
        """Whether an ``except`` clause of this type catches Exception or more."""
        return self._exposure.is_broad(node, scope)

    def runs_argument(self, node: ast.expr, scope: Scope) -> tuple[int, str] | None:
        """Which of its arguments a callable only runs (position and name), if it is such a go-between.

        ``asyncio.to_thread`` is one; of the project's functions those in which a call of a parameter is the first
        thing that can raise.
        """
        symbol = self.project.resolve(node, scope)
        if symbol is None or symbol.instance:
            return None
        if self._exposure.runner(symbol) == 0:
            return 0, "func"
        verdict = self.of_symbol(symbol)
        function = verdict.function
        if function is None or function is not symbol.function or not isinstance(verdict.exposed, ast.Call):
            return None
        run = self._exposure.run_by(verdict.exposed, function)
        names = [parameter.arg for parameter in function.parameters]
        if not isinstance(run, ast.Name) or run.id not in names or len(function.names.bindings[run.id]) > 1:
            return None
        bound = function.owner is not None and self.project.resolver.method_kind(function) != "static"
        return names.index(run.id) - bound, run.id

    def path(self, verdict: Verdict) -> list[tuple[Scope, ast.AST]]:
        """How an exception gets out: the exposed place of the callable, then of what it calls there, and so on."""
        found: list[tuple[Scope, ast.AST]] = []
        while verdict.function is not None and verdict.exposed is not None and len(found) < _LONGEST_PATH:
            if any(function is verdict.function for function, _ in found):
                break
            found.append((verdict.function, verdict.exposed))
            if not isinstance(verdict.exposed, ast.Call):
                break
            called = self.project.resolve(verdict.exposed.func, verdict.function)
            if called is not None and called.class_ is not None and not called.instance:
                called = self.project.resolver.class_member(called, "__init__")
            if called is None:
                break
            verdict = self.of_symbol(called)
        return found

    # -- decorators ----------------------------------------------------------------------------------------------

    def _decorators(self, function: Scope) -> Verdict | None:
        """What the decorators settle: guarded, unknown, or nothing (None)."""
        if function in self._decorating:
            return _UNKNOWN  # decorated by what it helps to make
        self._decorating.add(function)
        try:
            return self._decorated(function)
        finally:
            self._decorating.discard(function)

    def _decorated(self, function: Scope) -> Verdict | None:
        verdict: Verdict | None = None
        for decorator in function.decorators:
            symbol = self._maker(decorator, function)
            if symbol is None:
                if not is_accessor(decorator):
                    verdict = _UNKNOWN
                continue
            if self.is_configured(symbol):
                return Verdict(Guard.GUARDED, function)
            if data.matches(symbol.name, _transparent()):
                continue
            wrappers = self._wrappers(symbol, decorator)
            if wrappers is None:
                verdict = _UNKNOWN
            elif wrappers and all(self.exposed(wrapper) is None for wrapper in wrappers):
                return Verdict(Guard.GUARDED, function)
        return verdict

    def _maker(self, decorator: ast.expr, function: Scope) -> Symbol | None:
        """The ``d`` of ``@d`` and ``@d(...)``."""
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        return self.project.resolve(called, function.parent or function)

    def _wrappers(self, symbol: Symbol, decorator: ast.expr) -> list[Scope] | None:
        """The functions that a decorator puts in the place of what it decorates; None when that is unknown.

        ``@d`` calls d once with the function, ``@d(...)`` twice. A decorator may return one of several, or the
        function as it is: then there is no wrapper.
        """
        current: list[Symbol] = [symbol]
        for _ in range(2 if isinstance(decorator, ast.Call) else 1):
            # One that serves as @d and as @d(...) returns what only fits one of the two.
            results = [found for made in current if (found := self._results(made)) is not None]
            if not results:
                return None
            current = [made for found in results for made in found]
        callables = [self._body(made) for made in current]
        return None if None in callables else [c for c in callables if c is not None]

    def _results(self, symbol: Symbol) -> list[Symbol] | None:
        """What calling a decorator (or its maker) gives, given-back parameters left out; None for the unknown."""
        if symbol.class_ is not None and not symbol.instance:
            return [symbol.made()]
        function = self._body(symbol)
        if function is None or function.is_async or function.yields:
            return None
        parameters = {parameter.arg for parameter in function.parameters}
        values = [v for v in function.returns if v is not None and not (isinstance(v, ast.Name) and v.id in parameters)]
        found = [self.project.resolve(value, function) for value in values]
        return None if None in found or not function.returns else [s for s in found if s is not None]

    def _body(self, symbol: Symbol) -> Scope | None:
        """The function that runs when a symbol is called."""
        if symbol.instance and symbol.class_ is not None:
            method = self.project.resolver.class_member(symbol, "__call__")
            return method.function if method is not None else None
        return symbol.function


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


@cache
def _transparent() -> frozenset[str]:
    table = data.load("harmless.toml")
    return frozenset([*table["transparent_decorators"], *table["moving_decorators"]])
