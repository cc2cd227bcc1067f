"""Which functions run for a web request: routes, dependencies, middleware, handlers, lifespan, background work, and
what they call. Answered backwards from one function, over its callers, and remembered.
"""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bglint.index.background import QueuedWork
from bglint.index.callers import calls_in, mentions_in
from bglint.index.facts import Scope
from bglint.index.places import Owner, Place
from bglint.index.symbols import PARTIAL, Symbol

if TYPE_CHECKING:
    from bglint.index.project import Project

_APPS = (
    "fastapi.FastAPI", "fastapi.APIRouter", "starlette.applications.Starlette", "starlette.routing.Router",
)  # fmt: skip
_ROUTE_DECORATORS = frozenset(
    {
        "api_route", "delete", "exception_handler", "get", "head", "middleware", "on_event", "options", "patch",
        "post", "put", "route", "trace", "websocket", "websocket_route",
    }
)  # fmt: skip
# Calls that make every function they are given part of the request path.
_REGISTRARS = frozenset(
    {
        *_APPS, "fastapi.Depends", "fastapi.Security", "starlette.background.BackgroundTask",
        "starlette.background.BackgroundTasks.add_task", "starlette.middleware.Middleware",
        "starlette.routing.Route", "starlette.routing.WebSocketRoute",
    }
)  # fmt: skip
_REGISTERING = frozenset(
    {
        "add_api_route", "add_api_websocket_route", "add_event_handler", "add_exception_handler", "add_middleware",
        "add_route", "add_websocket_route",
    }
)  # fmt: skip
_HANDLER_CLASSES = frozenset(
    {
        "starlette.middleware.base.BaseHTTPMiddleware", "starlette.endpoints.HTTPEndpoint",
        "starlette.endpoints.WebSocketEndpoint", "fastapi.middleware.base.BaseHTTPMiddleware",
    }
)  # fmt: skip
_HANDLER_METHODS = frozenset(
    {"dispatch", "get", "post", "put", "patch", "delete", "on_connect", "on_receive", "on_disconnect"}
)
_MADE_BY_CLASS = frozenset({"__init__", "__call__", "__post_init__", "__new__"})
# The calls that hand a function over by themselves.
_HANDING_OVER = frozenset(
    {"BackgroundTask", "Depends", "Route", "Security", "add_api_route", "add_route", "add_task"}
)  # fmt: skip
_HANDED = re.compile(rb"\b(?:" + "|".join(sorted(_HANDING_OVER)).encode() + rb")\s*\(")
_HANDING_WORDS = [word.encode() for word in sorted(_HANDING_OVER)]
_MOST_BYTES = 400
_MOST_FUNCTIONS = 300
_MOST_MENTIONS = 3_000
# A name in more files than this (`get`, `run`) would cost more than its answer is worth.
_MOST_FILES = 150


class RequestPath:
    """Answers for one project; remembers its answers, also when modules are dropped."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[Place, bool] = {}

    def forget_scopes(self) -> None:
        """Drop what refers to modules, and to the files that are looked at."""
        for name in ("queued", "_handed_words"):
            self.__dict__.pop(name, None)

    @cached_property
    def queued(self) -> QueuedWork:
        """What runs in background tasks."""
        return QueuedWork(self.project)

    def includes(self, function: Scope) -> bool:
        """Whether a function is proven to run for requests. Unknown callers, and too many of them, prove nothing."""
        place = function.place
        if place not in self._known:
            with self.project.digression():
                self._search(place)
        return self._known[place]

    def _search(self, start: Place) -> None:
        """Go to the callers until one is registered with an application, or known."""
        reached_from: dict[Place, Place | None] = {start: None}
        queue = deque([start])
        mentions = 0
        while queue and len(reached_from) < _MOST_FUNCTIONS and mentions < _MOST_MENTIONS:
            place = queue.popleft()
            if self._known.get(place, False):
                self._note(place, reached_from)
                return
            if place in self._known:
                continue
            for caller in self._places_of_callers(place):
                mentions += 1
                if caller is None:
                    self._note(place, reached_from)
                    return
                if caller not in reached_from:
                    reached_from[caller] = place
                    queue.append(caller)
        # Everything that was seen is called by nothing else than what was seen; after giving up only the start is.
        for function in [start] if queue else reached_from:
            self._known.setdefault(function, False)

    def _places_of_callers(self, place: Place) -> Iterator[Place | None]:
        """Where the functions stand that call one or hand it on; None where an application runs it."""
        function = self.project.function_at(place)
        if function is None:
            return
        if is_route(function, self.project):
            yield None
        for caller in self._callers(function):
            yield caller.place if caller is not None else None

    def _note(self, function: Place | None, reached_from: dict[Place, Place | None]) -> None:
        while function is not None:
            self._known[function] = True
            function = reached_from[function]

    def _callers(self, function: Scope) -> Iterator[Scope | None]:
        """The functions that call ``function`` or hand it on; None where it is handed to an application."""
        outer = function.parent
        if outer is not None and outer.is_function:
            yield outer  # what a function defines it also runs, as far as one can tell
        for call, scope, is_call in self.references(function, _MOST_FILES):
            if not is_call and is_registrar(self.project.resolve(call.func, scope)):
                yield None
            yield from _function_at(scope)

    def handed_over(self, function: Scope) -> Iterator[tuple[ast.Call, Scope]]:
        """The calls that hand a function to FastAPI or Starlette (``Depends``, ``add_task`` …), each with its scope."""
        made = function.name == "__call__"
        near = self.project.callers.reaching(function.module.path) if made else ()
        for name in self._written_as(function, near):
            for path in sorted(self._handed_words.get(name, ())):
                module = self.project.module_at(path)
                for call, scope in calls_in(module, _HANDING_OVER) if module is not None else ():
                    if any(self._is(given, scope, function, name) for given in _handed_over(call)):
                        yield call, scope

    @cached_property
    def _handed_words(self) -> dict[str, set[Path]]:
        """The words that stand behind the opening parenthesis of such a call, and the files where they do."""
        found: dict[str, set[Path]] = {}
        for path in self.project.callers.near(self.project.callers.files_with(*_HANDING_WORDS)):
            data = self.project.callers.data(path)
            for match in _HANDED.finditer(data):
                for word in re.findall(rb"\w+", data[match.end() : match.end() + _MOST_BYTES]):
                    found.setdefault(word.decode("utf-8", "replace"), set()).add(path)
        return found

    def references(self, function: Scope, most_files: int | None = None) -> Iterator[tuple[ast.Call, Scope, bool]]:
        """The calls of a function (True), and those that are given it (False), each with the scope it is made in.

        Under a name that more than ``most_files`` may mean it by, it is not looked for.
        """
        callers = self.project.callers
        is_method = function.owner is not None and function.name not in _MADE_BY_CLASS
        home = function.module.path
        files = callers.holding(Owner.of(function.owner)) if is_method else callers.reaching(home)  # type: ignore[arg-type]
        for name in self._written_as(function, files):
            # An alias stands where it is given, and imports then name the original.
            sure = is_method or name != function.name
            mentioning = sorted(files & callers.mentioning(name), key=str)
            near = [file for file in mentioning if sure or callers.can_name(file, name, home)]
            for file in near if most_files is None or len(near) <= most_files else ():
                self.project.trim()  # of the function itself, what is asked for is known without its module
                module = self.project.module_at(file)
                for call, scope in mentions_in(module, name) if module is not None else ():
                    if self._is(call.func, scope, function, name):
                        yield call, scope, True
                    elif any(self._is(given, scope, function, name) for given in _handed_over(call)):
                        yield call, scope, False

    def _written_as(self, function: Scope, files: Iterable[Path]) -> list[str]:
        """What a call of the function, or a reference to it, looks like: its name, aliases, its class's instances."""
        callers = self.project.callers
        owner = function.owner
        if owner is None or function.name not in _MADE_BY_CLASS:
            return sorted({function.name, *callers.aliases(function.name)}) if function.name.isidentifier() else []
        names = {owner.name, *callers.aliases(owner.name)}
        if function.name == "__call__":
            made = re.compile(rf"\b(\w+)\s*=\s*(?:\w+\.)*{re.escape(owner.name)}\(".encode())
            names.update(name.decode("utf-8", "replace") for file in files for name in made.findall(callers.data(file)))
        return sorted(names)

    def _is(self, node: ast.expr, scope: Scope, function: Scope, name: str) -> bool:
        """Whether an expression is the function (or its class, where that is how one gets at it)."""
        if not isinstance(node, (ast.Name, ast.Attribute, ast.Call)):
            return False
        if isinstance(node, (ast.Name, ast.Attribute)) and getattr(node, "attr", getattr(node, "id", "")) != name:
            return False
        symbol = self.project.resolve(node, scope)
        if symbol is not None and symbol.name == PARTIAL and symbol.instance:
            symbol = symbol.item
        if symbol is None:
            return False
        if function.name in _MADE_BY_CLASS and symbol.class_ is not None:
            return function.owner is not None and Owner.of(symbol.class_) == Owner.of(function.owner)
        return symbol.function is not None and symbol.function.place == function.place


def registrations(function: Scope, project: Project) -> Iterator[Symbol]:
    """The decorators of a function that register it with an application or router: ``fastapi.FastAPI.get``."""
    outer = function.parent or function
    for decorator in function.decorators:
        symbol = project.resolve(decorator.func if isinstance(decorator, ast.Call) else decorator, outer)
        if symbol is not None and symbol.last in _ROUTE_DECORATORS and _is_of_app(symbol):
            yield symbol


def is_route(function: Scope, project: Project) -> bool:
    """Whether a function's own decorators, or its class, make it an entry point of an application."""
    if any(True for _ in registrations(function, project)):
        return True
    owner = function.owner
    if owner is None or function.name not in _HANDLER_METHODS:
        return False
    return any(base.name in _HANDLER_CLASSES for base in project.resolver.mro(owner))


def is_registrar(symbol: Symbol | None) -> bool:
    """Whether calling a symbol makes an application run the functions that it is given."""
    if symbol is None:
        return False
    return symbol.name in _REGISTRARS or (symbol.last in _REGISTERING and _is_of_app(symbol))


def _is_of_app(symbol: Symbol) -> bool:
    return symbol.name.startswith(tuple(f"{app}." for app in _APPS))


def _function_at(scope: Scope) -> Iterator[Scope]:
    """The function that runs code of a scope; none for module and class bodies."""
    if scope.is_function:
        yield scope


def _handed_over(call: ast.Call) -> Iterator[ast.expr]:
    """The expressions a call is given, those inside lists, dicts and tuples too, and what a coroutine is made of."""
    pending: list[ast.expr] = [*call.args, *(keyword.value for keyword in call.keywords)]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            pending.extend(node.elts)
        elif isinstance(node, ast.Dict):
            pending.extend(node.values)
        elif isinstance(node, ast.Starred):
            pending.append(node.value)
        else:
            yield node
