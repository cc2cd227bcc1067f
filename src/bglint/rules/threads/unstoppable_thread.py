"""BGL305: a thread that never ends, and that the process waits for."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.callers import import_aliases
from bglint.index.context import argument, has_star
from bglint.index.endless import EndlessLoop, endless_loop
from bglint.model import Applicability, Finding, Frame, Level
from bglint.rules.base import Candidate, Refused, Rewrite, Rule
from bglint.rules.threads._jobs import run_by

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source


class UnstoppableThread(Rule):
    """Report non-daemon threads whose target never ends.

    ## What it does
    Reports `threading.Thread(target=f)` where `f`, or a function of your project that it calls, gets into a
    `while True:` that nothing leaves: no `break` of its own, no `return`, no `raise` that gets out of the loop, no
    `sys.exit()`. It is silent for daemon threads, and for loops with a condition: an Event, a flag, a sentinel.

    ## Why is this bad?
    When the main thread is done, Python waits for every non-daemon thread. With one that never ends, **the process
    hangs at exit**: the deployment waits for its timeout and then kills it, in the middle of whatever it is doing.

    ## Example
    ```python
    def watch() -> None:
        while True:
            scan()
            time.sleep(5)


    threading.Thread(target=watch).start()
    ```

    ## Use instead
    ```python
    stop = threading.Event()


    def watch() -> None:
        while not stop.wait(5):
            scan()


    watcher = threading.Thread(target=watch)
    watcher.start()
    atexit.register(stop.set)  # or in the shutdown of your application
    ```

    ## Fix safety
    Unsafe: the fix adds `daemon=True`. A daemon thread is cut off at exit, wherever it is: in the middle of a file, or
    with a lock in its hand.

    ## References
    - [threading: daemon threads](https://docs.python.org/3/library/threading.html#threading.Thread.daemon)
    - [threading.Event](https://docs.python.org/3/library/threading.html#threading.Event)
    """

    code, name, level = "BGL305", "unstoppable-thread", Level.ERROR
    triggers = frozenset({"Thread"})
    # A module of the project may hand it on.
    needs = frozenset({"threading", "import Thread"})

    def words(self, source: Source) -> frozenset[str]:
        """The triggers, and what this file calls them."""
        return self.triggers | {alias for name, alias in import_aliases(source.data) if name in self.triggers}

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call makes a thread that is no daemon."""
        symbol = self.ctx.project.resolve(call.func, scope)
        if symbol is None or symbol.instance or symbol.name != "threading.Thread" or has_star(call):
            return False
        return not _may_be_daemon(call) and not _becomes_daemon(scope)

    def visit_Call(self, node: cst.Call) -> None:
        """A call that makes a thread."""
        site = self.ctx.site(node)
        if isinstance(site, ast.Call) and self.matches(site, self.ctx.scope(site)):
            self.ctx.candidate(node, site)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it with the loop, and the way to it."""
        call = candidate.site
        assert isinstance(call, ast.Call)
        work = run_by(project, call, candidate.scope)
        function = work.function if work is not None else None
        found = endless_loop(function, project) if function is not None else None
        if found is None or function is None or function.is_async:
            return None
        return self.finding(
            candidate,
            f"The thread that runs `{function.name}` never ends: nothing leaves the loop at {self._place(found)}, so "
            "the process hangs at exit; let an Event end the loop, or make it a daemon",
            self._chain(candidate, found),
        )

    def _place(self, found: EndlessLoop) -> str:
        if found.function.module is self.ctx.module:
            return f"row {found.loop.lineno}"
        return f"{self.ctx.display(found.function.module)}:{found.loop.lineno}"

    def _chain(self, candidate: Candidate, found: EndlessLoop) -> tuple[Frame, ...]:
        return (
            Frame(candidate.scope.full_name, self.ctx.display_path, candidate.span.start.row),
            *(Frame(scope.full_name, self.ctx.display(scope.module), call.lineno) for scope, call in found.calls),
            Frame(found.function.full_name, self.ctx.display(found.function.module), found.loop.lineno),
        )

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Make it a daemon."""
        call = candidate.site
        assert isinstance(call, ast.Call)
        given = argument(call, None, "daemon")
        if given is not None:
            edit = self.ctx.replace(given, "True")
        else:
            last = max((*call.args, *(k.value for k in call.keywords)), key=lambda n: (n.lineno, n.col_offset))
            edit = self.ctx.insert(self.ctx.ast_span(last).end, ", daemon=True")
            if self._is_in_parentheses(call, last):
                return Refused("its last argument stands in parentheses")
        return Rewrite(Applicability.UNSAFE, "Make the thread a daemon", (edit,))

    def _is_in_parentheses(self, call: ast.Call, last: ast.expr) -> bool:
        """Whether the last argument has parentheses of its own, which belong to no node."""
        rest = self.ctx.text(call)
        start, end = self.ctx.ast_span(call), self.ctx.ast_span(last).end
        tail = self.ctx.text(type(start)(end, start.end))
        return tail.count(")") > 1 or not rest.endswith(")")


def _may_be_daemon(call: ast.Call) -> bool:
    """Whether the call itself makes the thread a daemon, or may."""
    given = argument(call, 5, "daemon")
    return given is not None and not (isinstance(given, ast.Constant) and not given.value)


def _becomes_daemon(scope: Scope) -> bool:
    """Whether the same function or class says afterwards that a thread is a daemon."""
    around = next((owner.node for owner in scope.walk_up() if owner.is_class), scope.node)
    return any(
        isinstance(node, ast.Attribute)
        and (node.attr == "setDaemon" or (node.attr == "daemon" and isinstance(node.ctx, ast.Store)))
        for node in ast.walk(around)
    )
