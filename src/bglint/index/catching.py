"""Which ``except`` clause catches what: what the control flow of a function needs to know about types."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from bglint.index.flow import Catcher, Decides, Flow

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.index.symbols import Symbol

CANCELLED = "asyncio.CancelledError"
HTTP_EXCEPTION = "starlette.exceptions.HTTPException"
_EXCEPTION, _BASE = "builtins.Exception", "builtins.BaseException"
# Library classes of which it is known what they are.
_KNOWN = {
    HTTP_EXCEPTION: frozenset({HTTP_EXCEPTION, _EXCEPTION, _BASE}),
    CANCELLED: frozenset({CANCELLED, _BASE}),
}
# The names under which CancelledError, and only that, is caught.
_CANCELLED_NAMES = frozenset({CANCELLED, "anyio.get_cancelled_exc_class()"})


def flow_of(function: Scope, project: Project, decides: Decides | None = None) -> Flow:
    """The control flow of a project function, exceptions led by their types."""
    return Flow(function.body, Catching(project, function), decides)


class Catching:
    """The ``Catches`` of a function: whether a clause or ``suppress()`` in it catches what is raised there."""

    def __init__(self, project: Project, scope: Scope) -> None:
        self.project = project
        self.scope = scope

    def __call__(self, catcher: Catcher, raised: ast.Raise | None) -> bool | None:
        """Surely (True), surely not (False) or perhaps (None)."""
        types = caught_types(catcher, self.scope, self.project)
        if types is None:
            return None
        if any(name in (_EXCEPTION, _BASE) for name in types) and raised is None:
            return True
        if not types or raised is None:
            return False if not types else None
        kinds = self._raised(raised)
        if kinds is None:
            return True if _EXCEPTION in types or _BASE in types else None
        if kinds & types:
            return True
        return False if _BASE in kinds else None

    def _raised(self, node: ast.Raise) -> frozenset[str] | None:
        """The names of the class raised and of its bases, BaseException among them if all are known."""
        if node.exc is None:
            return None
        symbol = self.project.resolve(node.exc.func if isinstance(node.exc, ast.Call) else node.exc, self.scope)
        return ancestors(symbol, self.project) if symbol is not None else None


def ancestors(symbol: Symbol, project: Project) -> frozenset[str] | None:
    """The names of a class (or its instance's) and its bases, BaseException among them if all of them are known."""
    if symbol.class_ is None:
        return _known(symbol.name) or frozenset({symbol.name, _EXCEPTION})
    found: frozenset[str] = frozenset()
    for base in project.resolver.mro(symbol.class_):
        found |= {base.name} | (frozenset() if base.class_ is not None else _known(base.name) or {_EXCEPTION})
    return found


def _known(name: str) -> frozenset[str] | None:
    if name in _KNOWN:
        return _KNOWN[name]
    module, _, last = name.rpartition(".")
    kind = getattr(builtins, last, None) if module == "builtins" else None
    if isinstance(kind, type) and issubclass(kind, BaseException):
        return frozenset(f"builtins.{base.__name__}" for base in kind.__mro__)
    return None


def caught_types(catcher: Catcher, scope: Scope, project: Project) -> frozenset[str] | None:
    """The names of the exceptions that a clause (or ``with suppress()``) names; None where one is unknown.

    Empty for any other ``with``.
    """
    if isinstance(catcher, ast.ExceptHandler):
        return frozenset({_BASE}) if catcher.type is None else named_types(catcher.type, scope, project)
    found: frozenset[str] = frozenset()
    for item in catcher.items:
        if isinstance(item.context_expr, ast.Call):
            called = project.resolve(item.context_expr.func, scope)
            if called is not None and called.name in ("contextlib.suppress", "anyio.suppress"):
                for kind in item.context_expr.args:
                    names = named_types(kind, scope, project)
                    if names is None:
                        return None
                    found |= names
    return found


def named_types(node: ast.expr, scope: Scope, project: Project) -> frozenset[str] | None:
    """The names of the classes in an ``except`` clause or an ``isinstance``; None where one is unknown."""
    if isinstance(node, (ast.Tuple, ast.List)):
        inner = [named_types(element, scope, project) for element in node.elts]
        return None if None in inner else frozenset().union(*(names for names in inner if names is not None))
    symbol = project.resolve(node.value if isinstance(node, ast.Starred) else node, scope)
    if symbol is not None and symbol.instance and symbol.item is not None:
        symbol = symbol.item  # a tuple of types under a name
    return frozenset({CANCELLED if symbol.name in _CANCELLED_NAMES else symbol.name}) if symbol is not None else None
