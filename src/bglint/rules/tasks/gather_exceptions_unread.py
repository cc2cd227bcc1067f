"""BGL202: ``gather(return_exceptions=True)`` whose exceptions nobody looks at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bglint.index.callers import with_aliases
from bglint.index.cleanup import is_cleanup
from bglint.index.context import argument, is_awaited
from bglint.index.fate import is_unused
from bglint.model import Applicability, Edit, Finding, Level, Span
from bglint.rules.base import Candidate, Refused, Rewrite, Rule
from bglint.rules.context import names_visible
from bglint.rules.tasks._awaitables import are_called_back, are_done, are_of_others, awaitables
from bglint.rules.tasks._cancelling import cancels_itself

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

_WAITERS = frozenset({"asyncio.shield", "asyncio.wait_for"})
_COUNTERS = frozenset({"all", "any", "bool", "len"})
_COLLECTIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp)


class GatherExceptionsUnread(Rule):
    """Report `gather(..., return_exceptions=True)` whose exceptions nobody looks at.

    ## What it does
    Reports an awaited `asyncio.gather(..., return_exceptions=True)` whose results are dropped, bound to a name that
    is never read, or only counted (`len(results)`) or sorted out by truth (`[r for r in results if r]`). It is silent
    where results are tested with `isinstance`, returned, passed on or used in any other way, and where no awaitable
    can fail. It is also silent where the tasks are kept and a done-callback looks at each, where the function has
    cancelled the tasks before, and in code that cleans up (functions named `stop`, `close`, `shutdown` and so on,
    `finally` blocks, handlers that raise again): that only waits for an end.

    ## Why is this bad?
    With `return_exceptions=True`, a failure is a value in the list of results and nothing else: it is not raised, and
    nothing is logged, not even by asyncio. If nobody looks at the list, five failed e-mails out of five look like
    success. An exception is true in a condition, so `if r` keeps it among the results.

    ## Example
    ```python
    async def notify(users: list[User]) -> None:
        await asyncio.gather(*(send(user) for user in users), return_exceptions=True)
    ```

    ## Use instead
    ```python
    async def notify(users: list[User]) -> None:
        results = await asyncio.gather(*(send(user) for user in users), return_exceptions=True)
        for user, result in zip(users, results):
            if isinstance(result, Exception):
                logger.error("Could not notify %s", user.id, exc_info=result)
    ```

    ## Fix safety
    Safe: the results stay as they are, and each exception among them is logged. The fix calls `_gather_and_log`, a
    small function that it adds to the module. No fix is offered where `gather` is not awaited directly, but handed to
    `wait_for` or `shield`.

    ## References
    - [asyncio.gather](https://docs.python.org/3/library/asyncio-task.html#asyncio.gather)
    - [logging: exc_info](https://docs.python.org/3/library/logging.html#logging.Logger.debug)
    """

    code, name, level = "BGL202", "gather-exceptions-unread", Level.ERROR
    triggers = frozenset({"gather"})
    needs = frozenset({"return_exceptions"})
    piece_needs = needs

    def words(self, source: Source) -> frozenset[str]:
        """The triggers, and what this file calls them."""
        return with_aliases(self.triggers, source.data)

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call gathers exceptions that nobody reads."""
        return self._unread(call, scope) is not None

    def visit_Call(self, node: cst.Call) -> None:
        """A call that gathers exceptions that nobody reads."""
        site = self.ctx.site(node)
        if isinstance(site, ast.Call):
            unread = self._unread(site, self.ctx.scope(site))
            if unread is not None:
                self.ctx.candidate(node, site, unread=unread)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it, with what becomes of the results."""
        return self.finding(
            candidate,
            f"{candidate.data['unread']}: with return_exceptions=True a failure is a value in that list, "
            "and it is logged nowhere else",
        )

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Gather through a helper that logs each exception."""
        from bglint.fix.helpers import GATHER_AND_LOG, helper

        gather, scope, module = candidate.site, candidate.scope, self.ctx.module
        assert isinstance(gather, ast.Call)
        if not is_awaited(module, gather):
            return Refused("it is not awaited directly")
        without_keyword = self._without_keyword(gather)
        if without_keyword is None:
            return Refused("a comment would be lost, or the keywords come before other arguments")
        plan = helper(module.tree, self.ctx.source.text, GATHER_AND_LOG, avoid=names_visible(scope))
        edits = (self.ctx.replace(gather.func, plan.name), *without_keyword, *plan.edits)
        return Rewrite(Applicability.SAFE, "Log each exception", edits)

    def _without_keyword(self, gather: ast.Call) -> tuple[Edit, ...] | None:
        """The edits that take ``return_exceptions=True`` away; None where something would be lost with it."""
        keyword = gather.keywords[0]
        if len(gather.keywords) > 1 or not gather.args:
            return None
        previous = max(gather.args, key=_place)
        start, end = self.ctx.ast_span(previous).end, self.ctx.ast_span(keyword.value).end
        gap = self.ctx.text(Span(start, end))
        if _place(previous) > (keyword.lineno, keyword.col_offset) or "#" in gap:
            return None
        return (self.ctx.replace(Span(start, end), gap.rpartition(",")[0]),)

    # -- what is reported ----------------------------------------------------------------------------------------

    def _unread(self, call: ast.Call, scope: Scope) -> str | None:
        """What becomes of the gathered exceptions where nobody reads them: a clause for the message."""
        project = self.ctx.project
        flag = argument(call, None, "return_exceptions")
        if not isinstance(flag, ast.Constant) or flag.value is not True:
            return None
        symbol = project.resolve(call.func, scope)
        if symbol is None or symbol.instance or symbol.name != "asyncio.gather":
            return None
        awaited = self._waited_for(call, scope)
        unread = fate_of_results(awaited, scope) if awaited is not None else None
        if unread is None or is_cleanup(call, scope) or cancels_itself(call, scope, project):
            return None
        if are_done(call, scope, project) or are_of_others(call, scope, project):
            return None
        if are_called_back(call, scope, project):
            return None
        found = awaitables(call, scope, project)
        if all(a.call is not None and not project.guards.awaiting_raises_unseen(a.call, scope) for a in found):
            return None
        return unread

    def _waited_for(self, call: ast.Call, scope: Scope) -> ast.expr | None:
        """The expression whose value is the list of results; None where the gather is not waited for on the spot."""
        parents = scope.module.parents
        value: ast.expr = call
        while not is_awaited(scope.module, value):
            around = parents.get(value)
            if not isinstance(around, ast.Call) or value not in around.args[:1]:
                return None
            waiter = self.ctx.project.resolve(around.func, scope)
            if waiter is None or waiter.name not in _WAITERS:
                return None
            value = around
        awaited = parents[value]
        return awaited if isinstance(awaited, ast.expr) else None


def fate_of_results(results: ast.expr, scope: Scope) -> str | None:
    """What becomes of a list of results of which nobody reads any; None where somebody does, or may."""
    parents = scope.module.parents
    parent = parents.get(results)
    if isinstance(parent, ast.Expr):
        return "Nobody looks at the results"
    if isinstance(parent, (ast.Assign, ast.AnnAssign)) and parent.value is results:
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        names = [name for target in targets for name in _names(target)]
        if not names or None in names:
            return None
        return _fate_of_names([name for name in names if name is not None], scope)
    return "The results are only counted" if _only_counts(results, scope) else None


def _names(target: ast.expr) -> Iterator[str | None]:
    """The names that a target binds; None for anything else."""
    if isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _names(element.value if isinstance(element, ast.Starred) else element)
    else:
        yield target.id if isinstance(target, ast.Name) else None


def _fate_of_names(names: list[str], scope: Scope) -> str | None:
    if all(is_unused(name, scope) for name in names):
        return f"`{names[0]}` is never read" if len(names) == 1 else "None of these results is ever read"
    if not scope.is_function or set(names) & (scope.names.globals | scope.names.nonlocals):
        return None
    if any(len(scope.names.bindings.get(name, ())) != 1 for name in names):
        return None
    reads = [
        node
        for node in ast.walk(scope.node)
        if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load)
    ]
    shown = f"`{names[0]}`" if len(names) == 1 else "These results"
    is_or_are = "is" if len(names) == 1 else "are"
    return f"{shown} {is_or_are} only counted" if all(_only_counts(node, scope) for node in reads) else None


def _only_counts(node: ast.expr, scope: Scope) -> bool:
    """Whether all that happens to a list (or a value) here is a question for its length or truth."""
    parent = scope.module.parents.get(node)
    if isinstance(parent, ast.Call):
        called = parent.func.id if isinstance(parent.func, ast.Name) else ""
        if called == "filter":
            first = parent.args[0]
            return node in parent.args[1:] and isinstance(first, ast.Constant) and first.value is None
        return called in _COUNTERS and node in parent.args
    if isinstance(parent, (ast.For, ast.AsyncFor)) and parent.iter is node:
        return _only_tested(parent.target, [*parent.body, *parent.orelse], scope)
    if isinstance(parent, ast.comprehension) and parent.iter is node:
        around = scope.module.parents.get(parent)
        return isinstance(around, _COLLECTIONS) and _sorts_by_truth(around, parent, scope)
    return _is_tested(node, scope)


def _sorts_by_truth(
    made: ast.ListComp | ast.SetComp | ast.GeneratorExp, generator: ast.comprehension, scope: Scope
) -> bool:
    """``[r for r in results if r]``, ``sum(1 for r in results if r)``."""
    if not isinstance(generator.target, ast.Name) or len(made.generators) > 1:
        return False
    name = generator.target.id
    kept = isinstance(made.elt, ast.Name) and made.elt.id == name
    if not (kept and generator.ifs) and not isinstance(made.elt, ast.Constant):
        return False
    return all(
        _is_tested(node, scope) and not (kept and isinstance(scope.module.parents[node], ast.Compare))
        for test in generator.ifs
        for node in ast.walk(test)
        if isinstance(node, ast.Name) and node.id == name
    )


def _only_tested(target: ast.expr, body: list[ast.stmt], scope: Scope) -> bool:
    """Whether all that statements do with a name is to ask for its truth."""
    if not isinstance(target, ast.Name):
        return False
    reads = [
        node
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and node.id == target.id and isinstance(node.ctx, ast.Load)
    ]
    return all(_is_tested(node, scope) for node in reads)


def _is_tested(node: ast.expr, scope: Scope) -> bool:
    """Whether a value is a condition, or compared with None in one."""
    child: ast.AST = node
    parent = scope.module.parents.get(node)
    if isinstance(parent, ast.Compare) and len(parent.ops) == 1 and parent.left is node:
        other = parent.comparators[0]
        if not isinstance(parent.ops[0], (ast.Is, ast.IsNot)) or not isinstance(other, ast.Constant):
            return False
        child, parent = parent, scope.module.parents.get(parent)
    while isinstance(parent, (ast.BoolOp, ast.UnaryOp)):
        if isinstance(parent, ast.UnaryOp) and not isinstance(parent.op, ast.Not):
            return False
        child, parent = parent, scope.module.parents.get(parent)
    if isinstance(parent, ast.comprehension):
        return child in parent.ifs
    return isinstance(parent, (ast.If, ast.While, ast.IfExp)) and parent.test is child


def _place(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset
