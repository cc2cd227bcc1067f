"""BGL106: background tasks that belong to no response."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.background import TASK, TASKS, queues
from bglint.index.facts import BindingKind, Scope, dotted_text
from bglint.index.request_path import is_route, registrations
from bglint.model import Applicability, Edit, Finding, Level, Location, Span
from bglint.rules.background._shared import REVEALED_BY_QUEUEING
from bglint.rules.base import CallRule, Candidate, Refused, Rewrite

if TYPE_CHECKING:
    from bglint.index.project import Project
    from bglint.source import Source

_IMPORTED_AS = re.compile(r"BackgroundTasks?[ \t]+as[ \t]+(\w+)")
_METHODS = frozenset({"api_route", "delete", "get", "head", "options", "patch", "post", "put", "trace"})


@dataclass(frozen=True, slots=True)
class _Detached:
    """What is wrong with a call, and the name that a ``BackgroundTasks()`` is bound to where the fix is for it."""

    message: str
    name: str = ""


class DetachedBackgroundTasks(CallRule):
    """Background tasks are queued on an object that no response knows.

    ## What it does
    Reports

    - a local `BackgroundTasks()` on which tasks are queued, and that is never awaited, returned, stored, passed on or
      given to a response as `background=`
    - `background=tasks.add_task(...)`: `add_task` returns `None`
    - a `BackgroundTask(...)` that is not used
    - a `BackgroundTasks()` that only serves to call another endpoint function, which queues tasks on it

    ## Why is this bad?
    Only two things run background tasks: FastAPI, for the `BackgroundTasks` **parameter** of an endpoint or dependency,
    and Starlette, for the `background` of the response. On an object made by hand and attached to nothing, tasks
    **never run**, and nothing is logged.

    ## Example
    ```python
    @app.post("/users")
    def create(user: User):
        tasks = BackgroundTasks()
        tasks.add_task(send_welcome, user.email)
        return {"email": user.email}
    ```

    ## Use instead
    ```python
    @app.post("/users")
    def create(user: User, tasks: BackgroundTasks):
        tasks.add_task(send_welcome, user.email)
        return {"email": user.email}
    ```

    Where you return a response of your own, `JSONResponse({...}, background=tasks)` works as well.

    ## Fix safety
    The fix makes the object a parameter of the FastAPI endpoint around it. It is unsafe: the tasks run now. No fix is
    offered outside of endpoints, where the project itself calls the endpoint, where the class is imported inside of
    the function, and for the other cases above.

    ## References
    - [FastAPI: Background Tasks](https://fastapi.tiangolo.com/tutorial/background-tasks/)
    - [Starlette: Background Tasks](https://www.starlette.io/background/)
    """

    code, name = "BGL106", "detached-background-tasks"
    level = Level.ERROR
    triggers = frozenset({"BackgroundTask", "BackgroundTasks", "add_task"})
    needs = frozenset({"BackgroundTask"})
    reveals = REVEALED_BY_QUEUEING

    def words(self, source: Source) -> frozenset[str]:
        """The classes' names, and what this file calls them."""
        return self.triggers.union(_IMPORTED_AS.findall(source.text))

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call makes, or queues on, tasks that belong to no response."""
        return self._detached(call, scope) is not None

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it, and what becomes of the tasks."""
        assert isinstance(candidate.site, ast.Call)
        found = self._detached(candidate.site, candidate.scope)
        return self.finding(candidate, found.message) if found is not None else None

    def _detached(self, call: ast.Call, scope: Scope) -> _Detached | None:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_task":
            return self._returns_nothing(call, scope)
        symbol = self.ctx.project.resolve(call.func, scope)
        if symbol is None or symbol.instance:
            return None
        if symbol.name == TASKS:
            return self._tasks(call, scope)
        return self._task(call, scope) if symbol.name == TASK else None

    def _returns_nothing(self, call: ast.Call, scope: Scope) -> _Detached | None:
        """``background=tasks.add_task(...)``."""
        parent = scope.module.parents.get(call)
        if not isinstance(parent, ast.keyword) or parent.arg != "background":
            return None
        if not queues(self.ctx.project, call, scope):
            return None
        assert isinstance(call.func, ast.Attribute)
        receiver = dotted_text(call.func.value) or "the BackgroundTasks object"
        return _Detached(
            f"`add_task()` returns None, so this response gets no background tasks; "
            f"call it before, and pass `background={receiver if receiver.isidentifier() else 'tasks'}`"
        )

    def _task(self, call: ast.Call, scope: Scope) -> _Detached | None:
        """A ``BackgroundTask(...)`` that nobody uses."""
        if not where.is_dropped(scope.module, call) and self._unused_name(call, scope) is None:
            return None
        return _Detached("This BackgroundTask never runs: it is not given to a response; pass it as `background=`")

    def _unused_name(self, call: ast.Call, scope: Scope) -> str | None:
        name = _bound_name(call, scope)
        return name if name is not None and not _reads(scope, name) else None

    def _tasks(self, call: ast.Call, scope: Scope) -> _Detached | None:
        """A ``BackgroundTasks()`` whose tasks nobody runs."""
        module = scope.module
        parent = module.parents.get(call)
        if isinstance(parent, ast.Attribute):
            add = module.parents.get(parent)
            dropped = isinstance(add, ast.Call) and add.func is parent and where.is_dropped(module, add)
            return _Detached(_NEVER) if dropped and parent.attr == "add_task" else None
        if self._is_thrown_away(parent, call, scope):
            return _Detached(_THROWN_AWAY)
        name = _bound_name(call, scope)
        if name is None:
            return None
        used = False
        thrown = False
        for node in _reads(scope, name):
            use = module.parents.get(node)
            if isinstance(use, ast.Attribute) and use.attr == "add_task":
                add = module.parents.get(use)
                if not isinstance(add, ast.Call) or add.func is not use:
                    return None
                holder = module.parents.get(add)
                if isinstance(holder, ast.keyword) and holder.arg == "background":
                    return None  # reported there
                used = True
            elif self._is_thrown_away(use, node, scope):
                thrown = True
            else:
                return None
        if thrown:
            return _Detached(_THROWN_AWAY)
        return _Detached(_NEVER, name) if used or call.args or call.keywords else None

    def _is_thrown_away(self, parent: ast.AST | None, node: ast.expr, scope: Scope) -> bool:
        """Whether an object is an argument of an endpoint function that only queues tasks on it."""
        module = scope.module
        keyword = parent.arg if isinstance(parent, ast.keyword) else None
        holder = module.parents.get(parent) if isinstance(parent, ast.keyword) else parent
        if not isinstance(holder, ast.Call) or holder.func is node:
            return False
        symbol = self.ctx.project.resolve(holder.func, scope)
        function = symbol.function if symbol is not None else None
        if function is None or not is_route(function, self.ctx.project) or where.has_star(holder):
            return False
        if keyword is None:
            position = holder.args.index(node) + (function.owner is not None)
            names = [p.arg for p in function.parameters]
            keyword = names[position] if position < len(names) else ""
        function.module.link(function)
        reads = _reads(function, keyword) if keyword else []
        parents = [function.module.parents.get(read) for read in reads]
        return bool(parents) and all(isinstance(p, ast.Attribute) and p.attr == "add_task" for p in parents)

    # -- the parameter -------------------------------------------------------------------------------------------

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Make the object a parameter of the endpoint."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        found = self._detached(call, scope)
        if found is None or not found.name:
            return Refused("only an object that an endpoint makes for itself can become its parameter")
        statement = scope.module.parents.get(call)
        reason = self._obstacle(call, statement, scope)
        if reason is not None:
            return Refused(reason)
        assert isinstance(statement, ast.Assign)
        written = f"{found.name}: {self.ctx.text(call.func)}"
        place = self._parameter_edit(scope, written)
        if place is None:
            return Refused("the parameter list leaves no place for another one")
        edits = (place, self.ctx.replace(self._whole_rows(statement), ""))
        return Rewrite(Applicability.UNSAFE, f"Take `{found.name}` as a parameter", edits)

    def _obstacle(self, call: ast.Call, statement: ast.AST | None, scope: Scope) -> str | None:
        """Why the object cannot become a parameter."""
        project = self.ctx.project
        ours = [s for s in registrations(scope, project) if s.name.startswith("fastapi.") and s.last in _METHODS]
        if not ours or scope.owner is not None or len(ours) != len(scope.decorators):
            return "the function around it is not just a FastAPI endpoint"
        if not isinstance(statement, ast.Assign) or statement not in scope.body or len(scope.body) < 2:
            return "it is not made by a statement of its own at the top of the endpoint"
        if call.args or call.keywords:
            return "it starts with tasks"
        root = dotted_text(call.func).partition(".")[0]
        if root in scope.names.bindings:
            return "the class is imported inside the function"
        if any(k.arg == "background" for c in scope.calls for k in c.keywords):
            return "a response here has other background tasks"
        row = self.ctx.source.lines[statement.lineno - 1]
        last = self.ctx.source.lines[(statement.end_lineno or statement.lineno) - 1]
        end = self.ctx.ast_span(statement).end
        if row[: self.ctx.ast_span(statement).start.column - 1].strip() or last[end.column - 1 :].strip():
            return "the statement shares its row with something else"
        if any(is_call for _, _, is_call in project.request_path.references(scope)):
            return "the project calls the endpoint itself"
        return None

    def _parameter_edit(self, scope: Scope, written: str) -> Edit | None:
        """The edit that adds a parameter: behind the last one that has no default, or between the parentheses."""
        node = scope.node
        assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        arguments = node.args
        if arguments.posonlyargs or arguments.vararg is not None or getattr(node, "type_params", None):
            return None
        plain = arguments.args[: len(arguments.args) - len(arguments.defaults)]
        if plain:
            at = self._end_of(plain[-1])
            return self.ctx.insert(at, f", {written}")
        others = [*arguments.args, *arguments.kwonlyargs]
        if others and not arguments.args:
            return None
        if others:
            start = self.ctx.ast_span(others[0]).start  # type: ignore[arg-type]
            return self.ctx.insert(start, f"{written}, ")
        if arguments.kwarg is not None:
            return None
        row = self.ctx.source.lines[node.lineno - 1]
        at_name = row.find(f"{node.name}(", 0)
        if at_name < 0 or not row[at_name + len(node.name) + 1 :].startswith(")"):
            return None
        return self.ctx.insert(Location(node.lineno, at_name + len(node.name) + 2), written)

    def _end_of(self, parameter: ast.arg) -> Location:
        return self.ctx.ast_span(parameter).end  # type: ignore[arg-type]

    def _whole_rows(self, statement: ast.Assign) -> Span:
        """A statement with the end of its row."""
        return Span(Location(statement.lineno, 1), Location((statement.end_lineno or statement.lineno) + 1, 1))


_NEVER = (
    "Tasks on this BackgroundTasks object never run: it belongs to no response; "
    "take it as a parameter of the endpoint, or pass it as `background=`"
)
_THROWN_AWAY = (
    "Tasks that the endpoint function queues on this BackgroundTasks object never run: it belongs to no response; "
    "pass on the one that is injected into your own endpoint"
)


def _bound_name(call: ast.Call, scope: Scope) -> str | None:
    """The local name that only ever holds what such calls make; None where there is none."""
    parent = scope.module.parents.get(call)
    target = parent.targets[0] if isinstance(parent, ast.Assign) and len(parent.targets) == 1 else None
    target = parent.target if isinstance(parent, ast.AnnAssign) else target
    if not isinstance(target, ast.Name) or not scope.is_function:
        return None
    names = scope.names
    if target.id in names.globals or target.id in names.nonlocals or len(names.bindings.get(target.id, ())) != 1:
        return None
    return target.id if names.bindings[target.id][0].kind is BindingKind.VALUE else None


def _reads(scope: Scope, name: str) -> list[ast.Name]:
    """Where a function, or one inside it, reads a name."""
    return [
        node
        for node in ast.walk(scope.node)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]
