"""BGL306: a process that is forked while a server handles requests."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.callers import last_name, with_aliases
from bglint.index.context import argument
from bglint.index.origins import origins
from bglint.model import Finding
from bglint.rules.base import CallRule, Candidate

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

_STARTERS = frozenset({"multiprocessing.Pool", "multiprocessing.Process", "multiprocessing.pool.Pool"})
_FORKS = frozenset({"os.fork", "os.forkpty", "pty.fork"})
_WITHOUT_FORK = ("spawn", "forkserver")
_NO_FORK_BY_DEFAULT = (3, 14)


class ProcessForkedInRequest(CallRule):
    """Report processes that are forked from code that handles requests.

    ## What it does
    Reports `multiprocessing.Process(...)`, `multiprocessing.Pool(...)` and `os.fork()` in routes, dependencies,
    middleware, handlers, lifespan and background tasks, and in all that these call. It is silent for a `spawn` or
    `forkserver` context, where the project calls `set_start_method` with one of them, for scripts, and, except for
    `os.fork()`, from target version 3.14 on, which no longer forks by default.

    ## Why is this bad?
    On Linux, a new process is a fork of the server up to Python 3.13. It inherits locks that other threads hold and
    that nobody will ever release, the **listening socket**, so that the port stays taken after a restart, and uvicorn's
    signal handlers, so that `terminate()` is ignored. A spawned process has none of that.

    ## Example
    ```python
    @app.post("/reports")
    def report(order: Order):
        multiprocessing.Process(target=render, args=(order.id,)).start()
    ```

    ## Use instead
    ```python
    spawn = multiprocessing.get_context("spawn")


    @app.post("/reports")
    def report(order: Order):
        spawn.Process(target=render, args=(order.id,)).start()
    ```

    ## Fix safety
    There is no automatic fix: a spawned process imports the module anew, and its arguments must be picklable.

    ## References
    - [multiprocessing: start methods](https://docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods)
    - [os.fork](https://docs.python.org/3/library/os.html#os.fork)
    """

    code, name = "BGL306", "process-forked-in-request"
    triggers = frozenset({"Process", "Pool", "fork", "forkpty"})
    # A module of the project may hand it on.
    needs = frozenset({"multiprocessing", "fork", "import Pool", "import Process"})

    def words(self, source: Source) -> frozenset[str]:
        """The triggers, and what this file calls them."""
        return with_aliases(self.triggers, source.data)

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call in a function forks this process."""
        symbol = self.ctx.project.resolve(call.func, scope)
        if symbol is None or symbol.instance or not any(s.is_function for s in scope.walk_up()):
            return False
        if symbol.name in _FORKS:
            return True
        return symbol.name in _STARTERS and not self._starts_afresh(call, scope)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it in the request path."""
        if not project.request_path.includes(candidate.scope):
            return None
        assert isinstance(candidate.site, ast.Call)
        symbol = project.resolve(candidate.site.func, candidate.scope)
        called = symbol.last if symbol is not None else last_name(candidate.site.func)
        instead = "" if "fork" in called else f'; use `multiprocessing.get_context("spawn").{called}(...)`'
        return self.finding(
            candidate,
            f"`{called}()` forks the server while it handles requests: the child inherits held locks, the listening "
            f"socket and the signal handlers{instead}",
        )

    def _starts_afresh(self, call: ast.Call, scope: Scope) -> bool:
        """Whether the new process is no fork, or may be none."""
        project = self.ctx.project
        if self.ctx.settings.target_version >= _NO_FORK_BY_DEFAULT or project.traits.spawns_processes:
            return True
        if last_name(call.func).startswith(("Spawn", "ForkServer")) or argument(call, None, "context") is not None:
            return True
        symbol = project.resolve(call.func.value, scope) if isinstance(call.func, ast.Attribute) else None
        if symbol is None or not symbol.instance or not isinstance(call.func, ast.Attribute):
            return False
        # An object of a context: which one, says the call that made it.
        made = origins(project, call.func.value, scope) or ()
        methods = [argument(origin.call, 0, "method") for origin in made]
        return not all(isinstance(m, ast.Constant) and m.value not in _WITHOUT_FORK for m in methods) or not methods
