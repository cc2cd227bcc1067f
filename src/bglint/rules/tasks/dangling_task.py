"""BGL203: a task that nothing refers to."""

from __future__ import annotations

import ast
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bglint.index.callers import last_name, with_aliases
from bglint.index.context import hands_on
from bglint.index.fate import lost_as
from bglint.model import Applicability, Finding, Level
from bglint.rules.base import Candidate, Refused, Rewrite, Rule
from bglint.rules.context import names_visible
from bglint.rules.tasks._tasks import LOOPS, makes_task, work_of

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

# Methods of a task that give None: what they are called on is dropped all the same.
_CHAINED = frozenset({"add_done_callback", "set_name"})
# What calls a callback and throws its result away. Methods of a proven loop, functions, and methods that
# only event loops and futures have.
_LOOP_CALLERS = ("add_reader", "add_signal_handler", "add_writer", "call_at", "call_later", "call_soon")
_CALLERS = frozenset(
    {"atexit.register", "signal.signal", "threading.Thread", "threading.Timer"}
    | {f"{loop}.{method}" for loop in LOOPS for method in _LOOP_CALLERS}
)
_CALLING_METHODS = frozenset({"add_done_callback", "add_signal_handler", "call_soon_threadsafe"})


class _Kept(enum.Enum):
    """How little keeps the task."""

    DROPPED = enum.auto()
    CALLBACK = enum.auto()
    LOCAL = enum.auto()


@dataclass(frozen=True, slots=True)
class _Fate:
    """What becomes of a task that is not kept; ``local`` is the unused name it is bound to."""

    kept: _Kept
    local: str = ""


class DanglingTask(Rule):
    """Report tasks that nothing refers to while they run.

    ## What it does
    Reports `asyncio.create_task(...)`, `ensure_future(...)`, `loop.create_task(...)` and `asyncio.Task(...)` whose
    result is dropped, bound to `_` or to a local variable that is never read, or created in a lambda that is only
    called back.

    ## Why is this bad?
    The event loop holds its tasks weakly. A task that nobody references can be collected in the middle of its work:
    the rest never runs, and all that is left is `Task was destroyed but it is pending!` in the log. It happens when
    the garbage collector happens to run, so hardly ever in a test. When such a task fails, its error is logged
    only once the task is collected.

    ## Example
    ```python
    @app.post("/users")
    async def create_user(user: User) -> User:
        asyncio.create_task(send_welcome(user.email))
        return user
    ```

    ## Use instead
    ```python
    background_tasks: set[asyncio.Task[None]] = set()


    @app.post("/users")
    async def create_user(user: User) -> User:
        task = asyncio.create_task(send_welcome(user.email))
        background_tasks.add(task)
        task.add_done_callback(background_tasks.discard)
        return user
    ```

    ## Fix safety
    Safe. The fix keeps the task in a set of the module until it is done, and changes nothing else. What it makes of
    the example is the same as above, with the set behind a small function, `_keep_task`, that is added to the module
    once.

    ## References
    - [asyncio.create_task](https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task)
    - [asyncio.TaskGroup](https://docs.python.org/3/library/asyncio-task.html#asyncio.TaskGroup)
    """

    code, name, level = "BGL203", "dangling-task", Level.ERROR
    triggers = frozenset({"create_task", "ensure_future", "Task"})
    needs = frozenset({"create_task", "ensure_future", "asyncio"})

    def words(self, source: Source) -> frozenset[str]:
        """The triggers, and what this file calls them."""
        return with_aliases(self.triggers, source.data)

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call makes a task that nothing keeps."""
        return self._fate(call, scope) is not None and makes_task(self.ctx.project, call, scope)

    def visit_Call(self, node: cst.Call) -> None:
        """A call that makes a task which nothing keeps."""
        site = self.ctx.site(node)
        if not isinstance(site, ast.Call):
            return
        scope = self.ctx.scope(site)
        fate = self._fate(site, scope)
        if fate is not None and makes_task(self.ctx.project, site, scope):
            self.ctx.candidate(node, site, fate=fate)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it, with what runs in the task and how little keeps it."""
        what = work_of(candidate.site)
        fate: _Fate = candidate.data["fate"]
        if fate.kept is _Kept.LOCAL:
            why = f"Nothing but the unused `{fate.local}` refers to {what}: once this function has returned, it"
        elif fate.kept is _Kept.CALLBACK:
            why = f"Nothing refers to {what}, for what calls the lambda drops its result: it"
        else:
            why = f"Nothing refers to {what}: it"
        return self.finding(candidate, f"{why} can be garbage-collected before it ends, and never finish")

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Hand the task to a helper that keeps it until it is done."""
        from bglint.fix.helpers import BACKGROUND_TASKS_SET, helper

        module, scope = self.ctx.module, candidate.scope
        plan = helper(
            module.tree,
            self.ctx.source.text,
            BACKGROUND_TASKS_SET,
            avoid=names_visible(scope),
            before=None if scope.outermost_function.is_function else candidate.site.lineno,  # type: ignore[attr-defined]
        )
        span = self.ctx.span(candidate.node)
        site = (self.ctx.insert(span.start, f"{plan.name}("), self.ctx.insert(span.end, ")"))
        return Rewrite(Applicability.SAFE, "Keep the task until it is done", (*site, *plan.edits))

    # -- what makes a task, and what becomes of it ---------------------------------------------------------------

    def _fate(self, call: ast.Call, scope: Scope) -> _Fate | None:
        """How the value of ``call`` is lost; None where something keeps it, or may."""
        lost = lost_as(call, scope)
        if lost is not None:
            return _Fate(_Kept.LOCAL, lost) if lost else _Fate(_Kept.DROPPED)
        parents = scope.module.parents
        value: ast.AST = call
        parent = parents.get(value)
        if isinstance(parent, ast.Attribute) and parent.attr in _CHAINED:
            around = parents.get(parent)
            return _Fate(_Kept.DROPPED) if isinstance(around, ast.Call) and around.func is parent else None
        while parent is not None and hands_on(parent, value) and not isinstance(parent, ast.NamedExpr):
            value, parent = parent, parents.get(parent)
        if isinstance(parent, ast.Lambda) and value is parent.body:
            return _Fate(_Kept.CALLBACK) if self._is_called_back(parent, scope) else None
        return None

    def _is_called_back(self, callback: ast.Lambda, scope: Scope) -> bool:
        """Whether a lambda is handed to something that throws its result away."""
        parents = scope.module.parents
        around = parents.get(callback)
        if isinstance(around, ast.keyword):
            around = parents.get(around)
        if not isinstance(around, ast.Call) or around.func is callback:
            return False
        if last_name(around.func) in _CALLING_METHODS:
            return True
        caller = self.ctx.project.resolve(around.func, scope.parent or scope)
        return caller is not None and caller.name in _CALLERS
