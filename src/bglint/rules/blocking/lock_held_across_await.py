"""BGL408: a thread lock that is held while the coroutine waits, or an asyncio lock that is entered like one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bglint.index.cancellation import awaits
from bglint.index.catching import flow_of
from bglint.index.context import FUNCTIONS, argument, statement_of
from bglint.index.facts import dotted_text
from bglint.index.symbols import Symbol
from bglint.model import Finding, Level
from bglint.rules.base import Candidate, Rule

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project

_KINDS = ("Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore")
_THREAD_LOCKS = frozenset(f"{module}.{kind}" for module in ("threading", "multiprocessing") for kind in _KINDS)
_ASYNC_LOCKS = frozenset(f"asyncio.{kind}" for kind in _KINDS if kind != "RLock")
_AWAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)


class LockHeldAcrossAwait(Rule):
    """Report thread locks that are held across an `await`, and asyncio locks in a plain `with`.

    ## What it does
    Reports `with lock:` around an `await`, `async for` or `async with` where the lock is proven to be one of
    `threading` or `multiprocessing` (Lock, RLock, Condition, Semaphore), `lock.acquire()` with an `await` before its
    `release()`, and a plain `with` on an asyncio lock. It is silent where nothing is awaited under the lock, for
    `acquire(blocking=False)`, and for `async with` on asyncio locks.

    ## Why is this bad?
    While the coroutine waits under the lock, other tasks run. The next one that wants the lock stops the thread until
    it is free, and the event loop with it. But the coroutine that holds it runs on that very loop, so it can never
    release it: **the whole server stands still**, for ever. It needs two requests at the same time, so no test shows
    it. (An `RLock` does not block: all tasks of a loop are one thread to it, so both are in at once.)

    A plain `with` on an asyncio lock fails each time, with a `TypeError` (before Python 3.11, an `AttributeError`).

    ## Example
    ```python
    lock = threading.Lock()


    async def book(seat: int) -> None:
        with lock:
            await save(seat)
    ```

    ## Use instead
    ```python
    lock = asyncio.Lock()


    async def book(seat: int) -> None:
        async with lock:
            await save(seat)
    ```

    Where threads need the lock too, hold it only around code that does not await.

    ## Fix safety
    There is no automatic fix: every use of the lock has to change, and threads cannot use an asyncio lock.

    ## References
    - [asyncio.Lock](https://docs.python.org/3/library/asyncio-sync.html#asyncio.Lock)
    - [threading.Lock](https://docs.python.org/3/library/threading.html#lock-objects)
    """

    code, name, level = "BGL408", "lock-held-across-await", Level.ERROR
    triggers = frozenset({"with", "acquire"})
    needs = frozenset({"Lock", "_lock", " lock", ".lock", "lock_", "emaphore", "Condition", "mutex"})
    piece_needs = frozenset({"async def"})
    statements = (ast.With,)

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call acquires a thread lock that is still held at an await."""
        return self._acquires(call, scope) is not None

    def matches_statement(self, statement: ast.stmt, scope: Scope) -> bool:
        """Whether a ``with`` holds a thread lock around an await, or an asyncio lock at all."""
        assert isinstance(statement, ast.With)
        return any(self._harm(item.context_expr, statement, scope) for item in statement.items)

    def visit_With(self, node: cst.With) -> None:
        """A ``with`` that holds a lock."""
        statement = self.ctx.statement(node)
        if not isinstance(statement, ast.With):
            return
        for item, held in zip(node.items, statement.items, strict=True):
            message = self._harm(held.context_expr, statement, self.ctx.scope(statement))
            if message is not None:
                self.ctx.candidate(item.item, held.context_expr, message=message)

    def visit_Call(self, node: cst.Call) -> None:
        """A call of ``acquire``."""
        site = self.ctx.site(node)
        if isinstance(site, ast.Call):
            message = self._acquires(site, self.ctx.scope(site))
            if message is not None:
                self.ctx.candidate(node, site, message=message)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it."""
        return self.finding(candidate, candidate.data["message"])

    def _harm(self, held: ast.expr, statement: ast.With, scope: Scope) -> str | None:
        """What is wrong with entering ``held``; None where nothing is."""
        lock = self._lock(held, scope)
        if lock is None:
            return None
        shown = f"`{dotted_text(held) or lock.name}`"
        if lock.name in _ASYNC_LOCKS:
            return f"{shown} is an asyncio lock, and a plain `with` on it always fails; use `async with`"
        if scope.is_async and any(isinstance(node, _AWAITS) for node in _own_nodes(statement.body)):
            return _message(shown, lock)
        return None

    def _acquires(self, call: ast.Call, scope: Scope) -> str | None:
        """What is wrong with an ``acquire`` whose lock is still held at an await."""
        if not scope.is_async or not isinstance(call.func, ast.Attribute) or call.func.attr != "acquire":
            return None
        if not _waits(call):
            return None
        lock = self._lock(call.func.value, scope)
        text = dotted_text(call.func.value)
        if lock is None or lock.name not in _THREAD_LOCKS or not text or not self._is_held(call, text, scope):
            return None
        return _message(f"`{text}`", lock)

    def _is_held(self, call: ast.Call, text: str, scope: Scope) -> bool:
        """Whether an await lies on a way from acquiring a lock to releasing it."""
        module = scope.module
        releases = {statement_of(module, other) for other in scope.calls if _is_release(other, text)}
        if not releases:
            return False
        flow = flow_of(scope, self.ctx.project)
        here = statement_of(module, call)
        starts = [following for point in flow.points(here) for following in point.normal]
        held = flow.reach(starts, avoid={here, *releases})
        waiting = [point for point in held if point.node is not None and awaits(point.node)]
        return any(point.node in releases for point in flow.reach(waiting, avoid={here}))

    def _lock(self, node: ast.expr, scope: Scope) -> Symbol | None:
        if not isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
            return None  # a lock that is made on the spot keeps nobody out
        symbol = self.ctx.project.resolve(node, scope)
        if symbol is None or not symbol.instance:
            return None
        return symbol if symbol.name in _THREAD_LOCKS or symbol.name in _ASYNC_LOCKS else None


def _message(shown: str, lock: Symbol) -> str:
    if lock.name.endswith("RLock"):
        return (
            f"{shown} (`{lock.name}`) is held across an await, but it keeps no other task of this loop out: all are "
            "one thread to it; use `asyncio.Lock`"
        )
    return (
        f"{shown} (`{lock.name}`) is held across an await: the next task that wants it stops the event loop, and then "
        "nobody can release it; use `asyncio.Lock` with `async with`"
    )


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.expr | ast.stmt]:
    """Everything in statements that runs with them: nested functions and classes left out."""
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.expr, ast.stmt)):
            yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))


def _waits(acquire: ast.Call) -> bool:
    """Whether an ``acquire`` waits for its lock: not with ``blocking=False``, nor with a timeout of zero."""
    blocking, timeout = argument(acquire, 0, "blocking"), argument(acquire, 1, "timeout")
    given = [value for value in (blocking, timeout) if isinstance(value, ast.Constant)]
    return all(value.value for value in given)


def _is_release(call: ast.Call, lock: str) -> bool:
    func = call.func
    return isinstance(func, ast.Attribute) and func.attr == "release" and dotted_text(func.value) == lock
