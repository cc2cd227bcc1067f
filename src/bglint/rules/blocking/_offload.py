"""The repair that moves a blocking call into a thread: ``f(x)`` becomes ``await asyncio.to_thread(f, x)``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.callers import last_name
from bglint.index.facts import Module, Scope, dotted_text
from bglint.model import Applicability, Edit, Location, Span
from bglint.rules.base import Candidate, Refused, Rewrite

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.blocking import BlockingPath
    from bglint.rules.context import RuleContext

NO_CALL = Refused("it is no call: put it into a function, and run that in a thread")
_LOCKS = frozenset(
    {"threading.Lock", "threading.RLock", "threading.Condition", "threading.Semaphore", "threading.BoundedSemaphore",
     "multiprocessing.Lock", "multiprocessing.RLock"}
)  # fmt: skip
# Context managers that do not care whether other tasks run meanwhile.
_CALM_MANAGERS = frozenset(
    {"builtins.open", "contextlib.suppress", "contextlib.nullcontext", "contextlib.closing", "io.BytesIO",
     "io.StringIO", "tempfile.TemporaryDirectory", "tempfile.NamedTemporaryFile", "requests.Session", "httpx.Client"}
)  # fmt: skip
_OTHER_LOOPS = frozenset({"trio", "curio"})


def to_thread(ctx: RuleContext, candidate: Candidate, applicability: Applicability) -> Rewrite | Refused:
    """Await the call in a thread; what it is given is still evaluated where it stands."""
    reason = obstacle(ctx, candidate)
    if reason is not None:
        return Refused(reason)
    call: cst.Call = candidate.node  # type: ignore[assignment]
    name, imports = ctx.import_module("asyncio", candidate.scope)
    head = _head(ctx, call, f"await {name}.to_thread(")
    if isinstance(head, Refused):
        return head
    callee = "".join(ctx.text(call.func).split())
    message = f"Run `{callee}` in a thread: `await asyncio.to_thread(...)`"
    return Rewrite(applicability, message, (*_parenthesised(ctx, call, head), *imports))


def move_helper(ctx: RuleContext, path: BlockingPath, candidate: Candidate) -> Rewrite | Refused:
    """Await a project's sync function in a thread, where nothing shows that it must not leave this one."""
    first = ctx.project.function_at(path.steps[0].function)
    if first is not None and first.yields:
        return Refused("it is a generator: only collecting its items in a function can leave the event loop")
    reason = ctx.project.affinity.why_bound([step.function for step in path.steps])
    return Refused(reason) if reason is not None else to_thread(ctx, candidate, Applicability.UNSAFE)


def await_instead(
    ctx: RuleContext, candidate: Candidate, function: str, applicability: Applicability
) -> Rewrite | Refused:
    """Await ``asyncio.<function>`` with the same arguments."""
    reason = obstacle(ctx, candidate)
    if reason is not None:
        return Refused(reason)
    call: cst.Call = candidate.node  # type: ignore[assignment]
    name, imports = ctx.import_module("asyncio", candidate.scope)
    head = ctx.replace(Span(ctx.span(call).start, _callee_end(ctx, call)), f"await {name}.{function}")
    if "#" in ctx.text(head.span):
        return Refused("a comment would be lost")
    message = f"Await `asyncio.{function}` instead"
    return Rewrite(applicability, message, (*_parenthesised(ctx, call, head), *imports))


def obstacle(ctx: RuleContext, candidate: Candidate) -> str | None:
    """Why an ``await`` cannot, or must not, take the place of the call."""
    module, site = ctx.module, candidate.site
    reason = where.await_obstacle(module, site, ctx.settings.target_version)
    if reason is not None:
        return reason
    if isinstance(module.parents.get(site), ast.withitem):
        return "its result is a context manager: move the whole `with` into a function and run that in a thread"
    if any(_is_lock(item.context_expr, candidate.scope, ctx) for item in _managers(ctx, site)):
        return "a thread lock would stay locked while other tasks run"
    if any(call.lineno <= site.lineno and _acquires(ctx, call) for call in candidate.scope.calls):  # type: ignore[attr-defined]
        return "a lock acquired before may stay locked while other tasks run"
    imported = _imported(module.tree)
    if not _OTHER_LOOPS.isdisjoint(imported):
        return "this file runs on another event loop than asyncio's"
    if "anyio" in imported and "asyncio" not in imported:
        return "with anyio, this file may run on another event loop than asyncio's"
    return None


def interleaves(ctx: RuleContext, candidate: Candidate) -> bool:
    """Whether other tasks, which now run meanwhile, could be seen: shared state is read before and written after.

    So it is in ``self.total += f()``, in ``if key not in cache: cache[key] = f()``, and in a ``with`` whose manager
    may mind.
    """
    scope, site = candidate.scope, candidate.site
    for item in _managers(ctx, site):
        expression = item.context_expr.func if isinstance(item.context_expr, ast.Call) else item.context_expr
        symbol = ctx.project.resolve(expression, scope)
        if symbol is None or symbol.name not in _CALM_MANAGERS:
            return True
    first_row, row = where.statement_of(ctx.module, site).lineno, site.lineno  # type: ignore[attr-defined]
    uses = list(_shared_uses(scope))
    read = {name for name, node, _ in uses if node.lineno <= row and _is_read(ctx, node)}
    return any(is_write and name in read and node.lineno >= first_row for name, node, is_write in uses)


def _shared_uses(scope: Scope) -> Iterator[tuple[str, ast.Name | ast.Attribute, bool]]:
    """State that outlives a function, or that others may hold, where it is used, and whether that changes it."""
    names, module = scope.names, scope.module
    rebound_outside = names.globals | names.nonlocals
    parameters = {parameter.arg for parameter in scope.parameters}
    made_here = names.bindings.keys() - rebound_outside - parameters
    for statement in scope.body:
        for node in ast.walk(statement):
            if not isinstance(node, (ast.Name, ast.Attribute)) or not dotted_text(node):
                continue
            is_local = isinstance(node, ast.Name) and node.id in made_here
            is_rebound = not isinstance(node.ctx, ast.Load) and (
                isinstance(node, ast.Attribute) or node.id in rebound_outside
            )
            yield dotted_text(node), node, is_rebound or (not is_local and _holds_assigned_item(module, node))


def _holds_assigned_item(module: Module, node: ast.expr) -> bool:
    """Whether ``node`` is the ``x`` of ``x[i] = …``, ``x[i][j] += …`` or ``del x[i]``."""
    parent = module.parents.get(node)
    while isinstance(parent, ast.Subscript) and parent.value is node:
        if not isinstance(parent.ctx, ast.Load):
            return True
        node, parent = parent, module.parents.get(parent)
    return False


def _is_read(ctx: RuleContext, node: ast.Name | ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Load) or isinstance(ctx.module.parents.get(node), ast.AugAssign)


# -- text -----------------------------------------------------------------------------------------------------------


def _head(ctx: RuleContext, call: cst.Call, opening: str) -> Edit | Refused:
    """The edit that turns ``f(`` into ``<opening>f, ``; layout and comments before the first argument stay."""
    start, end = ctx.span(call).start, ctx.span(call).end
    callee_end = _callee_end(ctx, call)
    callee = ctx.text(Span(start, callee_end))
    if not call.args:
        if "#" in ctx.text(Span(callee_end, end)):
            return Refused("a comment would be lost")
        return ctx.replace(Span(start, end), f"{opening}{callee})")
    if _is_bare_generator(call):
        return Refused("its argument is a bare generator expression")
    first = ctx.span(call.args[0]).start
    between = ctx.text(Span(callee_end, first))
    before_parenthesis, _, gap = between.partition("(")
    if "#" in before_parenthesis:
        return Refused("a comment would be lost")
    newline = next((n for n in ("\r\n", "\n", "\r") if n in gap), None)
    if newline is not None:
        return ctx.replace(Span(start, first), f"{opening}{gap}{callee},{newline}{gap.rpartition(newline)[2]}")
    return ctx.replace(Span(start, first), f"{opening}{gap}{callee}, ")


def _callee_end(ctx: RuleContext, call: cst.Call) -> Location:
    """Where the called expression ends, its own parentheses included."""
    end = ctx.span(call.func).end
    text = ctx.text(Span(end, ctx.span(call).end))
    closing = len(call.func.rpar)
    position = 0
    for _ in range(closing):
        position = text.index(")", position) + 1
    before = text[:position]
    rows = before.count("\n")
    column = len(before) - before.rfind("\n") if rows else end.column + len(before)
    return Location(end.row + rows, column)


def _parenthesised(ctx: RuleContext, call: cst.Call, head: Edit) -> tuple[Edit, ...]:
    """The head, and parentheses around the await where something is done with its result on the spot."""
    kind = type(ctx.parents.get(call)).__name__
    if kind not in ("Attribute", "Subscript", "Call") or call.lpar:
        return (head,)
    end = ctx.span(call).end
    if head.span.end == end:
        return (ctx.replace(head.span, f"({head.content})"),)
    return (ctx.replace(head.span, f"({head.content}"), ctx.insert(end, ")"))


def _is_bare_generator(call: cst.Call) -> bool:
    value = call.args[0].value
    return len(call.args) == 1 and type(value).__name__ == "GeneratorExp" and not value.lpar


# -- what stands around ----------------------------------------------------------------------------------------------


def _managers(ctx: RuleContext, site: ast.AST) -> Iterator[ast.withitem]:
    for statement in where.withs_around(ctx.module, site):
        if isinstance(statement, ast.With):
            yield from statement.items


def _is_lock(node: ast.expr, scope: Scope, ctx: RuleContext) -> bool:
    symbol = ctx.project.resolve(node, scope)
    if symbol is not None:
        return symbol.name in _LOCKS
    return "lock" in dotted_text(node).rpartition(".")[2].lower()


def _acquires(ctx: RuleContext, call: ast.Call) -> bool:
    return last_name(call.func) == "acquire" and not where.is_awaited(ctx.module, call)


@lru_cache(maxsize=4)
def _imported(tree: ast.Module) -> set[str]:
    return {alias.name.partition(".")[0] for s in tree.body if isinstance(s, ast.Import) for alias in s.names} | {
        (s.module or "").partition(".")[0] for s in tree.body if isinstance(s, ast.ImportFrom) and not s.level
    }
