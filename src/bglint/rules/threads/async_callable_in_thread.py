"""BGL307: an async function is handed to a thread, which calls it and drops the coroutine."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.background import function_behind
from bglint.index.callers import last_name, with_aliases
from bglint.index.facts import dotted_text
from bglint.model import Finding, Level
from bglint.rules.base import Candidate, Rule
from bglint.rules.threads._jobs import RUNNERS, handed_over

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

_TRANSPARENT = frozenset({"classmethod", "staticmethod", "override", "final"})


class AsyncCallableInThread(Rule):
    """Report async functions that are handed to a thread, a process or a pool.

    ## What it does
    Reports `Thread(target=f)`, `Process(target=f)`, `executor.submit(f)`, `asyncio.to_thread(f)`,
    `loop.run_in_executor(None, f)` and `run_in_threadpool(f)` where `f` is an `async def` of your project, also
    through `partial`, a lambda that calls it, or an object with an async `__call__`. It is silent for decorated
    functions, which may be sync after all, and where the coroutine that comes back is awaited.

    ## Why is this bad?
    The thread calls the function. For an `async def` that makes a coroutine and runs nothing of it: **the work is
    never done**, no error is raised, and all there is to see is a `RuntimeWarning: coroutine was never awaited`.

    ## Example
    ```python
    async def sync_inventory() -> None: ...


    threading.Thread(target=sync_inventory).start()
    ```

    ## Use instead
    On the event loop, where async functions belong:

    ```python
    task = asyncio.create_task(sync_inventory())
    ```

    In a thread of its own, with a loop of its own:

    ```python
    threading.Thread(target=lambda: asyncio.run(sync_inventory())).start()
    ```

    ## Fix safety
    There is no automatic fix: whether the work belongs on the loop or in a thread is for you to say.

    ## References
    - [asyncio: developing with threads](https://docs.python.org/3/library/asyncio-dev.html#concurrency-and-multithreading)
    - [asyncio.to_thread](https://docs.python.org/3/library/asyncio-task.html#asyncio.to_thread)
    """

    code, name, level = "BGL307", "async-callable-in-thread", Level.ERROR
    triggers = frozenset(name.rpartition(".")[2] for name in RUNNERS)

    def words(self, source: Source) -> frozenset[str]:
        """The triggers, and what this file calls them."""
        return with_aliases(self.triggers, source.data)

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call hands an async function to a thread."""
        return self._handed(call, scope) is not None

    def visit_Call(self, node: cst.Call) -> None:
        """A call that hands an async function to a thread."""
        site = self.ctx.site(node)
        if isinstance(site, ast.Call):
            function = self._handed(site, self.ctx.scope(site))
            if function is not None:
                self.ctx.candidate(node, site, function=function)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it."""
        function: Scope = candidate.data["function"]
        assert isinstance(candidate.site, ast.Call)
        what = "an async generator" if function.yields else "a coroutine"
        return self.finding(
            candidate,
            f"`{function.name}` is async, and `{last_name(candidate.site.func)}` only calls it: that makes {what} "
            "which nobody awaits, so nothing of it runs",
        )

    def _handed(self, call: ast.Call, scope: Scope) -> Scope | None:
        """The async function that a thread would call; None where it does something else, or the coroutine is used."""
        given = handed_over(self.ctx.project, call, scope)
        if given is None or isinstance(given, ast.Constant):
            return None
        function = function_behind(self.ctx.project, given, scope)
        if function is not None and isinstance(function.node, ast.Lambda) and isinstance(function.node.body, ast.Call):
            symbol = self.ctx.project.resolve(function.node.body.func, function)
            function = symbol.function if symbol is not None else None
        if function is None or not function.is_async or _is_run(call, True, scope):
            return None
        decorators = {dotted_text(decorator).rpartition(".")[2] for decorator in function.decorators}
        return function if decorators <= _TRANSPARENT else None


def _is_run(value: ast.AST, gives: bool, scope: Scope) -> bool:
    """Whether anything runs the coroutine that ``value`` is, or (``gives``) that it gives once it is waited for."""
    parents = scope.module.parents
    while (parent := parents.get(value)) is not None:
        if isinstance(parent, ast.Await):
            if not gives:
                return True
            gives = False
        elif isinstance(parent, ast.Attribute) and isinstance(parents.get(parent), ast.Call):
            if not gives or parent.attr != "result":
                return False
            gives, parent = False, parents[parent]
        elif isinstance(parent, ast.Call) and value in parent.args:
            return not gives
        elif isinstance(parent, ast.NamedExpr):
            if _is_run_as(parent.target.id, gives, scope):
                return True
        elif isinstance(parent, ast.Assign):
            names = [target.id for target in parent.targets if isinstance(target, ast.Name)]
            return any(_is_run_as(name, gives, scope) for name in names)
        else:
            return False
        value = parent
    return False


def _is_run_as(name: str, gives: bool, scope: Scope) -> bool:
    """The same for a name; also where it is handed on, since nobody knows what becomes of it."""
    uses = [n for n in ast.walk(scope.node) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
    parents = scope.module.parents
    return any(
        isinstance(parents.get(use), (ast.Call, ast.List, ast.Tuple, ast.Set, ast.Dict)) or _is_run(use, gives, scope)
        for use in uses
    )
