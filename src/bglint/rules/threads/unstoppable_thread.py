"""BGL305: a thread that never ends, and that the process waits for."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from bglint.index.context import argument, has_star
from bglint.index.endless import EndlessLoop, endless_loop
from bglint.model import Applicability, Finding, Frame, Level, Location, Span
from bglint.rules.base import Candidate, Refused, Rewrite
from bglint.rules.threads._jobs import ThreadRule, run_by, thread_made, work_name

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project


_THREAD = frozenset({"threading.Thread"})
_DAEMON = re.compile(r"daemon\b(?!\s*=\s*False)|setDaemon", re.IGNORECASE)


class UnstoppableThread(ThreadRule):
    """Report non-daemon threads whose target never ends.

    ## What it does
    Reports `threading.Thread(target=f)` where `f`, or a function of your project that it calls, gets into a
    `while True:` that nothing leaves: no `break` of its own, no `return`, no `raise` that gets out of the loop, no
    `sys.exit()`; and the same for the `run()` of a subclass of `Thread`, where an object of it is made. It is silent
    for daemon threads, and for loops with a condition: an Event, a flag, a sentinel.

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
    try:
        serve()
    finally:
        stop.set()
    ```

    In a web application the place for `stop.set()` is its lifespan or shutdown handler. `atexit` is too late: Python
    calls its functions when it has waited for the threads.

    ## Fix safety
    Unsafe: the fix adds `daemon=True`. A daemon thread is cut off at exit, wherever it is: in the middle of a file, or
    with a lock in its hand.

    ## References
    - [threading: daemon threads](https://docs.python.org/3/library/threading.html#threading.Thread.daemon)
    - [threading.Event](https://docs.python.org/3/library/threading.html#threading.Event)
    """

    code, name, level = "BGL305", "unstoppable-thread", Level.ERROR
    triggers = frozenset({"Thread"})

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call makes a thread that is no daemon."""
        made = None if has_star(call) else thread_made(self.ctx.project, call, scope, _THREAD)
        if made is None or _may_be_daemon(call, None if made.class_ is not None else 5) or _becomes_daemon(scope):
            return False
        return made.class_ is None or not _speaks_of_daemons(self.ctx.project, made.class_)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it with the loop, and the way to it."""
        call = candidate.site
        assert isinstance(call, ast.Call)
        work = run_by(project, call, candidate.scope)
        function = work.function if work is not None else None
        found = endless_loop(function, project) if function is not None else None
        if found is None or function is None or function.is_async:
            return None
        name, place = work_name(function), self._place(found)
        return self.finding(
            candidate,
            f"The thread that runs `{name}` never ends: nothing leaves the loop at {place}, so the process hangs at "
            "exit; let an Event end the loop, or make it a daemon",
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
            return Rewrite(Applicability.UNSAFE, "Make the thread a daemon", (self.ctx.replace(given, "True"),))
        made = thread_made(project, call, candidate.scope, _THREAD)
        if made is not None and made.class_ is not None:
            init = project.resolver.class_member(made.made(), "__init__")
            if init is not None and init.function is not None:
                return Refused("its class has a constructor of its own")
        before = max((*call.args, *(k.value for k in call.keywords)), key=_position, default=None)
        start = self.ctx.ast_span(call.func if before is None else before).end
        rest = self.ctx.text(Span(start, self.ctx.ast_span(call).end))
        if before is not None and rest.count(")") > 1:
            return Refused("its last argument stands in parentheses")
        if before is None and rest != "()":
            return Refused("there is more than its two parentheses")
        edit = self.ctx.insert(*((start, ", daemon=True") if before is not None else (_inside(start), "daemon=True")))
        return Rewrite(Applicability.UNSAFE, "Make the thread a daemon", (edit,))


def _position(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _inside(parenthesis: Location) -> Location:
    return Location(parenthesis.row, parenthesis.column + 1)


def _may_be_daemon(call: ast.Call, position: int | None) -> bool:
    """Whether the call itself makes the thread a daemon, or may."""
    given = argument(call, position, "daemon")
    return given is not None and not (isinstance(given, ast.Constant) and not given.value)


def _becomes_daemon(scope: Scope) -> bool:
    """Whether the same function or class says afterwards that a thread is a daemon."""
    around = next((owner.node for owner in scope.walk_up() if owner.is_class), scope.node)
    return any(
        isinstance(node, ast.Attribute)
        and (node.attr == "setDaemon" or (node.attr == "daemon" and isinstance(node.ctx, ast.Store)))
        for node in ast.walk(around)
    )


def _speaks_of_daemons(project: Project, made: Scope) -> bool:
    """Whether a class, or one that it inherits from, says anything about daemons: it may make its threads some."""
    classes = [base.class_ for base in project.resolver.mro(made) if base.class_ is not None]
    return any(_DAEMON.search(_text_of(class_)) is not None for class_ in classes)


def _text_of(class_: Scope) -> str:
    last = getattr(class_.node, "end_lineno", None)
    return "\n".join(class_.module.text.splitlines()[class_.row - 1 : last])
