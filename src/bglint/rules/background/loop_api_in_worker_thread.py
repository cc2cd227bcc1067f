"""BGL113: the running event loop is asked for in a thread that has none."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from bglint.index import context as where
from bglint.index.callers import calls_in
from bglint.index.catching import flow_of
from bglint.index.facts import dotted_text
from bglint.index.request_path import is_route, registrations
from bglint.model import Finding, Frame, Level
from bglint.rules.base import CallRule, Candidate

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

_STARTERS = frozenset({"asyncio.create_task", "asyncio.ensure_future"})
_GETTERS = frozenset({"asyncio.get_event_loop", "asyncio.get_running_loop"})
# What makes a thread a loop of its own.
_MAKERS = frozenset({"new_event_loop", "set_event_loop", "run", "run_coroutine_threadsafe", "run_until_complete"})
# Where sync functions are handed over to run in a worker thread, and as what.
_WORKERS = {
    "fastapi.Depends": "dependency", "fastapi.Security": "dependency",
    "starlette.background.BackgroundTask": "background task",
    "starlette.background.BackgroundTasks.add_task": "background task",
    "starlette.routing.Route": "route",
}  # fmt: skip
_REGISTERING = frozenset({"add_api_route", "add_route"})
# Functions that the application calls on the loop, sync ones too.
_ON_LOOP = frozenset({"on_event", "middleware", "websocket", "websocket_route"})


_Way: TypeAlias = "tuple[tuple[Scope, ast.Call], ...]"
_DEPTH = 3
_MOST_CALLERS = 12
_MOST_FILES = 3


@dataclass(frozen=True, slots=True)
class _Worker:
    """The function that runs in a worker thread, as what, and the calls that lead from it, its own one last."""

    kind: str
    function: Scope
    way: _Way


class LoopApiInWorkerThread(CallRule):
    """A sync route, dependency or background task asks for the event loop.

    ## What it does
    Reports `asyncio.create_task`, `asyncio.ensure_future`, `asyncio.get_running_loop` and `asyncio.get_event_loop` in a
    `def` (not `async def`) that is a route, a dependency, or queued as a background task, and in helpers that such a
    function calls and that always get there. Asking for a loop in a `try` that is prepared for the `RuntimeError`, and
    a loop of one's own (`asyncio.run`, `new_event_loop`), are fine.

    ## Why is this bad?
    FastAPI runs sync routes, sync dependencies and sync background tasks in worker threads, and **those have no event
    loop**: the call raises `RuntimeError: no running event loop` (or `There is no current event loop in thread ...`)
    each time. In a route the client gets a 500. In a background task, it has its 200, and the tasks queued behind are
    skipped. The coroutine that was to be started is never awaited.

    ## Example
    ```python
    @app.post("/orders")
    def order(item: Item):
        asyncio.create_task(notify(item.id))
    ```

    ## Use instead
    ```python
    @app.post("/orders")
    def order(item: Item, tasks: BackgroundTasks):
        tasks.add_task(notify, item.id)
    ```

    Or make it an `async def`, if nothing in it blocks. From a thread, a coroutine gets onto the application's loop with
    `asyncio.run_coroutine_threadsafe(notify(item.id), loop)`, with a `loop` that was saved at startup.

    ## Fix safety
    There is no automatic fix: an `async def` would run the rest of the function on the event loop, too.

    ## References
    - [FastAPI: Concurrency and async / await](https://fastapi.tiangolo.com/async/#path-operation-functions)
    - [Python: Concurrency and multithreading](https://docs.python.org/3/library/asyncio-dev.html#concurrency-and-multithreading)
    """

    code, name = "BGL113", "loop-api-in-worker-thread"
    level = Level.ERROR
    triggers = frozenset({"create_task", "ensure_future", "get_event_loop", "get_running_loop"})
    needs = frozenset({"asyncio"})

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call needs a loop that its thread has not."""
        return self._worker(call, scope) is not None

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it with what the function is, or the one that calls it."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        worker = self._worker(call, scope)
        if worker is None:
            return None
        symbol = project.resolve(call.func, scope)
        name = dotted_text(call.func) or "this"
        lost = ", and the coroutine never runs" if symbol is not None and symbol.name in _STARTERS else ""
        who = f"the sync {worker.kind} `{worker.function.name}`"
        if not worker.way:
            message = f"`{name}()` raises RuntimeError here: {who} runs in a worker thread without an event loop{lost}"
            return self.finding(candidate, message)
        message = f"`{name}()` raises RuntimeError when {who} calls this in a worker thread without an event loop{lost}"
        chain = (
            Frame(scope.full_name, self.ctx.display_path, candidate.span.start.row),
            *(Frame(f.full_name, self.ctx.display(f.module), c.lineno) for f, c in worker.way),
        )
        return self.finding(candidate, message, chain)

    def _worker(self, call: ast.Call, scope: Scope) -> _Worker | None:
        """What runs a call in a worker thread, directly or through helpers; None unless that is proven."""
        if not isinstance(scope.node, ast.FunctionDef):
            return None
        project = self.ctx.project
        symbol = project.resolve(call.func, scope)
        if symbol is None or symbol.instance or symbol.name not in _STARTERS | _GETTERS:
            return None
        if where.argument(call, None, "loop") is not None or self._is_prepared(call, scope):
            return None
        if not project.callers.files_with(b"fastapi", b"starlette"):
            return None
        kind = worker_thread(project, scope)
        return _Worker(kind, scope, ()) if kind is not None else self._above(call, scope)

    def _above(self, call: ast.Call, scope: Scope) -> _Worker | None:
        """The route, dependency or task that surely comes to a call when it calls the function around it."""
        project = self.ctx.project
        pending: list[tuple[Scope, _Way]] = [(scope, ())] if _is_always_run(call, scope, project) else []
        seen = {scope}
        while pending:
            function, way = pending.pop(0)
            for made, caller in self._calls_of(function):
                if caller in seen or not isinstance(caller.node, ast.FunctionDef):
                    continue
                if self._is_prepared(made, caller) or any(True for _ in where.tries_around(caller.module, made)):
                    continue
                seen.add(caller)
                longer = (*way, (caller, made))
                kind = worker_thread(project, caller)
                if kind is not None:
                    return _Worker(kind, caller, longer)
                if len(longer) < _DEPTH and len(seen) < _MOST_CALLERS and _is_always_run(made, caller, project):
                    pending.append((caller, longer))
        return None

    def _calls_of(self, function: Scope) -> Iterator[tuple[ast.Call, Scope]]:
        """The calls of a function in its own file and in those with routes, unless these are too many to look at."""
        project, name = self.ctx.project, function.name.encode() + b"("
        routes = project.callers.near(project.callers.files_with(b"fastapi", b"starlette"))
        files = {path for path in routes if name in project.callers.data(path)} | {function.module.path}
        for path in sorted(files) if len(files) <= _MOST_FILES else ():
            module = project.module_at(path)
            for call, scope in calls_in(module, frozenset({function.name})) if module is not None else ():
                symbol = project.resolve(call.func, scope)
                if symbol is not None and symbol.function is function:
                    yield call, scope

    def _is_prepared(self, call: ast.Call, scope: Scope) -> bool:
        """Whether the function makes a loop of its own, or expects the error."""
        if any(isinstance(c.func, ast.Attribute) and c.func.attr == "set_event_loop" for c in scope.calls):
            return True
        for node in where.tries_around(scope.module, call):
            for handler in node.handlers:
                types = ast.walk(handler.type) if handler.type is not None else ()
                names = {part.id for part in types if isinstance(part, ast.Name)}
                called = {c.func.attr for c in _calls_in(handler) if isinstance(c.func, ast.Attribute)}
                if "RuntimeError" in names or called & _MAKERS:
                    return True
        return False


def _calls_in(node: ast.AST) -> list[ast.Call]:
    return [inner for inner in ast.walk(node) if isinstance(inner, ast.Call)]


def _is_always_run(call: ast.Call, function: Scope, project: Project) -> bool:
    """Whether calling a plain function always comes to a call in it."""
    decorators = {dotted_text(decorator) for decorator in function.decorators}
    if function.yields or not decorators <= {"classmethod", "staticmethod"}:
        return False
    for _, parent in where.within_function(function.module, call):
        if isinstance(parent, ast.stmt):
            break
        if isinstance(parent, (ast.IfExp, ast.BoolOp, *where.COMPREHENSIONS)):
            return False
    flow = flow_of(function, project)
    around = flow.reach([flow.entry], avoid={where.statement_of(function.module, call)}, failing=False)
    return flow.end not in around


def worker_thread(project: Project, function: Scope) -> str | None:
    """As what a sync function runs in a worker thread ("route", "dependency", "background task"); None if it is not
    proven that it does.
    """
    decorators = {symbol.last for symbol in registrations(function, project)}
    if decorators & _ON_LOOP or (function.yields and function.decorators):
        return None
    if decorators or (is_route(function, project) and function.name not in ("dispatch", "on_connect", "on_receive")):
        return "exception handler" if decorators == {"exception_handler"} else "route"
    for call, scope in project.request_path.handed_over(function):
        symbol = project.resolve(call.func, scope)
        if symbol is not None and symbol.name in _WORKERS:
            return _WORKERS[symbol.name]
        if symbol is not None and symbol.last in _REGISTERING and symbol.name.startswith(("fastapi.", "starlette.")):
            return "route"
    return None
