"""BGL304: a join with a timeout, and nobody asks whether it was enough."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.cleanup import is_cleanup
from bglint.index.facts import dotted_text
from bglint.index.origins import origins
from bglint.model import Applicability, Edit, Finding
from bglint.rules.base import CallRule, Candidate, Refused, Rewrite
from bglint.rules.threads._jobs import run_by
from bglint.rules.threads._joins import has_no_timeout, joined_kind
from bglint.rules.threads._shared import alive_check, logger_at, place_of

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

# What tells whether a thread or process has ended, or sees to it that it has.
_ENDS = frozenset({"kill", "terminate"})
_ANSWERS = frozenset({"exitcode", "isAlive", "is_alive"}) | _ENDS


class JoinTimeoutUnchecked(CallRule):
    """Report `join(timeout)` whose outcome nobody looks at.

    ## What it does
    Reports `.join(timeout)` of a `threading.Thread` or `multiprocessing.Process` when the function asks for neither
    `is_alive()` nor `exitcode` afterwards, nor for anything else that the thread changes (`if not result:`). It is
    silent where the thread is a daemon (or may be) and the code cleans up: in a function named `stop`, `close`,
    `shutdown` and so on, or a `finally` block; there it ends with the process. It is also silent where nothing comes
    after the join of a daemon, for processes that are killed anyway, and in a `while` loop, whose condition decides
    whether to wait on.

    ## Why is this bad?
    `join(timeout)` returns `None`, whether the thread has ended or not. Code that goes on as if it had reads half a
    result, or closes the file that the thread is writing to.

    ## Example
    ```python
    worker.join(timeout=10)
    output.close()
    ```

    ## Use instead
    ```python
    worker.join(timeout=10)
    if worker.is_alive():
        logger.warning("Thread %s still runs after %s seconds", worker.name, 10)
    output.close()
    ```

    ## Fix safety
    Unsafe: the fix adds the check and logs a warning, which is the least that should happen; what follows may have to
    be skipped. No fix is offered where the joined object or the timeout is more than a name or a number, and where the
    call shares its line with other code.

    ## References
    - [Thread.join](https://docs.python.org/3/library/threading.html#threading.Thread.join)
    - [Process.join](https://docs.python.org/3/library/multiprocessing.html#multiprocessing.Process.join)
    """

    code, name = "BGL304", "join-timeout-unchecked"
    triggers = frozenset({"join"})
    needs = frozenset({".join("})
    piece_needs = needs

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call joins a thread or process with a timeout, and nothing asks how it ended."""
        if not isinstance(call.func, ast.Attribute) or has_no_timeout(call) or where.has_star(call):
            return False
        timeout = where.argument(call, 0, "timeout")
        if isinstance(call.func.value, ast.Constant) or timeout is None:
            return False
        if isinstance(timeout, ast.Constant) and timeout.value == 0:
            return False  # it waits for nothing: the thread is known to have ended
        if joined_kind(self.ctx.project, call, scope) not in ("thread", "process") or _is_checked(call, scope):
            return False
        return not _is_told(self.ctx.project, call, scope)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it but for daemons that something cleans up."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Attribute)
        cleans_up = is_cleanup(call, scope)
        if (cleans_up or _is_last(call, scope)) and _is_daemon(project, call.func.value, scope, unknown=cleans_up):
            return None
        name = dotted_text(call.func.value)
        shown = f"`{name}.join(timeout)`" if name else "`join(timeout)`"
        kind = joined_kind(project, call, scope)
        return self.finding(
            candidate, f"{shown} returns None whether the {kind} has ended or not, and nothing asks is_alive()"
        )

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Ask, and log."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Attribute)
        statement = where.statement_of(self.ctx.module, call)
        receiver = dotted_text(call.func.value)
        timeout = where.argument(call, 0, "timeout")
        if not receiver or not where.is_dropped(self.ctx.module, call):
            return Refused("the joined object has no name of its own, or the value of join() is used")
        if timeout is None or not (isinstance(timeout, ast.Constant) or dotted_text(timeout)):
            return Refused("the timeout is computed")
        place = place_of(self.ctx, statement)
        if isinstance(place, Refused):
            return place
        logger, edits = logger_at(self.ctx, scope, statement.lineno)
        kind = str(joined_kind(project, call, scope))
        added = alive_check(receiver, kind, logger, self.ctx.text(timeout), place.indent, place.unit)
        edit = Edit(place.span, place.lead + place.newline.join([*place.lines, *added]))
        return Rewrite(Applicability.UNSAFE, "Log if the timeout was not enough", (*edits, edit))


def _is_checked(call: ast.Call, scope: Scope) -> bool:
    """Whether anything after the join, in the same function or loop, asks whether a thread or process has ended."""
    loops = [parent for _, parent in where.within_function(scope.module, call) if isinstance(parent, where.LOOPS)]
    if any(isinstance(loop, ast.While) for loop in loops):
        return True  # its condition decides whether to wait on
    start = loops[-1].lineno if loops else call.lineno
    nodes = [node for node in ast.walk(scope.node) if isinstance(node, ast.Attribute) and node.attr in _ANSWERS]
    assert isinstance(call.func, ast.Attribute)
    joined = dotted_text(call.func.value)
    ended = (node for node in nodes if node.attr in _ENDS and joined and dotted_text(node.value) == joined)
    return any(node.lineno >= start for node in nodes) or any(node.lineno < call.lineno for node in ended)


def _is_told(project: Project, call: ast.Call, scope: Scope) -> bool:
    """Whether a condition after the join asks for something that the thread's own target, a function in here, changes:
    ``if not result:``.
    """
    assert isinstance(call.func, ast.Attribute)
    made = origins(project, call.func.value, scope) or ()
    targets = [run.function for origin in made if (run := run_by(project, origin.call, origin.scope)) is not None]
    shared: set[str] = set()
    for target in targets:
        if target is not None and target.parent is scope:
            shared |= set(_changed_by(target)) & scope.names.bindings.keys()
    tests = (test for node in (ast.walk(scope.node) if shared else ()) for test in _tests(node))
    return any(test.lineno >= call.lineno and shared & where.names_read(test) for test in tests)


def _changed_by(target: Scope) -> Iterator[str]:
    """The names of the function around a nested one whose values that one changes, or may."""
    yield from target.names.nonlocals
    for node in ast.walk(target.node):
        changes = isinstance(node, ast.Attribute) or (
            isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load)
        )
        value = node.value if changes else None  # type: ignore[attr-defined]
        if isinstance(value, ast.Name) and value.id not in target.names.bindings:
            yield value.id


def _tests(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.comprehension):
        return node.ifs
    return [node.test] if isinstance(node, (ast.If, ast.IfExp, ast.While, ast.Assert)) else []


def _is_last(call: ast.Call, scope: Scope) -> bool:
    """Whether nothing comes after a join in its function, so that nothing goes on as if the thread had ended."""
    return bool(scope.body) and scope.body[-1] is where.statement_of(scope.module, call)


def _is_daemon(project: Project, receiver: ast.expr, scope: Scope, unknown: bool) -> bool:
    """Whether the joined thread or process is made as a daemon, or made one anywhere in the module.

    ``unknown`` is the answer where nobody can tell where it comes from.
    """
    made = origins(project, receiver, scope)
    flags = [where.argument(origin.call, None, "daemon") for origin in made or ()]
    if made is None and unknown:
        return True
    if flags and all(isinstance(flag, ast.Constant) and flag.value is True for flag in flags):
        return True
    name = dotted_text(receiver).rpartition(".")[2]
    return bool(name) and any(
        text in scope.module.text for text in (f"{name}.daemon = True", f"{name}.setDaemon(True)")
    )
