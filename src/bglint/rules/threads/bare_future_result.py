"""BGL301: ``Future.result()`` with nothing around it to catch what the job raised."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.callers import last_name
from bglint.index.exposure import is_logger_call
from bglint.index.facts import BindingKind, Scope, dotted_text
from bglint.index.guards import Guard
from bglint.index.origins import origins
from bglint.model import Applicability, Edit, Finding
from bglint.rules.base import Candidate, Refused, Rewrite, Rule
from bglint.rules.threads._jobs import SUBMITS, is_submit, submitted_callable
from bglint.rules.threads._shared import Place, deeper, expression_refusal, logger_at, place_of

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.project import Project

_RESULT = "concurrent.futures.Future.result"
_CHECKS = frozenset({"done", "exception"})
_CATCHING = frozenset({"contextlib.suppress", "pytest.raises"})
_CATCHING_METHODS = frozenset({"assertRaises", "assertRaisesRegex"})
# Calls that a fix may put into the same ``try``: they give the future, keep or show the result, and are not what fails.
_KEEPERS = frozenset(
    {"add", "append", "appendleft", "extend", "insert", "pop", "popleft", "put", "put_nowait", "update"}
)
_SHOWERS = frozenset({"builtins.bool", "builtins.len", "builtins.print", "builtins.repr", "builtins.str"})


class BareFutureResult(Rule):
    """Report `Future.result()` where nothing catches what the job raised.

    ## What it does
    Reports `.result()` on a `concurrent.futures.Future` that no `try` surrounds: in a loop or comprehension over
    `as_completed(...)`, `wait(...)` or a container of futures, and straight after `submit(...)`. It is silent after an
    `exception()` or `done()` check of the same future, when the submitted function lets no exception out, for asyncio
    tasks, and where the result is returned straight after `submit(...)`: whoever calls the function gets the error as
    well as the value, as if there were no pool.

    ## Why is this bad?
    `result()` raises what the job raised. In a loop, the first job that fails ends the loop: the results of all later
    jobs are lost and their errors are never seen, although every one of them still runs to its end.

    ## Example
    ```python
    from concurrent.futures import ThreadPoolExecutor, as_completed


    def render_all(pages):
        done = []
        with ThreadPoolExecutor() as pool:
            futures = [pool.submit(render, page) for page in pages]
            for future in as_completed(futures):
                done.append(future.result())
        return done
    ```

    ## Use instead
    ```python
    import logging
    from concurrent.futures import ThreadPoolExecutor, as_completed

    logger = logging.getLogger(__name__)


    def render_all(pages):
        done = []
        with ThreadPoolExecutor() as pool:
            futures = [pool.submit(render, page) for page in pages]
            for future in as_completed(futures):
                try:
                    done.append(future.result())
                except Exception:
                    logger.exception("render() failed")
        return done
    ```

    ## Fix safety
    The fix is unsafe: an error that used to leave the function is now logged, and the work goes on with what is there.
    It logs with the module's own logger if that is a proven one. It is offered for a statement of its own; where the
    statement binds a name that the rest of a `for` body needs, the rest is skipped with `continue`. It is not offered
    where the value is needed elsewhere (`return`, comprehensions, conditions), or where the statement calls
    something else whose errors it would hide.

    ## References
    - [Python documentation: Future.result](https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Future.result)
    - [Python documentation: as_completed](https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.as_completed)
    """

    code, name = "BGL301", "bare-future-result"
    triggers = frozenset({"result"})
    needs = frozenset({".result("})
    piece_needs = frozenset({".result("})

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call takes the result of a concurrent future with nothing around it."""
        return self._shape(call, scope) is not None

    def visit_Call(self, node: cst.Call) -> None:
        """A bare result."""
        site = self.ctx.site(node)
        if isinstance(site, ast.Call):
            shape = self._shape(site, self.ctx.scope(site))
            if shape is not None:
                self.ctx.candidate(node, site, shape=shape)

    def _shape(self, call: ast.Call, scope: Scope) -> str | None:
        """``loop`` or ``submit`` for what this rule is about."""
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "result":
            return None
        symbol = self.ctx.project.resolve(call.func, scope)
        if symbol is None or symbol.name != _RESULT or symbol.instance:
            return None
        if is_caught(self.ctx.project, call, scope) or is_checked(call, scope):
            return None
        if is_straight_after_submit(self.ctx.project, call, scope):
            # What is returned is for the caller, the error like the value: nobody here knows who guards it.
            return None if isinstance(scope.module.parents.get(call), ast.Return) else "submit"
        return "loop" if is_taken_in_loop(call.func.value, scope) else None

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it unless no job behind it can fail."""
        call = candidate.site
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Attribute)
        submitted = submitted_to(project, call.func.value, candidate.scope)
        verdicts = [project.guards.of_expression(node, scope).guard for node, scope in submitted]
        if verdicts and all(verdict is Guard.GUARDED for verdict in verdicts):
            return None
        name = job_name(submitted)
        shown = f"{dotted_text(call.func.value)}.result()" if dotted_text(call.func.value) else "result()"
        if candidate.data["shape"] == "submit":
            return self.finding(
                candidate, f"{shown} raises what {name or 'the job'} raised in the pool, and nothing here catches it"
            )
        said = f"{shown} raises what its job raised: the first {name or 'job'} that fails ends the loop"
        return self.finding(candidate, f"{said}, and the results of all later ones are lost")

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Put the statement into a ``try`` that logs."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Attribute)
        statement = where.statement_of(self.ctx.module, call)
        reason = expression_refusal(self.ctx, call) or self._refusal(statement, call, scope)
        if reason is not None:
            return Refused(reason)
        skip = skips_rest(statement, scope)
        if isinstance(skip, Refused):
            return skip
        place = place_of(self.ctx, statement)
        if isinstance(place, Refused):
            return place
        logger, edits = logger_at(self.ctx, scope, statement.lineno)
        name = job_name(submitted_to(project, call.func.value, scope)) or "A job of the pool"
        handler = [f'{logger}.exception("{name} failed")', *(["continue"] if skip else [])]
        edit = self._wrapped(statement, place, handler)
        return Rewrite(Applicability.UNSAFE, "Log what the job raised, and go on", (*edits, edit))

    def _refusal(self, statement: ast.stmt, call: ast.Call, scope: Scope) -> str | None:
        """Why a statement cannot be put into a ``try`` as it stands."""
        if isinstance(statement, ast.Return):
            return "its value is returned"
        if not isinstance(statement, (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign)):
            return "it stands in the head of another statement"
        for node in ast.walk(statement):
            if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)):
                return "its statement does something else, too"
            if isinstance(node, ast.Call) and node is not call and not self._is_harmless(node, scope):
                return "its statement calls something else whose errors would be hidden"
        return None

    def _is_harmless(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call beside ``result()`` only keeps or shows it, or makes the future."""
        if last_name(call.func) in _KEEPERS or is_logger_call(call):
            return True
        symbol = self.ctx.project.resolve(call.func, scope)
        return symbol is not None and symbol.name in (_SHOWERS | SUBMITS)

    def _wrapped(self, statement: ast.stmt, place: Place, handler: list[str]) -> Edit:
        unit, body = place.unit, deeper(statement, place)
        lines = ["try:", *body, f"{place.indent}except Exception:", *(place.indent + unit + line for line in handler)]
        return Edit(place.span, place.lead + place.newline.join(lines))


# -- what surrounds the call --------------------------------------------------------------------------------------


def is_caught(project: Project, call: ast.Call, scope: Scope) -> bool:
    """Whether something around the call deals with its errors, or they are wanted: in an ``assert``, or in a test."""
    module = scope.module
    if any(node.handlers for node in where.tries_around(module, call)):
        return True
    if isinstance(where.statement_of(module, call), ast.Assert):
        return True
    managers = (item.context_expr for node in where.withs_around(module, call) for item in node.items)
    return any(_catches(project, manager, scope) for manager in managers)


def _catches(project: Project, manager: ast.expr, scope: Scope) -> bool:
    if not isinstance(manager, ast.Call):
        return False
    symbol = project.resolve(manager.func, scope)
    return last_name(manager.func) in _CATCHING_METHODS or (symbol is not None and symbol.name in _CATCHING)


def is_checked(call: ast.Call, scope: Scope) -> bool:
    """Whether the same future was asked for ``exception()`` or ``done()`` before, or in the same statement.

    A condition that took the very result counts too: ``if f.result(): return f.result()`` is one finding.
    """
    assert isinstance(call.func, ast.Attribute)
    future = dotted_text(call.func.value)
    last = where.statement_of(scope.module, call).end_lineno or call.lineno
    same = [
        other
        for other in scope.calls
        if isinstance(other.func, ast.Attribute) and future and dotted_text(other.func.value) == future
    ]
    if any(last_name(other.func) in _CHECKS and other.lineno <= last for other in same):
        return True
    around = {parent for _, parent in where.within_function(scope.module, where.statement_of(scope.module, call))}
    return any(
        last_name(other.func) == "result" and where.statement_of(scope.module, other) in around for other in same
    )


def is_straight_after_submit(project: Project, call: ast.Call, scope: Scope) -> bool:
    """Whether a future is made by ``submit`` and asked for its result before anything else is called."""
    assert isinstance(call.func, ast.Attribute)
    receiver = call.func.value
    if isinstance(receiver, ast.Call):
        return is_submit(project, receiver, scope)
    if not isinstance(receiver, ast.Name):
        return False
    bindings = [b for b in scope.names.bindings.get(receiver.id, ()) if _place(b.node) < _place(call)]
    made = max(bindings, key=lambda b: _place(b.node), default=None)
    if made is None or made.kind is not BindingKind.VALUE or made.value is None:
        return False
    value: ast.AST = made.value
    for position in made.path:
        if not isinstance(value, (ast.Tuple, ast.List)) or position >= len(value.elts):
            return False
        value = value.elts[position]
    if not isinstance(value, ast.Call) or not is_submit(project, value, scope):
        return False
    own = {where.statement_of(scope.module, c) for c in scope.calls if last_name(c.func) in ("result", "submit")}
    end = (made.node.end_lineno, made.node.end_col_offset)  # type: ignore[attr-defined]
    between = (c for c in scope.calls if end < _place(c) < _place(call))
    return all(where.statement_of(scope.module, c) in own for c in between)


def _place(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def is_taken_in_loop(receiver: ast.expr, scope: Scope) -> bool:
    """Whether a loop around ``receiver`` gives it another future in each round."""
    module = scope.module
    if not where.in_loop(module, receiver):
        return False
    if isinstance(receiver, ast.Call):
        return True  # futures.pop(), next(futures)
    names = {node.id for node in ast.walk(receiver) if isinstance(node, ast.Name)}
    for child, parent in where.within_function(module, receiver):
        if isinstance(parent, where.COMPREHENSIONS):
            targets = [generator.target for generator in parent.generators]
            if any(isinstance(n, ast.Name) and n.id in names for target in targets for n in ast.walk(target)):
                return True
        if isinstance(parent, where.LOOPS) and child in parent.body and _binds(parent, names, scope):
            return True
    return False


def _binds(loop: ast.For | ast.AsyncFor | ast.While, names: set[str], scope: Scope) -> bool:
    first, last = loop.lineno, loop.end_lineno or loop.lineno
    bindings = [b for name in names for b in scope.names.bindings.get(name, ())]
    inside = [b for b in bindings if b.node is not loop and first < b.row <= last]
    if isinstance(loop, ast.While):  # ``f = self.future`` is the same one in every round, ``queue.pop()`` is not
        return any(isinstance(b.value, (ast.Call, ast.Subscript)) for b in inside)
    return bool(inside) or any(b.node is loop for b in bindings)


# -- the job ------------------------------------------------------------------------------------------------------


def submitted_to(project: Project, receiver: ast.expr, scope: Scope) -> list[tuple[ast.expr, Scope]]:
    """The callables whose results a future can hold; empty where that is not known."""
    made = origins(project, receiver, scope) or ()
    callables = [(submitted_callable(project, o.call, o.scope), o) for o in made if is_submit(project, o.call, o.scope)]
    known = [(node, origin.scope) for node, origin in callables if node is not None]
    return known if len(known) == len(made) else []


def job_name(submitted: list[tuple[ast.expr, Scope]]) -> str | None:
    """How the one submitted function is called: ``render()``."""
    names = {dotted_text(node).removeprefix("self.") for node, _ in submitted}
    name = names.pop() if len(names) == 1 else ""
    return f"{name}()" if name else None


# -- what the fix may skip ----------------------------------------------------------------------------------------


def skips_rest(statement: ast.stmt, scope: Scope) -> bool | Refused:
    """Whether the rest of the loop's body must be skipped when the statement fails.

    Refused where something outside that rest needs what the statement binds.
    """
    names: set[str] = set()
    for target in _targets(statement):
        if isinstance(target, ast.Name):
            names.add(target.id)
        elif isinstance(target, ast.Attribute):
            return Refused("an attribute would keep its old value")
    uses = [node for node in _uses(names, scope) if not _within(node, statement)] if names else []
    if not uses:
        return False
    name = uses[0].id
    module = scope.module
    loop = next(
        (p for c, p in where.within_function(module, statement) if isinstance(p, where.LOOPS) and c in p.body), None
    )
    if loop is None:
        return Refused(f"what follows needs `{name}`")
    if isinstance(loop, ast.While):
        return Refused("skipping the rest of a while loop's body might make it endless")
    end = (statement.end_lineno or 0, statement.end_col_offset or 0)
    if any(_place(use) < end or not _within(use, loop) or _within_else(use, loop) for use in uses):
        return Refused(f"`{name}` is used outside the rest of the loop's body")
    return True


def _targets(statement: ast.stmt) -> Iterator[ast.expr]:
    if isinstance(statement, ast.AugAssign):
        return  # ``total += f.result()`` leaves ``total`` as it was
    pending = list(getattr(statement, "targets", None) or [getattr(statement, "target", None)])
    while pending:
        target = pending.pop()
        if isinstance(target, (ast.Tuple, ast.List)):
            pending.extend(target.elts)
        elif isinstance(target, ast.Starred):
            pending.append(target.value)
        elif isinstance(target, ast.expr):
            yield target


def _uses(names: set[str], scope: Scope) -> list[ast.Name]:
    """Where the names are read, in source order."""
    found = [
        node
        for node in ast.walk(scope.node)
        if isinstance(node, ast.Name)
        and node.id in names
        and (not isinstance(node.ctx, ast.Store) or isinstance(scope.module.parents.get(node), ast.AugAssign))
    ]
    shared = names & (scope.names.globals | scope.names.nonlocals)
    outside = [ast.Name(name, ast.Load(), lineno=0, col_offset=0) for name in shared]
    return sorted([*outside, *found], key=_place)


def _within(node: ast.AST, outer: ast.stmt) -> bool:
    start, end = _place(outer), (outer.end_lineno or 0, outer.end_col_offset or 0)
    return start <= _place(node) < end


def _within_else(node: ast.AST, loop: ast.For | ast.AsyncFor) -> bool:
    return bool(loop.orelse) and _place(node) >= _place(loop.orelse[0])
