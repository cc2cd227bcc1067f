"""BGL201: ``gather`` whose siblings keep running after the first error."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.callers import with_aliases
from bglint.index.context import is_awaited, withs_around
from bglint.index.facts import dotted_text
from bglint.model import Applicability, Edit, Finding, Span
from bglint.rules.base import Candidate, Refused, Rewrite, Rule
from bglint.rules.context import names_visible
from bglint.rules.tasks._awaitables import Awaitable, are_done, are_shielded, at_least, awaitables
from bglint.rules.tasks._cancelling import cancels_itself

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

_GROUPS = frozenset(
    {
        "aiotools.TaskGroup", "anyio.TaskGroup", "anyio.abc.TaskGroup", "anyio.create_task_group()",
        "asyncio.TaskGroup", "quattro.TaskGroup", "taskgroup.TaskGroup", "trio.open_nursery()",
    }
)  # fmt: skip
_WAITERS = frozenset({"asyncio.shield", "asyncio.wait_for"})
_FIRST_WITH_GROUPS = (3, 11)


class GatherOutsideTaskGroup(Rule):
    """Report `gather` calls that leave the other awaitables running when one fails.

    ## What it does
    Reports `await asyncio.gather(...)` of two or more awaitables, without `return_exceptions=True` and outside a
    task group. It stays silent where no awaitable can fail, where the function cancels its tasks itself, and where
    each is shielded, and so meant to go on.

    ## Why is this bad?
    `gather` raises the first error as it is, at once, and does nothing about the others: they keep running, with
    nobody waiting for them. The request has failed, and the order is placed all the same. A second failure is
    reported nowhere. (A timeout or a cancellation from outside does cancel them.)

    ## Example
    ```python
    async def checkout(order: Order) -> Receipt:
        payment, place = await asyncio.gather(charge(order), reserve(order))
        return Receipt(payment, place)
    ```

    ## Use instead
    ```python
    async def checkout(order: Order) -> Receipt:
        async with asyncio.TaskGroup() as tg:
            payment = tg.create_task(charge(order))
            place = tg.create_task(reserve(order))
        return Receipt(payment.result(), place.result())
    ```

    Where every result counts for itself, `gather(..., return_exceptions=True)` waits for all of them; then look at
    each result.

    ## Fix safety
    Unsafe: the other awaitables are cancelled, which is the point, but code may have relied on their going on.

    With a target version of 3.11 or later the fix writes an `asyncio.TaskGroup`, which raises an `ExceptionGroup`:
    an `except ValueError` in a caller no longer matches. It does so only for calls of plain `async def` functions
    that raise no `HTTPException`, in no `try` that would notice the difference. Everywhere else it calls
    `_gather_or_cancel`, a small function that it adds to the module: it gives the same results, raises the same
    first error as it is, and has cancelled the others by then.

    ## References
    - [asyncio.gather](https://docs.python.org/3/library/asyncio-task.html#asyncio.gather)
    - [asyncio.TaskGroup](https://docs.python.org/3/library/asyncio-task.html#task-groups)
    """

    code, name = "BGL201", "gather-outside-task-group"
    triggers = frozenset({"gather"})
    needs = frozenset({"asyncio"})
    piece_needs = frozenset({"await"})

    def words(self, source: Source) -> frozenset[str]:
        """The triggers, and what this file calls them."""
        return with_aliases(self.triggers, source.data)

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call is an awaited gather that leaves others running."""
        return self._left_running(call, scope) is not None

    def visit_Call(self, node: cst.Call) -> None:
        """An awaited gather that leaves others running."""
        site = self.ctx.site(node)
        if not isinstance(site, ast.Call):
            return
        found = self._left_running(site, self.ctx.scope(site))
        if found is not None:
            self.ctx.candidate(node, site, awaitables=found)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it, with what may fail."""
        return self.finding(
            candidate,
            f"If {_what(candidate.data['awaitables'])} fails, gather raises at once and the rest keep running: "
            "nobody waits for them, and a second failure is reported nowhere",
        )

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """A TaskGroup where that is proven to be possible, else a helper that cancels the others."""
        from bglint.fix.helpers import GATHER_OR_CANCEL, helper
        from bglint.rules.tasks._task_group import task_group_form

        gather, scope = candidate.site, candidate.scope
        assert isinstance(gather, ast.Call)
        if self.ctx.settings.target_version >= _FIRST_WITH_GROUPS and is_awaited(self.ctx.module, gather):
            edits = task_group_form(self.ctx, gather, scope, project)
            if edits is not None:
                return Rewrite(Applicability.UNSAFE, "Run them in an asyncio.TaskGroup", edits)
        refused = _belongs_to_others(gather, candidate.data["awaitables"])
        if refused is not None:
            return Refused(refused)
        without_keyword = self._without_keyword(gather)
        if without_keyword is None:
            return Refused("a comment would be lost, or the keywords come before other arguments")
        plan = helper(self.ctx.module.tree, self.ctx.source.text, GATHER_OR_CANCEL, avoid=names_visible(scope))
        edits = (self.ctx.replace(gather.func, plan.name), *without_keyword, *plan.edits)
        return Rewrite(Applicability.UNSAFE, "Cancel the others when one fails", edits)

    # -- what is reported ----------------------------------------------------------------------------------------

    def _left_running(self, call: ast.Call, scope: Scope) -> list[Awaitable] | None:
        """What a gather waits for, where it is awaited and would leave some of it running; else None."""
        project = self.ctx.project
        if not self._is_waited_for(call, scope) or not _raises_first_error(call):
            return None
        symbol = project.resolve(call.func, scope)
        if symbol is None or symbol.instance or symbol.name != "asyncio.gather":
            return None
        found = awaitables(call, scope, project)
        if at_least(found) < 2 or self._in_group(call, scope) or cancels_itself(call, scope, project):
            return None
        if are_done(call, scope, project) or are_shielded(call, scope, project):
            return None
        if all(a.call is not None and not project.guards.awaiting_raises(a.call, scope) for a in found):
            return None
        return found

    def _is_waited_for(self, call: ast.Call, scope: Scope) -> bool:
        """``await gather(...)``, or ``await wait_for(gather(...), 5)``, which cancels on a timeout only."""
        value: ast.AST = call
        while not is_awaited(scope.module, value):
            around = scope.module.parents.get(value)
            if not isinstance(around, ast.Call) or value not in around.args[:1]:
                return False
            waiter = self.ctx.project.resolve(around.func, scope)
            if waiter is None or waiter.name not in _WAITERS:
                return False
            value = around
        return True

    def _in_group(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a task group is open around the call."""
        managers = [item.context_expr for w in withs_around(scope.module, call) for item in w.items]
        symbols = [self.ctx.project.resolve(manager, scope) for manager in managers]
        return any(symbol is not None and symbol.name in _GROUPS for symbol in symbols)

    # -- the helper form -----------------------------------------------------------------------------------------

    def _without_keyword(self, gather: ast.Call) -> tuple[Edit, ...] | None:
        """The edits that take ``return_exceptions=False`` away; None where something would be lost with it."""
        if not gather.keywords:
            return ()
        keyword = gather.keywords[0]
        previous = max(gather.args, key=lambda a: (a.lineno, a.col_offset))
        start, end = self.ctx.ast_span(previous).end, self.ctx.ast_span(keyword.value).end
        gap = self.ctx.text(Span(start, end))
        if len(gather.keywords) > 1 or (previous.lineno, previous.col_offset) > (keyword.lineno, keyword.col_offset):
            return None
        return (self.ctx.replace(Span(start, end), gap.rpartition(",")[0]),) if "#" not in gap else None


def _raises_first_error(call: ast.Call) -> bool:
    """Whether ``return_exceptions`` is surely off."""
    for keyword in call.keywords:
        if keyword.arg != "return_exceptions":
            return False
        if not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False):
            return False
    return True


def _belongs_to_others(gather: ast.Call, found: list[Awaitable]) -> str | None:
    """Why nobody but the function's author can say whether the awaitables may be cancelled."""
    names = [text for argument in gather.args if (text := dotted_text(argument))]
    if len(set(names)) < len(names):
        return "the same awaitable is given twice"
    if any(awaitable.call is None for awaitable in found):
        return "awaitables that come from elsewhere may be needed there, and must not be cancelled"
    return None


def _what(found: list[Awaitable]) -> str:
    """The awaitables as the message names them."""
    names = [f"`{dotted_text(a.call.func)}()`" if a.call and dotted_text(a.call.func) else "" for a in found]
    if len(found) == 1 and names[0]:
        return f"one of the {names[0]} calls"
    if any(awaitable.many for awaitable in found):
        return "one of these awaitables"
    if all(names) and len(set(names)) == len(names) <= 3:
        return f"{', '.join(names[:-1])} or {names[-1]}"
    return f"one of these {len(found)} awaitables"
