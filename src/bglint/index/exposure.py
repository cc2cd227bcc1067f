"""Exposure: the first place in a function whose exception would leave it. What it calls in the project is read too."""

from __future__ import annotations

import ast
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from bglint.index import data
from bglint.index.context import TRIES, argument
from bglint.index.facts import Scope, dotted_text
from bglint.index.symbols import PARTIAL, Symbol

if TYPE_CHECKING:
    from bglint.index.guards import Guards

_BROAD = {"builtins.Exception", "builtins.BaseException"}
# Handlers of these may raise again: they end the task, they do not report a failure.
_ENDINGS = {
    "asyncio.CancelledError", "builtins.KeyboardInterrupt", "builtins.SystemExit", "builtins.GeneratorExit",
    "anyio.get_cancelled_exc_class()", "concurrent.futures.CancelledError",
}  # fmt: skip
_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
# Deeper chains of calls count as exposed: nobody could follow them, and Python's own stack ends somewhere.
_DEPTH = 30
_TOO_DEEP = object()


@dataclass(frozen=True, slots=True)
class _Answer:
    """What was found in a function, when the ``assumed`` ones around it were being searched.

    A recursive call raises only if something else does, so it counts as harmless. ``reached`` are the functions in
    which another assumption could have led to another place.
    """

    found: ast.AST | None
    assumed: frozenset[object]
    reached: frozenset[object]


class Exposure:
    """Answers for one project; remembers its answers. ``callables`` judges what is called, decorators considered."""

    def __init__(self, callables: Guards) -> None:
        self.callables: Guards = weakref.proxy(callables)  # it owns this object
        self.project = callables.project
        self._answers: dict[Scope, _Answer] = {}
        # Where nothing was found as long as nothing is found in others.
        self._tentative: set[Scope] = set()
        self._busy: set[object] = set()
        # For each busy function, innermost last: what its answer assumes, and what it has reached.
        self._assumed: list[set[object]] = []
        self._reached: list[set[object]] = []

    def of_function(self, function: Scope) -> ast.AST | None:
        """The first node in ``function`` whose exception would leave it; None when there is none.

        The answer does not depend on what was asked before.
        """
        answer = self._answer(function)
        if self._assumed:
            self._assumed[-1] |= answer.assumed
            if answer.found is not None or answer.assumed:
                self._reached[-1] |= answer.reached
        return answer.found

    def _answer(self, function: Scope) -> _Answer:
        if function in self._busy:
            return _Answer(None, frozenset({function}), frozenset({function}))
        known = self._answers.get(function)
        if known is not None and self._holds(known):
            return known
        if len(self._busy) >= _DEPTH:
            return _Answer(function.node, frozenset({_TOO_DEEP}), frozenset())
        answer = self._search(function)
        if answer.found is not None:
            self._forget_what_rests_on(function)
        if _TOO_DEEP not in answer.assumed:
            self._answers[function] = answer
            (self._tentative.add if answer.found is None and answer.assumed else self._tentative.discard)(function)
        return answer

    def _forget_what_rests_on(self, function: Scope) -> None:
        pending: list[Scope] = [function]
        while pending and self._tentative:
            wrong = pending.pop()
            resting = [other for other in self._tentative if wrong in self._answers[other].assumed]
            for other in resting:
                del self._answers[other]
            self._tentative.difference_update(resting)
            pending.extend(resting)

    def _holds(self, answer: _Answer) -> bool:
        """Whether an answer is the same while the functions that are busy now are being searched."""
        if answer.found is not None:
            return answer.reached & self._busy == answer.assumed
        return all(f in self._busy or self._is_harmless(f) for f in answer.assumed)

    def _is_harmless(self, function: object) -> bool:
        """Whether nothing was found in a function so far: where that proves wrong, what rests on it is forgotten."""
        known = self._answers.get(function)  # type: ignore[call-overload]
        return known is not None and known.found is None

    def _search(self, function: Scope) -> _Answer:
        function.module.link(function)
        self._busy.add(function)
        self._assumed.append(set())
        self._reached.append({function})
        try:
            found = self._block(function.body, function)
        finally:
            self._busy.discard(function)
            assumed, reached = self._assumed.pop(), self._reached.pop()
        return _Answer(found, frozenset(assumed - {function}), frozenset(reached))

    # -- statements ----------------------------------------------------------------------------------------------

    def _block(self, body: Iterable[ast.stmt], scope: Scope) -> ast.AST | None:
        return _first(self._statement(statement, scope) for statement in body)

    def _statement(self, node: ast.stmt, scope: Scope) -> ast.AST | None:
        if isinstance(node, (ast.Raise, ast.Assert, ast.AsyncFor)):
            return node
        if isinstance(node, TRIES):
            return self._try(node, scope)  # type: ignore[arg-type]
        if isinstance(node, (ast.With, ast.AsyncWith)):
            return self._with(node, scope)
        if isinstance(node, ast.For):
            return self._expression(node.iter, scope) or self._block([*node.body, *node.orelse], scope)
        if isinstance(node, (ast.If, ast.While)):
            return self._expression(node.test, scope) or self._block([*node.body, *node.orelse], scope)
        if isinstance(node, ast.Match):
            inner = (self._block(case.body, scope) for case in node.cases)
            return self._expression(node.subject, scope) or _first(inner)
        if isinstance(node, ast.Delete):
            return _first(self._target(target, scope, reads=True) for target in node.targets)
        if isinstance(node, ast.Assign):
            targets = (self._target(target, scope) for target in node.targets)
            return self._expression(node.value, scope) or _first(targets)
        if isinstance(node, ast.AugAssign):
            return self._expression(node.value, scope) or self._target(node.target, scope, reads=True)
        if isinstance(node, (ast.Expr, ast.Return, ast.AnnAssign)):
            return self._expression(node.value, scope) if node.value is not None else None
        return None  # pass, break, imports, nested definitions: not what a guard is for

    def _target(self, node: ast.expr, scope: Scope, reads: bool = False) -> ast.AST | None:
        """``d[k] = v`` does not fail where ``d[k] += v`` and ``del d[k]`` do."""
        if isinstance(node, ast.Subscript) and reads and not isinstance(node.slice, ast.Slice):
            return node
        return self._expression(node, scope)

    def _try(self, node: ast.Try, scope: Scope) -> ast.AST | None:
        found = self._block(node.body, scope)
        if found is not None and any(isinstance(statement, ast.Return) for statement in node.finalbody):
            return None  # a return in finally throws every exception away
        if found is not None and self.has_broad_handler(node, scope):
            found = self._raised_again(node, scope)
        return found or self._block(node.orelse, scope) or self.raised_in(node.finalbody, scope)

    def guards(self, node: ast.Try, scope: Scope) -> bool:
        """Whether a ``try`` keeps every ordinary exception of its body."""
        return self.has_broad_handler(node, scope) and self._raised_again(node, scope) is None

    def has_broad_handler(self, node: ast.Try, scope: Scope) -> bool:
        """Whether a handler of this ``try`` catches Exception or more, whatever it does then."""
        return any(self.is_broad(handler.type, scope) for handler in node.handlers)

    def _raised_again(self, node: ast.Try, scope: Scope) -> ast.AST | None:
        """The first ``raise`` in the handlers, but for those of cancellations."""
        handlers = (h for h in node.handlers if not self._are_endings(h.type, scope))
        return _first(self.raised_in(h.body, scope) for h in handlers)

    def is_broad(self, node: ast.expr | None, scope: Scope) -> bool:
        """Whether an ``except`` clause of this type catches Exception or more."""
        if node is None:
            return True
        if isinstance(node, ast.Tuple):
            return any(self.is_broad(element, scope) for element in node.elts)
        symbol = self.project.resolve(node, scope)
        if symbol is not None and symbol.instance:
            symbol = symbol.item  # a tuple of types under a name
        return symbol is not None and symbol.name in _BROAD

    def _are_endings(self, node: ast.expr | None, scope: Scope) -> bool:
        if node is None:
            return False
        types = node.elts if isinstance(node, ast.Tuple) else [node]
        symbols = [self.project.resolve(t, scope) for t in types]
        return all(s is not None and s.name in _ENDINGS for s in symbols)

    def raised_in(self, body: Iterable[ast.stmt], scope: Scope) -> ast.AST | None:
        """The first ``raise`` of an ordinary exception in statements, nested functions and guarded ones left out."""
        pending: list[ast.AST] = list(body)
        while pending:
            node = pending.pop(0)
            if isinstance(node, ast.Raise):
                return node
            children = [c for c in ast.iter_child_nodes(node) if not isinstance(c, (ast.expr, *_NESTED))]
            if isinstance(node, TRIES) and self.guards(node, scope):  # type: ignore[arg-type]
                children = [c for c in children if c not in node.body]  # type: ignore[attr-defined]
            if isinstance(node, ast.If) and self._asks_for_endings(node.test, scope):
                children = list(node.orelse)
            if not isinstance(node, _NESTED):
                pending[:0] = children
        return None

    def _asks_for_endings(self, test: ast.expr, scope: Scope) -> bool:
        """``isinstance(error, asyncio.CancelledError)``."""
        if not (isinstance(test, ast.Call) and len(test.args) == 2):
            return False
        return dotted_text(test.func) == "isinstance" and self._are_endings(test.args[1], scope)

    # -- with ----------------------------------------------------------------------------------------------------

    def _with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> ast.AST | None:
        for item in node.items:
            found = self._expression(item.context_expr, scope)
            if found is not None or self._suppresses(item.context_expr, scope):
                return found
        return self._block(node.body, scope)

    def _suppresses(self, node: ast.expr, scope: Scope) -> bool:
        called = self.project.resolve(node.func, scope) if isinstance(node, ast.Call) else None
        if called is not None and self.callables.is_configured(called):
            return True
        if called is not None and called.name == "contextlib.suppress" and isinstance(node, ast.Call):
            return any(self.is_broad(argument, scope) for argument in node.args)
        if called is not None and called.function is not None and self._is_manager(called.function):
            return any(self.guards(t, called.function) for t in _tries_around_yields(called.function))
        return self._exit_swallows(self.project.resolve(node, scope))

    def _is_manager(self, function: Scope) -> bool:
        return bool(function.yields) and self.project.resolver.is_context_manager(function)

    def _exit_swallows(self, manager: Symbol | None) -> bool:
        """Whether a project class's ``__exit__`` returns nothing but True."""
        if manager is None or manager.class_ is None or not manager.instance:
            return False
        for name in ("__exit__", "__aexit__"):
            method = self.project.resolver.class_member(manager, name)
            if method is not None and method.function is not None and method.function.returns:
                return all(isinstance(v, ast.Constant) and v.value is True for v in method.function.returns)
        return False

    # -- expressions ---------------------------------------------------------------------------------------------

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
            elif isinstance(part, ast.YieldFrom):
                return part
            elif isinstance(part, ast.Subscript):
                if isinstance(part.ctx, ast.Load) and not _is_there(part):
                    return part
            pending.extend(reversed(list(ast.iter_child_nodes(part))))
        return None

    def awaiting_raises(self, node: ast.Call, scope: Scope) -> bool:
        """Whether awaiting what a call gives, now or later, may raise."""
        return self._call_raises(node, scope, awaited=True)

    def _call_raises(self, node: ast.Call, scope: Scope, awaited: bool | None = None) -> bool:
        if is_logger_call(node):
            return False
        if awaited is None:
            awaited = isinstance(scope.module.parents.get(node), ast.Await)
        symbol = self.project.resolve(node.func, scope)
        if symbol is None:
            return not (_is_drain(node) if awaited else _is_harmless_method(node))
        if self.callables.is_configured(symbol):
            return False
        if symbol.class_ is not None:
            return self._construction_raises(symbol)
        if symbol.function is not None:
            if symbol.function.is_async and not awaited and not symbol.function.yields:
                return False
            if self._is_manager(symbol.function):
                return self.of_function(symbol.function) is not None
            return not self.callables.lets_nothing_out(symbol)
        if symbol.name == PARTIAL:
            return symbol.instance
        if self.runner(symbol) is not None:
            run = self.run_by(node, scope)
            ran = self.project.resolve(run, scope) if run is not None else None
            return ran is None or not self.callables.lets_nothing_out(ran)
        if symbol.name == "asyncio.gather" and _keeps_exceptions(node):
            return False
        if (enough := _WITH_DEFAULT.get(symbol.name)) is not None:
            return len(node.args) < enough
        # To make a session factory is one thing, to call it another: "()" stands for the latter.
        return not data.matches(f"{symbol.name}()" if symbol.instance else symbol.name, _harmless())

    def runner(self, symbol: Symbol) -> int | None:
        """Which argument a call of this library function calls and lets the exceptions of out."""
        return None if symbol.instance else _runners().get(symbol.name)

    def run_by(self, node: ast.Call, scope: Scope) -> ast.expr | None:
        """The callable that a call calls: what it names, or the argument that it has run elsewhere."""
        symbol = self.project.resolve(node.func, scope)
        position = self.runner(symbol) if symbol is not None else None
        return node.func if position is None else argument(node, position, "func")

    def _construction_raises(self, symbol: Symbol) -> bool:
        method = self.project.resolver.class_member(symbol, "__call__" if symbol.instance else "__init__")
        if method is None:
            return symbol.instance
        return method.function is None or not self.callables.lets_nothing_out(method)


# Calls that cannot fail when they are given a default: how many arguments these are.
_WITH_DEFAULT = {"builtins.dict.pop": 2, "builtins.getattr": 3}


def is_logger_call(node: ast.Call) -> bool:
    """Whether a call reads as ``logger.info(...)``: logging does not raise, whichever library the logger is of."""
    func = node.func
    if not isinstance(func, ast.Attribute) or func.attr not in data.load("harmless.toml")["logger_methods"]:
        return False
    owner = dotted_text(func.value).rpartition(".")[2].lower()
    return owner.endswith("logger") or owner in data.load("harmless.toml")["logger_names"]


def _is_harmless_method(node: ast.Call) -> bool:
    """Whether a method of something unknown is, by its name, one of a string's, a list's or the like."""
    func = node.func
    if not isinstance(func, ast.Attribute):
        return False
    if func.attr == "get":
        # ``payload.get("id")`` reads a dictionary, ``client.get("/items")`` asks a server.
        key = node.args[0] if node.args else None
        return isinstance(key, ast.Constant) and isinstance(key.value, str) and "/" not in key.value
    if func.attr == "pop":
        return len(node.args) == 2  # a dictionary's, with a default
    if func.attr == "release":
        return "semaphore" in dotted_text(func.value).rpartition(".")[2].lower()
    return func.attr in data.load("harmless.toml")["methods"]


def _is_drain(node: ast.Call) -> bool:
    """Whether an awaited method of something unknown is, by its name and arguments, the ``join()`` of a queue."""
    return isinstance(node.func, ast.Attribute) and node.func.attr == "join" and not (node.args or node.keywords)


def _is_there(node: ast.Subscript) -> bool:
    """Whether reading an item cannot fail: a slice, or the first of what always has one."""
    if isinstance(node.slice, ast.Slice):
        return True
    func = node.value.func if isinstance(node.value, ast.Call) else None
    return isinstance(func, ast.Attribute) and func.attr in data.load("harmless.toml")["never_empty"]


def _keeps_exceptions(node: ast.Call) -> bool:
    value = next((k.value for k in node.keywords if k.arg == "return_exceptions"), None)
    return isinstance(value, ast.Constant) and value.value is True


def _tries_around_yields(function: Scope) -> Iterator[ast.Try]:
    for node in function.yields:
        for ancestor in function.module.ancestors(node):
            if isinstance(ancestor, TRIES):
                yield ancestor  # type: ignore[misc]


def _first(nodes: Iterable[ast.AST | None]) -> ast.AST | None:
    return next((node for node in nodes if node is not None), None)


@cache
def _harmless() -> frozenset[str]:
    return frozenset(data.load("harmless.toml")["calls"])


@cache
def _runners() -> dict[str, int]:
    return dict(data.load("harmless.toml")["runners"])
