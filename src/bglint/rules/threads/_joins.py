"""What the two rules about joins share: which calls join a thread, process or queue, and whether for ever."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

_THREADS = frozenset({"threading.Thread.join", "threading.Timer.join"})
_PROCESSES = frozenset({"multiprocessing.Process.join"})
_QUEUES = frozenset(
    {"queue.Queue.join", "queue.LifoQueue.join", "queue.PriorityQueue.join", "multiprocessing.JoinableQueue.join"}
)


def has_no_timeout(call: ast.Call) -> bool:
    """Whether a call is ``x.join()``, ``x.join(None)`` or ``x.join(timeout=None)``."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "join" or len(call.args) + len(call.keywords) > 1:
        return False
    given = [*call.args, *(k.value if k.arg == "timeout" else k for k in call.keywords)]
    return all(isinstance(value, ast.Constant) and value.value is None for value in given)


def joined_kind(project: Project, call: ast.Call, scope: Scope) -> str | None:
    """``thread``, ``process`` or ``queue`` for a proven ``join`` of one, else None."""
    symbol = project.resolve(call.func, scope)
    if symbol is None or symbol.instance:
        return None
    kinds = {"thread": _THREADS, "process": _PROCESSES, "queue": _QUEUES}
    return next((kind for kind, names in kinds.items() if symbol.name in names), None)
