"""BGL111: a resource of the request, handed to work that outlives it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.background import queues
from bglint.index.callers import last_name
from bglint.index.dependencies import Lease, closes, leases
from bglint.index.facts import BindingKind, dotted_text
from bglint.index.request_path import is_route
from bglint.model import Finding, Frame, Level
from bglint.rules.background._shared import QueueingRule, ends_dependencies_early
from bglint.rules.base import Candidate

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

_UPLOADS = frozenset({"fastapi.UploadFile", "fastapi.datastructures.UploadFile", "starlette.datastructures.UploadFile"})
# What of an upload is there without its file.
_PLAIN = frozenset({"content_type", "filename", "headers", "size"})
_EXECUTORS = tuple(f"concurrent.futures.{kind}.submit" for kind in ("ThreadPoolExecutor", "Executor"))
_LOOP = "asyncio.AbstractEventLoop"
# What starts work that nobody waits for, with the position of what it runs (or of the coroutine).
_STARTERS = {
    "asyncio.create_task": 0,
    "asyncio.ensure_future": 0,
    f"{_LOOP}.create_task": 0,
    f"{_LOOP}.run_in_executor": 1,
    "asyncio.run_coroutine_threadsafe": 0,
    "threading.Thread": -1,
    "threading.Timer": 1,
    **dict.fromkeys(_EXECUTORS, 0),
}
# Reads of a task's name that do not wait for it.
_NOT_WAITING = frozenset({"add", "append", "add_done_callback", "set_name", "start"})


@dataclass(frozen=True, slots=True)
class _Escape:
    """What gets out: the endpoint's parameter, and the dependency that lends it (None for an upload)."""

    name: str
    lease: Lease | None


class EscapingRequestResource(QueueingRule):
    """An upload or a dependency's value is handed to work that runs when it is closed.

    ## What it does
    Reports an `UploadFile`, or the value of a dependency with `yield`, that an endpoint hands to `create_task()`, a
    `Thread` or an executor without waiting for it, and to `add_task()`, where FastAPI closes it before the task runs
    (0.106 to 0.117, and `Depends(..., scope="function")`). In other versions a dependency's value that goes to
    `add_task()` is a warning. Handed over means: as an argument, in a list or dict, as a bound method, or by a lambda
    or nested function that uses it. Only values that the dependency closes after its `yield` count.

    ## Why is this bad?
    What belongs to the request ends with it. A task or thread that still uses it finds it **closed, on every version
    of FastAPI**: reading an upload raises `ValueError: I/O operation on closed file`. A closed SQLAlchemy session is
    worse: it silently opens a new transaction that nobody closes, and so leaks a connection. Background tasks had the
    same problem from FastAPI 0.106 to 0.117. Before and since, the value stays open for them, but **the connection is
    held for as long as the task runs**: a few slow tasks, and the pool is empty.

    ## Example
    ```python
    @app.post("/import")
    async def start(file: UploadFile, db: Session = Depends(get_db)):
        task = asyncio.create_task(load(file, db))  # both closed before it gets to them
        tasks.add(task)
        return {"status": "started"}
    ```

    ## Use instead
    Hand over what outlives the request, and open the rest where it is used:

    ```python
    @app.post("/import")
    async def start(file: UploadFile):
        content = await file.read()
        task = asyncio.create_task(load(content))  # opens its own session
        tasks.add(task)
        return {"status": "started"}
    ```

    ## Fix safety
    There is no automatic fix: the work has to open its own resources.

    ## References
    - [FastAPI: Dependencies with yield](https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/)
    - [FastAPI: Dependencies with yield and background tasks](https://fastapi.tiangolo.com/advanced/advanced-dependencies/)
    - [FastAPI: Request Files](https://fastapi.tiangolo.com/tutorial/request-files/)
    """

    code, name = "BGL111", "escaping-request-resource"
    level = Level.ERROR
    triggers = QueueingRule.triggers | {
        "Thread", "Timer", "create_task", "ensure_future", "run_coroutine_threadsafe", "run_in_executor", "submit",
    }  # fmt: skip
    needs = frozenset({"fastapi"})

    def words(self, source: Source) -> frozenset[str]:
        """The names of what starts work, and what this file calls the two of background tasks."""
        return super().words(source) | self.triggers

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call lets a resource of the request out."""
        return self._escape(call, scope) is not None

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it with what is handed over, and when it is closed."""
        call = candidate.site
        assert isinstance(call, ast.Call)
        escape = self._escape(call, candidate.scope)
        if escape is None:
            return None
        lease = escape.lease
        what = f"`{escape.name}` of `{lease.provider.name}`" if lease is not None else f"upload `{escape.name}`"
        chain: tuple[Frame, ...] = ()
        if lease is not None:
            given = [*lease.way, lease.provider]
            chain = (
                Frame(candidate.scope.full_name, self.ctx.display_path, candidate.span.start.row),
                *(Frame(f.full_name, self.ctx.display(f.module), f.row) for f in given),
            )
        starter = last_name(call.func)
        if not queues(project, call, candidate.scope):
            message = f"`{starter}()` lets {what} outlive the request: it is closed when the response is sent"
            return self.finding(candidate, f"{message}; {_instead(escape)}", chain)
        if self._is_closed(escape):
            since = 'with `scope="function"`' if lease is not None and lease.ends_early else "(FastAPI 0.106 to 0.117)"
            message = f"{what} is closed before the background task runs {since}; {_instead(escape)}"
            return self.finding(candidate, message[0].upper() + message[1:], chain)
        message = (
            f"The background task gets {what}, which holds its connection for as long as the task runs "
            "(FastAPI up to 0.105 and since 0.118); let the task open its own"
        )
        return replace(self.finding(candidate, message, chain), level=Level.WARNING)

    def _is_closed(self, escape: _Escape) -> bool:
        """Whether FastAPI closes the value before background tasks run."""
        if escape.lease is not None and escape.lease.ends_early:
            return True
        return ends_dependencies_early(self.ctx.settings)

    # -- what is handed over -------------------------------------------------------------------------------------

    def _escape(self, call: ast.Call, scope: Scope) -> _Escape | None:
        """The first resource of the request that a call lets out."""
        project = self.ctx.project
        if not scope.is_function or not scope.decorators:
            return None
        names = _given_names(call, scope) & {parameter.arg for parameter in scope.parameters}
        if not names or not is_route(scope, project):
            return None
        queued = queues(project, call, scope)
        if not queued and (not self._starts(call, scope) or _is_awaited_later(call, scope)):
            return None
        for name in sorted(names):
            escape = self._resource(name, scope)
            if escape is not None and (not queued or escape.lease is not None or self._is_closed(escape)):
                return escape
        return None

    def _starts(self, call: ast.Call, scope: Scope) -> bool:
        symbol = self.ctx.project.resolve(call.func, scope)
        return symbol is not None and not symbol.instance and symbol.name in _STARTERS

    def _resource(self, name: str, function: Scope) -> _Escape | None:
        """The resource that a parameter is, if it is one and never another value."""
        parameter = next((p for p in function.parameters if p.arg == name), None)
        if parameter is None or len(function.names.bindings.get(name, ())) != 1:
            return None
        symbol = self.ctx.project.resolver.parameter(parameter, function)
        if symbol is not None and (symbol.item or symbol).name in _UPLOADS:
            return _Escape(name, None)
        found = (lease for lease in leases(function, self.ctx.project) if lease.parameter == name)
        return next((_Escape(name, lease) for lease in found if closes(lease.provider)), None)


def _instead(escape: _Escape) -> str:
    return "read it first, and pass the bytes" if escape.lease is None else "open another one where it is used"


def _given_names(call: ast.Call, scope: Scope) -> frozenset[str]:
    """The names of the function that a call hands over, as values or inside what it runs."""
    found: set[str] = set()
    pending: list[ast.expr] = [*call.args, *(keyword.value for keyword in call.keywords)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
            found |= _read_by(node, scope)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr == "file" or _is_bound_method(node, call):
                found.add(node.value.id)
        elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            pending.extend(node.elts)
        elif isinstance(node, ast.Dict):
            pending.extend(node.values)
        elif isinstance(node, ast.Starred):
            pending.append(node.value)
        elif isinstance(node, ast.Lambda):
            found |= _used_in(node.body, {argument.arg for argument in node.args.args})
        elif isinstance(node, ast.Call) and (_runs(node, call) or last_name(node.func) == "partial"):
            pending.extend([*node.args, *(keyword.value for keyword in node.keywords)])
            if isinstance(node.func, (ast.Name, ast.Attribute)):
                pending.append(node.func)
    return frozenset(found)


def _is_bound_method(node: ast.Attribute, call: ast.Call) -> bool:
    """Whether ``x.method`` is what the call runs: its first argument, its target, or the coroutine function called."""
    handed = [*call.args[:2], *(k.value for k in call.keywords if k.arg in ("func", "target", "coro"))]
    return any(node is given or (isinstance(given, ast.Call) and given.func is node) for given in handed)


def _runs(node: ast.Call, call: ast.Call) -> bool:
    """Whether a call given to another makes the coroutine that it runs."""
    return last_name(call.func) in ("create_task", "ensure_future", "run_coroutine_threadsafe") and node in (
        *call.args[:1],
        *(k.value for k in call.keywords if k.arg == "coro"),
    )


def _read_by(node: ast.Name, scope: Scope) -> frozenset[str]:
    """What nested functions of ``scope``, called ``node``, use of it."""
    used: set[str] = set()
    for binding in scope.names.bindings.get(node.id, ()):
        if binding.kind is BindingKind.FUNCTION and binding.scope is not None:
            for statement in binding.scope.body:
                used |= _used_in(statement, set(binding.scope.names.bindings))
    return frozenset(used)


def _used_in(node: ast.AST, own: set[str]) -> set[str]:
    """The names that code uses for more than what is there without the resource."""
    plain = {
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and part.attr in _PLAIN and isinstance(part.value, ast.Name)
    }
    return {
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load) and part.id not in own and part not in plain
    }


# -- is it waited for ------------------------------------------------------------------------------------------------


def _is_awaited_later(call: ast.Call, scope: Scope) -> bool:
    """Whether the endpoint waits for what a call starts, or hands it on to whoever may."""
    module = scope.module
    if any(True for _ in _managers(call, scope)):
        return True
    value: ast.AST = call
    parent = module.parents.get(value)
    while parent is not None and where.hands_on(parent, value):
        value, parent = parent, module.parents.get(parent)
    if isinstance(parent, ast.Expr):
        return False
    if isinstance(parent, ast.Attribute):
        return parent.attr not in _NOT_WAITING
    if isinstance(parent, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        return any(not isinstance(target, ast.Name) or _waits_for(target.id, scope) for target in targets)
    if isinstance(parent, ast.Call) and value in parent.args and last_name(parent.func) in _NOT_WAITING:
        return _is_local_container(parent, scope)
    return True


def _managers(call: ast.Call, scope: Scope) -> Iterator[ast.expr]:
    """The ``with``s around a call that enter what it is called on: pools and task groups wait when they are left."""
    owner = dotted_text(call.func).rpartition(".")[0]
    for around in where.withs_around(scope.module, call):
        for item in around.items:
            if item.optional_vars is not None and dotted_text(item.optional_vars) == owner and owner:
                yield item.context_expr


def _waits_for(name: str, scope: Scope) -> bool:
    """Whether a local name is used for more than keeping a task alive."""
    parents = scope.module.parents
    for node in ast.walk(scope.node):
        if not (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)):
            continue
        parent = parents.get(node)
        if isinstance(parent, ast.Attribute) and parent.attr in (*_NOT_WAITING, "daemon"):
            continue
        if isinstance(parent, ast.Call) and node in parent.args and last_name(parent.func) in _NOT_WAITING:
            if not _is_local_container(parent, scope):
                continue
        return True
    return False


def _is_local_container(adding: ast.Call, scope: Scope) -> bool:
    """Whether a call adds to a container of this very function, which may wait for all in it."""
    func = adding.func
    return (
        isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id in scope.names.bindings
    )
