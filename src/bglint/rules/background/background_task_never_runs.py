"""BGL103: a callable whose body never runs as a background task."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.background import function_behind
from bglint.index.facts import BindingKind, Scope, dotted_text
from bglint.index.guards import is_stub
from bglint.index.symbols import COROUTINE
from bglint.model import Applicability, Level
from bglint.rules.background._shared import REVEALED_BY_QUEUEING, HarmfulQueueingRule, is_plainly_decorated, queues
from bglint.rules.base import Candidate, Refused, Rewrite

if TYPE_CHECKING:
    from bglint.index.project import Project

# They start work on the loop of the thread they are called in: a background task's worker thread has none.
_LOOP_STARTERS = frozenset({"asyncio.create_task", "asyncio.ensure_future", "asyncio.gather"})


class BackgroundTaskNeverRuns(HarmfulQueueingRule):
    """A background task whose code never runs.

    ## What it does
    Reports `add_task(f, ...)` and `BackgroundTask(f, ...)` where calling `f` only makes something that nobody awaits
    or iterates over:

    - a lambda or a sync function that returns a coroutine: `lambda: send(1)` with an `async def send`
    - an `async def` behind a decorator whose wrapper is sync and returns the coroutine
    - a sync function that does nothing but call an `async def`
    - a generator function, sync or async
    - `asyncio.create_task` (or `ensure_future`, `gather`) with a coroutine

    ## Why is this bad?
    Starlette awaits what it knows to be async, which is an `async def` itself, a `partial` of one, or an instance with
    an async `__call__`. Everything else is called in a worker thread, and its result is dropped. A coroutine that is
    dropped **never runs**: at most there is a `RuntimeWarning: coroutine ... was never awaited` in the log. A generator
    that is dropped does not even warn. `asyncio.create_task` fails with `RuntimeError: no running event loop`, because
    that thread has none. The client gets its 200 in every case.

    ## Example
    ```python
    @app.post("/users")
    async def create(user: User, tasks: BackgroundTasks):
        tasks.add_task(lambda: send_welcome(user.email))
    ```

    ## Use instead
    ```python
    @app.post("/users")
    async def create(user: User, tasks: BackgroundTasks):
        tasks.add_task(send_welcome, user.email)
    ```

    A decorator for async functions needs an async wrapper: `async def wrapper(...): return await f(...)`.

    ## Fix safety
    For a lambda, the fix hands over the function and its arguments. It is safe where the arguments are literals, or
    the lambda's own parameters. It is unsafe otherwise, because they are now evaluated when the task is queued. No fix
    is offered for lambdas with default values, where a comment would get lost, and for anything but a lambda.

    ## References
    - [Starlette: Background Tasks](https://www.starlette.io/background/)
    - [Python: coroutines are awaited](https://docs.python.org/3/library/asyncio-task.html#coroutines)
    """

    code, name = "BGL103", "background-task-never-runs"
    level = Level.ERROR
    reveals = REVEALED_BY_QUEUEING

    def harm(self, call: ast.Call, scope: Scope) -> str | None:
        """Why what a call queues never runs."""
        project = self.ctx.project
        task = where.argument(call, 0, "func")
        if task is None or not queues(project, call, scope):
            return None
        symbol = project.resolve(task, scope)
        name = dotted_text(task.func if isinstance(task, ast.Call) else task) or "the callable"
        if symbol is not None and not symbol.instance and symbol.name in _LOOP_STARTERS:
            return (
                f"The task never runs: `{name}` is called in a worker thread, which has no event loop; "
                "queue the coroutine function itself"
            )
        if isinstance(task, ast.Call) and (wrapped := _wrapped(project, task, scope)) is not None:
            return (
                f"`{wrapped.name}` never runs: `{name}` wraps it in a sync function that returns the coroutine, and "
                "nobody awaits that; make the wrapper async"
            )
        function = function_behind(project, task, scope)
        return why_it_never_runs(project, function, name) if function is not None else None

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Hand over what the lambda calls."""
        call = candidate.site
        assert isinstance(call, ast.Call)
        task = where.argument(call, 0, "func")
        if not isinstance(task, ast.Lambda) or not isinstance(task.body, ast.Call):
            return Refused("only a lambda that calls a coroutine function can be taken apart")
        inner, parameters = task.body, task.args
        called = project.resolve(inner.func, candidate.scope.child(task))
        if called is None or called.function is None or called.function.yields:
            return Refused("queued by itself, it would not run either")
        names = [parameter.arg for parameter in (*parameters.posonlyargs, *parameters.args)]
        if parameters.defaults or parameters.kwonlyargs or parameters.vararg or parameters.kwarg:
            return Refused("the lambda has default values or other special parameters")
        given = [*inner.args, *inner.keywords]
        passes_on = [dotted_text(argument) for argument in inner.args] == names and not inner.keywords
        if names and not passes_on:
            return Refused("the lambda does more with its parameters than to hand them on")
        if not names and len(call.args) + len(call.keywords) > 1:
            return Refused("the task is given arguments that the lambda does not take")
        if any(keyword.arg == "func" for keyword in inner.keywords):
            return Refused("`func` is the name of an argument of add_task, too")
        if call.keywords and (given or names) and call.keywords[0].arg == "func":
            return Refused("the lambda is given as `func=`")
        if self.ctx.in_own_parentheses(candidate.node, task):
            return Refused("it stands in parentheses of its own")
        parts = [inner.func] if names else [inner.func, *given]
        text = ", ".join(self.ctx.text(part) for part in parts)  # type: ignore[arg-type]
        if self.ctx.text(task).count("#") != text.count("#"):
            return Refused("a comment in the lambda would be lost")
        literal = all(isinstance(getattr(a, "value", a), ast.Constant) or isinstance(a, ast.Constant) for a in given)
        safe = (names or literal) and isinstance(inner.func, ast.Name)
        applicability = Applicability.SAFE if safe else Applicability.UNSAFE
        return Rewrite(applicability, "Queue the coroutine function itself", (self.ctx.replace(task, text),))


def why_it_never_runs(project: Project, function: Scope, name: str) -> str | None:
    """The message for a queued function whose body, or the one it stands for, never runs; None where it does."""
    if is_stub(function):
        return None
    wrapper = _sync_wrapper(project, function)
    if wrapper is not None:
        return (
            f"`{name}` never runs: `{wrapper.parent.name if wrapper.parent else wrapper.name}` wraps it in a sync "
            "function that returns the coroutine, and nobody awaits that; make the wrapper async"
        )
    if not is_plainly_decorated(project, function):
        return None
    if function.yields:
        return f"`{name}` never runs: calling a generator function only makes a generator, which nobody iterates over"
    if function.is_async:
        return None
    made = _coroutine_made(project, function)
    if made is None:
        return None
    what = "the lambda" if isinstance(function.node, ast.Lambda) else f"`{name}`"
    if made.yields:
        return f"`{made.name}` never runs: {what} only makes a generator, which nobody iterates over"
    return (
        f"`{made.name}` never runs: {what} is sync and only makes its coroutine, which nobody awaits; "
        f"queue `{made.name}` itself"
    )


def _wrapped(project: Project, task: ast.Call, scope: Scope) -> Scope | None:
    """The ``async def`` that a call of a decorator hides behind a sync function."""
    symbol = project.resolve(task.func, scope)
    maker = symbol.function if symbol is not None else None
    given = project.resolve(task.args[0], scope) if task.args else None
    target = given.function if given is not None else None
    if maker is None or target is None or not target.is_async or target.yields:
        return None
    return target if _hollow(project, maker) is not None else None


def _coroutine_made(project: Project, function: Scope) -> Scope | None:
    """The ``async def`` (or generator function) that a sync function calls in vain: it returns the coroutine, or does
    nothing else at all.
    """
    if isinstance(function.node, ast.Lambda):
        return _made_by(project, function.node.body, function)
    values = [value for value in function.returns if value is not None]
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    if not values and len(body) == 1 and isinstance(body[0], ast.Expr):
        values = [body[0].value]
    found = [_made_by(project, value, function) for value in values]
    if not found or None in found:
        return None
    return found[0]


def _made_by(project: Project, value: ast.expr, function: Scope) -> Scope | None:
    """The ``async def`` or generator function whose call gives ``value``."""
    if isinstance(value, ast.Name):
        bindings = function.names.bindings.get(value.id, [])
        if len(bindings) != 1 or bindings[0].kind is not BindingKind.VALUE or bindings[0].value is None:
            return None
        symbol = project.resolve(value, function)
        if symbol is None or symbol.name != COROUTINE or not symbol.instance:
            return None
        value = bindings[0].value
    if not isinstance(value, ast.Call):
        return None
    called = project.resolve(value.func, function)
    target = called.function if called is not None else None
    if target is None or not (target.is_async or target.yields) or not is_plainly_decorated(project, target):
        return None
    return None if is_stub(target) else target


def _sync_wrapper(project: Project, function: Scope) -> Scope | None:
    """The sync function that a decorator of an ``async def`` puts in its place, if all it does is call it."""
    if not function.is_async or function.yields or len(function.decorators) != 1:
        return None
    decorator = function.decorators[0]
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    symbol = project.resolve(named, function.parent or function)
    maker = symbol.function if symbol is not None else None
    if maker is not None and isinstance(decorator, ast.Call):
        maker = _only_returned(project, maker)
    return _hollow(project, maker) if maker is not None else None


def _hollow(project: Project, maker: Scope) -> Scope | None:
    """The sync function that a decorator returns, if all that it returns is what calling its argument gives."""
    wrapper = _only_returned(project, maker)
    if wrapper is None or wrapper.is_async or wrapper.yields or wrapper.parent is not maker:
        return None
    parameter = maker.parameters[0].arg if maker.parameters else ""
    if len(maker.names.bindings.get(parameter, ())) != 1 or any(_awaits_elsewhere(call) for call in wrapper.calls):
        return None
    values = list(wrapper.returns)
    return wrapper if values and all(_calls(wrapper, value, parameter) for value in values) else None


def _only_returned(project: Project, maker: Scope) -> Scope | None:
    """The one function of its own that a function returns."""
    if maker.is_async or maker.yields or len(maker.returns) != 1 or not isinstance(maker.returns[0], ast.Name):
        return None
    symbol = project.resolve(maker.returns[0], maker)
    function = symbol.function if symbol is not None else None
    if function is None or any(not dotted_text(d.func).endswith("wraps") for d in _called(function)):
        return None
    return function if len(function.decorators) == len(list(_called(function))) else None


def _called(function: Scope) -> Iterator[ast.Call]:
    """The decorators that are written as calls."""
    return (d for d in function.decorators if isinstance(d, ast.Call))


def _calls(wrapper: Scope, value: ast.expr | None, parameter: str) -> bool:
    """Whether a returned value is what calling ``parameter`` gave."""
    if isinstance(value, ast.Name):
        bindings = wrapper.names.bindings.get(value.id, [])
        value = bindings[0].value if len(bindings) == 1 and bindings[0].kind is BindingKind.VALUE else None
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == parameter


def _awaits_elsewhere(call: ast.Call) -> bool:
    """Whether a wrapper may run the coroutine in some other way: ``asyncio.run``, ``inspect.isawaitable`` …"""
    written = dotted_text(call.func)
    return written.startswith(("anyio.", "asyncio.", "inspect.")) or written.rpartition(".")[2] in (
        "create_task", "ensure_future", "iscoroutine", "isawaitable", "run", "run_coroutine_threadsafe",
        "run_until_complete", "async_to_sync",
    )  # fmt: skip
