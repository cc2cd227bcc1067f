"""What threads, processes and pools are given to run."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.callers import last_name, with_aliases
from bglint.index.facts import Scope
from bglint.index.symbols import PARTIAL, Symbol
from bglint.rules.base import CallRule

if TYPE_CHECKING:
    from pathlib import Path

    from bglint.index.project import Project
    from bglint.source import Source

SUBMITS = frozenset(
    f"concurrent.futures.{executor}.submit"
    for executor in ("Executor", "InterpreterPoolExecutor", "ProcessPoolExecutor", "ThreadPoolExecutor")
)
# Calls that run a callable in a thread, a process or a pool: which argument it is.
RUNNERS: dict[str, tuple[int, str]] = {
    "anyio.to_thread.run_sync": (0, "func"),
    "asyncio.AbstractEventLoop.run_in_executor": (1, "func"),
    "asyncio.to_thread": (0, "func"),
    "multiprocessing.Process": (1, "target"),
    "starlette.concurrency.run_in_threadpool": (0, "func"),
    "threading.Thread": (1, "target"),
    "threading.Timer": (1, "function"),
    **dict.fromkeys(SUBMITS, (0, "fn")),
}
# The callable that a constructor runs: position and keyword.
_TARGETS = {
    "threading.Thread": (1, "target"),
    "threading.Timer": (1, "function"),
    "multiprocessing.Process": (1, "target"),
}


def is_submit(project: Project, node: ast.Call, scope: Scope) -> bool:
    """Whether a call submits a job to a pool."""
    if last_name(node.func) != "submit":
        return False
    symbol = project.resolve(node.func, scope)
    return symbol is not None and symbol.name in SUBMITS


def handed_over(project: Project, call: ast.Call, scope: Scope) -> ast.expr | None:
    """The callable that a call has run in a thread, a process or a pool; None for any other call."""
    symbol = project.resolve(call.func, scope)
    place = RUNNERS.get(symbol.name) if symbol is not None and not symbol.instance else None
    return where.argument(call, *place) if place is not None else None


def submitted_callable(project: Project, submit: ast.Call, scope: Scope) -> ast.expr | None:
    """What a ``submit`` call runs; ``context.run`` is looked through."""
    given = where.argument(submit, 0, "fn")
    symbol = project.resolve(given, scope) if isinstance(given, ast.Attribute) and given.attr == "run" else None
    if symbol is not None and symbol.name == "contextvars.Context.run":
        return where.argument(submit, 1, "")
    return given


def run_by(project: Project, call: ast.Call, scope: Scope) -> Symbol | None:
    """What a thread or process made by ``call`` runs: its target, or the ``run`` of its class."""
    made = project.resolve(call.func, scope)
    if made is None or made.class_ is None:
        return _target(project, call, scope, made.name) if made is not None else None
    run = project.resolver.class_member(made.made(), "run")
    if run is not None and run.function is not None:
        return run
    base = next((s.name for s in project.resolver.mro(made.class_) if s.class_ is None), "")
    init = project.resolver.class_member(made.made(), "__init__")
    if init is None or init.function is None:
        return _target(project, call, scope, base)
    passed_on = [c for c in init.function.calls if last_name(c.func) == "__init__"]
    return _target(project, passed_on[0], init.function, base) if len(passed_on) == 1 else None


def _target(project: Project, call: ast.Call, scope: Scope, maker: str) -> Symbol | None:
    """The callable that is given to the constructor of ``maker``."""
    place = _TARGETS.get(maker)
    target = where.argument(call, *place) if place is not None else None
    symbol = project.resolve(target, scope) if target is not None else None
    return symbol.item if symbol is not None and symbol.name == PARTIAL else symbol


def thread_made(project: Project, call: ast.Call, scope: Scope, kinds: frozenset[str]) -> Symbol | None:
    """The class that a call makes an object of, where it is one of the classes ``kinds`` or inherits from one."""
    made = project.resolve(call.func, scope)
    if made is None or made.instance:
        return None
    if made.class_ is None:
        return made if made.name in kinds else None
    return made if any(base.name in kinds for base in project.resolver.mro(made.class_)) else None


class ThreadRule(CallRule):
    """Judges the calls that make a thread: of ``Thread`` itself, and of its subclasses anywhere in the project."""

    @classmethod
    def reaches(cls, path: Path, project: Project) -> bool:
        """Whether a file calls a subclass of Thread."""
        classes = project.traits.thread_classes
        return bool(classes) and not project.callers.called(path).isdisjoint(name.encode() for name in classes)

    def words(self, source: Source) -> frozenset[str]:
        """The triggers, what this file calls them, and the subclasses of Thread."""
        known = self.triggers | self.ctx.project.traits.thread_classes
        return with_aliases(known, source.data)


def work_name(work: Scope) -> str:
    """How a message names what a thread runs: a ``run`` with its class."""
    return f"{work.owner.name}.run" if work.name == "run" and work.owner is not None else work.name
