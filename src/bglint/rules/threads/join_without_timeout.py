"""BGL303: a thread, process or queue is joined without a timeout."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from bglint.index import context as where
from bglint.index.facts import Scope, dotted_text
from bglint.index.origins import origins
from bglint.model import Applicability, Edit, Finding, Span
from bglint.rules.base import CallRule, Candidate, Refused, Rewrite
from bglint.rules.threads._jobs import run_by
from bglint.rules.threads._joins import has_no_timeout, joined_kind
from bglint.rules.threads._shared import Place, alive_check, expression_refusal, logger_at, place_of

if TYPE_CHECKING:
    from bglint.index.project import Project

_STOPS = frozenset({"threading.Event.set", "multiprocessing.Event.set"})
_KILLS = frozenset({"multiprocessing.Process.kill", "multiprocessing.Process.terminate"})


class _Work(NamedTuple):
    """What is waited for: its name for the message, and whether it is proven to end."""

    name: str | None
    ends: bool


class JoinWithoutTimeout(CallRule):
    """Report `join()` without a timeout on a thread, process or queue that may never be done.

    ## What it does
    Reports `.join()` on a `threading.Thread`, a `multiprocessing.Process` or a `queue.Queue` when no timeout is given.
    It is silent where the thread is proven to end and no request waits for it: its target is a function of the project
    without an endless loop and without a wait that has no timeout of its own, or its stop event is set right before.
    In code that runs for requests (routes, dependencies, middleware, handlers, lifespan, background tasks, and all
    that they call), and in every `async def`, it reports those too.

    ## Why is this bad?
    `join()` returns when the thread does, and not before. One that waits for an answer that never comes keeps the
    caller for ever. In an `async def` it also stops the event loop: no other request is served, and the server
    survives SIGINT and SIGTERM; only SIGKILL ends it.

    ## Example
    ```python
    import threading


    def stop(worker: threading.Thread) -> None:
        worker.join()
    ```

    ## Use instead
    ```python
    import logging
    import threading

    logger = logging.getLogger(__name__)


    def stop(worker: threading.Thread) -> None:
        worker.join(timeout=10)
        if worker.is_alive():
            logger.warning("Thread %s still runs after %s seconds", worker.name, 10)
    ```

    ## Fix safety
    The fix is unsafe: what follows may now run while the thread is still at work. It gives `join()` the seconds
    configured as `join-timeout` (10 unless you say otherwise) and logs a warning when they were not enough, because
    `join(timeout)` returns None either way and only `is_alive()` tells. `Queue.join()` has no timeout parameter, so it
    is reported without a fix: join the threads that empty the queue instead, or wait on its `all_tasks_done` condition.

    ## References
    - [Python documentation: Thread.join](https://docs.python.org/3/library/threading.html#threading.Thread.join)
    - [Python documentation: Process.join](https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Process.join)
    - [Python documentation: Queue.join](https://docs.python.org/3/library/queue.html#queue.Queue.join)
    """

    code, name = "BGL303", "join-without-timeout"
    triggers = frozenset({"join"})
    # str.join always has an argument: that keeps nearly every file out.
    needs = frozenset({".join()", ".join(None)", ".join(timeout=None)"})
    piece_needs = needs

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call joins a thread, process or queue without a timeout."""
        return has_no_timeout(call) and joined_kind(self.ctx.project, call, scope) is not None

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it unless the thread is proven to end, and no request waits for it."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Attribute)
        shown = f"{self.ctx.text(call.func)}()"
        shown = shown if len(shown) < 40 and shown.isprintable() else "join()"
        if joined_kind(project, call, scope) == "queue":
            return self.finding(
                candidate,
                f"{shown} waits for ever if a single item is never marked done, and it takes no timeout: join the "
                "worker threads with one instead",
            )
        work = worked_by(project, call.func.value, scope)
        name = work.name or f"the {joined_kind(project, call, scope)}"
        if scope.is_async:
            said = f"{shown} stops the event loop until {name} ends: nothing else runs, and SIGTERM is not heeded"
        elif not (work.ends or is_told_to_stop(project, call, scope)):
            said = f"{shown} waits for ever if {name} does not end"
        elif scope.is_function and project.request_path.includes(scope):
            said = f"{shown} holds the request that it runs for until {name} ends, however long that takes"
        else:
            return None
        return self.finding(candidate, f"{said}; give it a timeout and check is_alive()")

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Give it a timeout, and log when that was not enough."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        kind = joined_kind(project, call, scope)
        if kind == "queue":
            return Refused("Queue.join() takes no timeout")
        statement = where.statement_of(self.ctx.module, call)
        receiver = dotted_text(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        if not receiver:
            return Refused("the joined object has no name of its own")
        if "#" in self.ctx.text(call):
            return Refused("a comment inside the call would be lost")
        looped = self._loop_header(statement, call, scope)
        if isinstance(looped, Refused):
            return looped
        if not where.is_dropped(self.ctx.module, call) and not looped:
            return Refused(expression_refusal(self.ctx, call) or "the value of join() is used")
        if not looped and self.ctx.ast_span(statement) != self.ctx.ast_span(call):
            return Refused("there are parentheses around the call")
        place = place_of(self.ctx, statement)
        if isinstance(place, Refused):
            return place
        if looped and (len(place.lines) > 1 or "#" in place.lines[0]):
            return Refused("the comprehension has several lines or a comment")
        logger, edits = logger_at(self.ctx, scope, statement.lineno)
        edit = self._joined(candidate, place, looped, receiver, str(kind), logger)
        return Rewrite(Applicability.UNSAFE, "Join with a timeout, and log if it was not enough", (*edits, edit))

    def _loop_header(self, statement: ast.stmt, call: ast.Call, scope: Scope) -> str | Refused:
        """``for t in threads:`` for a statement that is just ``[t.join() for t in threads]``; empty for any other."""
        made = statement.value if isinstance(statement, ast.Expr) else None
        if not isinstance(made, (ast.ListComp, ast.SetComp)) or made.elt is not call:
            return ""
        generator = made.generators[0]
        if len(made.generators) > 1 or generator.ifs or generator.is_async:
            return Refused("the comprehension is more than one plain loop")
        name = dotted_text(generator.target)
        if not name.isidentifier() or any(name in owner.names.bindings for owner in scope.walk_up()):
            return Refused(f"`{name}` already means something else here")
        return f"for {name} in {self.ctx.text(generator.iter)}:"

    def _joined(self, candidate: Candidate, place: Place, header: str, receiver: str, kind: str, logger: str) -> Edit:
        """The whole statement, written anew: ``header`` is the for loop that a comprehension becomes."""
        call = candidate.site
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Attribute)
        seconds = shortest(self.ctx.settings.join_timeout)
        start, end = self.ctx.ast_span(call).start, self.ctx.ast_span(call).end
        unit = place.unit
        head = self.ctx.text(Span(start, self.ctx.ast_span(call.func).end))
        tail = "" if header else self.ctx.text(Span(end, place.span.end))
        indent = place.indent + (unit if header else "")
        lines = [
            *([header.rstrip()] if header else []),
            f"{indent if header else ''}{head}(timeout={seconds}){tail}",
            *alive_check(receiver, kind, logger, seconds, indent, unit),
        ]
        return Edit(place.span, place.lead + place.newline.join(lines))


# -- does it end? -------------------------------------------------------------------------------------------------


def worked_by(project: Project, receiver: ast.expr, scope: Scope) -> _Work:
    """What the joined thread or process runs, and whether all that it can be is proven to end."""
    made = origins(project, receiver, scope)
    runs = [run_by(project, origin.call, origin.scope) for origin in made or ()]
    functions = [run.function if run is not None else None for run in runs]
    names = {function.name for function in functions if function is not None}
    name = f"{names.pop()}()" if len(names) == 1 and None not in functions else None
    ends = bool(functions) and all(f is not None and project.endings.ends(f) for f in functions)
    return _Work(name if name != "<lambda>()" else None, ends)


def is_told_to_stop(project: Project, call: ast.Call, scope: Scope) -> bool:
    """Whether the same function sets an event, or ends the very process, before the join."""
    assert isinstance(call.func, ast.Attribute)
    joined = dotted_text(call.func.value)
    for earlier in scope.calls:
        func = earlier.func
        if not isinstance(func, ast.Attribute) or func.attr not in ("set", "kill", "terminate"):
            continue
        if (earlier.lineno, earlier.col_offset) >= (call.lineno, call.col_offset):
            continue
        symbol = project.resolve(func, scope)
        if symbol is not None and symbol.name in _STOPS:
            return True
        if symbol is not None and symbol.name in _KILLS and dotted_text(func.value) == joined:
            return True
    return False


# -- text ---------------------------------------------------------------------------------------------------------


def shortest(seconds: float) -> str:
    """A number of seconds as a person writes it: ``10``, ``0.5``."""
    return str(int(seconds)) if seconds == int(seconds) else repr(seconds)
