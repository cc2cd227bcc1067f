"""What the rules about asyncio's tasks share: which calls make one, and what it runs."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.context import argument
from bglint.index.facts import dotted_text

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

LOOPS = frozenset(
    {
        "asyncio.AbstractEventLoop", "asyncio.BaseEventLoop", "asyncio.SelectorEventLoop",
        "asyncio.ProactorEventLoop", "asyncio.unix_events.SelectorEventLoop", "uvloop.Loop",
    }
)  # fmt: skip
_MAKERS = frozenset(
    {"asyncio.create_task", "asyncio.ensure_future", "asyncio.Task", *(f"{loop}.create_task" for loop in LOOPS)}
)
_FUTURES = frozenset({"asyncio.Task", "asyncio.Future"})


def makes_task(project: Project, call: ast.Call, scope: Scope) -> bool:
    """Whether a call makes a new task that no task group looks after."""
    maker = project.resolve(call.func, scope)
    if maker is None or maker.instance or maker.name not in _MAKERS:
        return False
    if maker.name == "asyncio.ensure_future":
        # Of a task or future it makes nothing new, and a name may stand for one.
        given = argument(call, 0, "coro_or_future")
        known = project.resolve(given, scope) if given is not None else None
        return known.name not in _FUTURES if known is not None else isinstance(given, ast.Call)
    return True


def coroutine_of(call: ast.Call) -> ast.expr | None:
    """What a call that makes a task is given to run."""
    return next(iter(call.args), None) or next((k.value for k in call.keywords if k.arg), None)


def work_of(call: ast.AST) -> str:
    """How messages name a task: by the coroutine function it runs, where that has a name."""
    assert isinstance(call, ast.Call)
    given = coroutine_of(call)
    called = dotted_text(given.func) if isinstance(given, ast.Call) else ""
    return f"the task that runs `{called}()`" if called else "this task"
