"""Cleaning up: code that runs when something ends, and does what it can."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from bglint.index.context import TRIES, within_function

if TYPE_CHECKING:
    from bglint.index.facts import Scope

_WORDS = frozenset(
    {
        "aclose", "aexit", "atexit", "cancel", "cleanup", "clear", "close", "closed", "del", "destroy", "disconnect",
        "dispose", "drain", "exit", "finish", "flush", "halt", "join", "kill", "quit", "release", "shutdown", "stop",
        "teardown", "terminate", "unload", "uninstall",
    }
)  # fmt: skip
# Those of them that say that something is over, and not just what is done to it.
_ENDING = frozenset(
    {"aclose", "aexit", "atexit", "cleanup", "close", "del", "disconnect", "dispose", "exit", "quit", "shutdown"}
    | {"stop", "teardown", "terminate", "unload", "uninstall"}
)
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def is_cleanup(node: ast.AST, scope: Scope) -> bool:
    """Whether code runs when something ends: in a function named so, in a ``finally``, behind a manager's ``yield``,
    or in a handler that raises again.
    """
    if _is_named(scope, _WORDS):
        return True
    for child, parent in within_function(scope.module, node):
        if isinstance(parent, TRIES) and child in parent.finalbody:  # type: ignore[attr-defined]
            return True
        last = parent.body[-1] if isinstance(parent, ast.ExceptHandler) else None
        if isinstance(last, ast.Raise) and last.exc is None:
            return True
    row = getattr(node, "lineno", 0)
    return len(scope.yields) == 1 and scope.yields[0].lineno < row and bool(scope.decorators)


def ends_something(scope: Scope) -> bool:
    """Whether a function, or one around it, is named as the end of something: ``close``, ``shutdown``."""
    return _is_named(scope, _ENDING)


def _is_named(scope: Scope, words: frozenset[str]) -> bool:
    named = (owner for owner in scope.walk_up() if owner.is_function)
    return any(part.lower() in words for owner in named for part in _PARTS.findall(owner.name))
