"""BGL111: a resource of the request, handed to work that outlives it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bglint.index.background import queues
from bglint.index.callers import last_name
from bglint.index.dependencies import Lease, closes, leases
from bglint.index.request_path import is_registrar, is_route
from bglint.model import Finding, Frame, Level
from bglint.rules.background._handing_over import STARTING, given_names, is_awaited_later, starts_work
from bglint.rules.background._request_body import body_reader
from bglint.rules.background._shared import QueueingRule, ends_dependencies_early, given_to_parameters, helpers_called
from bglint.rules.base import Candidate

if TYPE_CHECKING:
    from pathlib import Path

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

_UPLOADS = frozenset({"fastapi.UploadFile", "fastapi.datastructures.UploadFile", "starlette.datastructures.UploadFile"})
_REQUESTS = frozenset({"fastapi.Request", "fastapi.requests.Request", "starlette.requests.Request"})
_ROUTERS = frozenset({"Route", "add_api_route", "add_route"})
_DEPTH = 2


@dataclass(frozen=True, slots=True)
class _Escape:
    """What gets out: the endpoint's parameter, and the dependency that lends it (None for an upload).

    ``call`` is what lets it out, in the function ``scope``: the endpoint, or a helper of it. ``reader`` is the function
    that reads the body of a request, for a parameter that is one.
    """

    name: str
    lease: Lease | None
    call: ast.Call
    scope: Scope
    reader: Scope | None = None


class EscapingRequestResource(QueueingRule):
    """An upload or a dependency's value is handed to work that runs when it is closed.

    ## What it does
    Reports an `UploadFile`, or the value of a dependency with `yield`, that an endpoint hands to `create_task()`, a
    `Thread` or an executor without waiting for it, and to `add_task()`, where FastAPI closes it before the task runs
    (0.106 to 0.117, and `Depends(..., scope="function")`). In other versions a dependency's value that goes to
    `add_task()` is a warning. Handed over means: as an argument, in a list or dict, as a bound method, or by a lambda
    or nested function that uses it; by the endpoint itself, or by a helper that it gives the value to. Only values that
    the dependency closes after its `yield` count. Of the `Request` itself only the body is gone: it is reported where
    the task reads it (`body()`, `json()`, `form()`, `stream()`) and nothing has read it before.

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
    triggers = QueueingRule.triggers | STARTING
    needs = frozenset({"fastapi"})

    @classmethod
    def reaches(cls, path: Path, project: Project) -> bool:
        """Whether a file may have endpoints that hand such values to helpers."""
        data = project.callers.data(path)
        lends = b"UploadFile" in data or (b"Depends" in data and project.traits.has_yielding_dependencies)
        return lends and bool(helpers_called(project, path))

    def words(self, source: Source) -> frozenset[str]:
        """What starts work, what this file calls the two of background tasks, and helpers that may."""
        return super().words(source).union(self.triggers, helpers_called(self.ctx.project, source.path))

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
            providers = [*lease.way, lease.provider]
            chain = (
                Frame(candidate.scope.full_name, self.ctx.display_path, candidate.span.start.row),
                *(Frame(f.full_name, self.ctx.display(f.module), f.row) for f in providers),
            )
        helper = f"`{last_name(call.func)}()` hands {what} to " if escape.call is not call else ""
        if escape.reader is not None:
            message = (
                f"`{escape.reader.name}` reads the body of `{escape.name}` when the client has its response: that is a "
                "ClientDisconnect; read it first, and pass what it holds"
            )
            return self.finding(candidate, message)
        if not queues(project, escape.call, escape.scope):
            starter = f"`{last_name(escape.call.func)}()`"
            lets = f"{helper}{starter}, which lets it" if helper else f"{starter} lets {what}"
            message = f"{lets} outlive the request: it is closed when the response is sent"
            return self.finding(candidate, f"{message}; {_instead(escape)}", chain)
        if self._is_closed(escape):
            since = 'with `scope="function"`' if lease is not None and lease.ends_early else "(FastAPI 0.106 to 0.117)"
            closed = f"is closed before the background task runs {since}; {_instead(escape)}"
            message = f"{helper}a background task: it {closed}" if helper else f"{what} {closed}"
            return self.finding(candidate, message[0].upper() + message[1:], chain)
        given = f"{helper}a background task" if helper else f"The background task gets {what}"
        message = (
            f"{given}, which holds its connection for as long as the task runs (FastAPI up to 0.105 and since 0.118); "
            "let the task open its own"
        )
        return replace(self.finding(candidate, message, chain), level=Level.WARNING)

    def _is_closed(self, escape: _Escape) -> bool:
        """Whether FastAPI closes the value before background tasks run."""
        if escape.lease is not None and escape.lease.ends_early:
            return True
        return ends_dependencies_early(self.ctx.settings)

    # -- what is handed over -------------------------------------------------------------------------------------

    def _escape(self, call: ast.Call, scope: Scope) -> _Escape | None:
        """The first resource of the request that a call lets out, itself or in a helper."""
        if not scope.is_function:
            return None
        for name in sorted(given_names(call, scope) & {parameter.arg for parameter in scope.parameters}):
            lent = self._lent(name, scope) if self._may_be_lent(name, scope) else None
            way_out = self._way_out(call, name, scope) if lent is not None else None
            if lent is not None and way_out is not None:
                escape = self._let_out(name, lent, call, scope, *way_out)
                if escape is not None and self._is_endpoint(scope):
                    return escape
        return None

    def _may_be_lent(self, name: str, function: Scope) -> bool:
        """Whether a parameter is never anything else, and has a type or a default that says what it is."""
        parameter = next(p for p in function.parameters if p.arg == name)
        written = parameter.annotation is not None or name in function.defaults
        return written and len(function.names.bindings.get(name, ())) == 1

    def _is_endpoint(self, function: Scope) -> bool:
        """Whether a function is a route, by its decorators or by a call that adds it."""
        project = self.ctx.project
        if is_route(function, project):
            return True
        return any(
            is_registrar(symbol)
            for call, scope in project.request_path.handed_over(function)
            if last_name(call.func) in _ROUTERS and (symbol := project.resolve(call.func, scope)) is not None
        )

    def _way_out(self, call: ast.Call, name: str, scope: Scope, depth: int = 0) -> tuple[ast.Call, Scope] | None:
        """The call that hands the value of a name to work that nobody waits for, and the function that makes it."""
        project = self.ctx.project
        is_helper = last_name(call.func).encode() in project.traits.starting
        if not is_helper or last_name(call.func) in self.triggers:
            if queues(project, call, scope):
                return call, scope
            if starts_work(project, call, scope):
                return None if is_awaited_later(call, scope) else (call, scope)
        symbol = project.resolve(call.func, scope) if is_helper and depth < _DEPTH else None
        function = symbol.function if symbol is not None else None
        if function is None:
            return None
        for parameter, given in given_to_parameters(project, call, function):
            if not (isinstance(given, ast.Name) and given.id == name and len(function.names.bindings[parameter]) == 1):
                continue
            for inner in function.calls:
                if parameter in given_names(inner, function):
                    way_out = self._way_out(inner, parameter, function, depth + 1)
                    if way_out is not None:
                        return way_out
        return None

    def _lent(self, name: str, function: Scope) -> Lease | str | None:
        """What the request lends to a function as its parameter: by a dependency, or an upload, or itself."""
        project = self.ctx.project
        parameter = next(p for p in function.parameters if p.arg == name)
        symbol = project.resolver.parameter(parameter, function)
        kind = (symbol.item or symbol).name if symbol is not None else ""
        if kind in _UPLOADS or kind in _REQUESTS:
            return kind
        return next((x for x in leases(function, project) if x.parameter == name and closes(x.provider)), None)

    def _let_out(
        self, name: str, lent: Lease | str, call: ast.Call, function: Scope, starter: ast.Call, starting: Scope
    ) -> _Escape | None:
        """What a call lets out, if it is gone when what ``starter`` starts needs it."""
        project = self.ctx.project
        escape = _Escape(name, lent if isinstance(lent, Lease) else None, starter, starting)
        if lent in _UPLOADS:
            return escape if not queues(project, starter, starting) or self._is_closed(escape) else None
        if lent in _REQUESTS:
            reader = body_reader(project, call, name, function) if starter is call else None
            return replace(escape, reader=reader) if reader is not None else None
        return escape


def _instead(escape: _Escape) -> str:
    return "read it first, and pass the bytes" if escape.lease is None else "open another one where it is used"
