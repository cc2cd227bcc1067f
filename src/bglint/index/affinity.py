"""Affinity: what binds functions to the thread they run in, so that they cannot be moved to another one."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from bglint.index.callers import last_name
from bglint.index.facts import Scope, dotted_text
from bglint.index.places import Place
from bglint.index.symbols import Symbol

if TYPE_CHECKING:
    from bglint.index.project import Project

# As the resolver names them, and as people do.
_THREAD_BOUND = {
    "threading.local": "threading.local",
    "threading.local()": "threading.local",
    "sqlite3.Connection": "sqlite3.Connection",
    "sqlite3.Cursor": "sqlite3.Cursor",
    "sqlite3.connect()": "sqlite3.Connection",
}
_LOOP_ONLY = frozenset({"create_task", "ensure_future", "get_event_loop", "get_running_loop"})


class Affinity:
    """Answers for one project; remembers its answers when modules are dropped."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._reasons: dict[Place, str | None] = {}
        self._members: dict[Place, list[Place]] = {}

    def why_bound(self, functions: Iterable[Place]) -> str | None:
        """Why functions cannot run in another thread, as far as that is proven; None where nothing shows it.

        What they use of their own objects counts, too.
        """
        for place in self._with_own_members(functions):
            if place not in self._reasons:
                function = self.project.function_at(place)
                self._reasons[place] = self._reason(function) if function is not None else None
            if self._reasons[place] is not None:
                return self._reasons[place]
        return None

    def _with_own_members(self, functions: Iterable[Place]) -> Iterator[Place]:
        """The functions, and the methods and properties of their own objects that they use, however indirectly."""
        seen: set[Place] = set()
        pending = deque(functions)
        while pending:
            place = pending.popleft()
            if place not in seen:
                seen.add(place)
                yield place
                if place not in self._members:
                    function = self.project.function_at(place)
                    members = self._own_members(function) if function is not None else ()
                    self._members[place] = [member.place for member in members]
                pending += self._members[place]

    def _own_members(self, function: Scope) -> Iterator[Scope]:
        owner, receiver = function.owner, _receiver(function)
        if owner is None or receiver is None:
            return
        own = Symbol(owner.full_name, instance=True, scope=owner)
        used = {
            (node.attr, isinstance(node.ctx, ast.Store)): None  # each once, the nearest first
            for node in ast.walk(function.node)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == receiver
        }
        resolver = self.project.resolver
        for name, is_store in used:
            member = resolver.class_member(own, name)
            run = member.function if member is not None else None
            run = run or resolver.accessor(own, name, is_store)
            if run is not None:
                yield run

    def _reason(self, function: Scope) -> str | None:
        for call in function.calls:
            name = last_name(call.func)
            if name in _LOOP_ONLY:
                return f"`{function.name}` calls `{name}`, which needs the event loop's own thread"
            if name == "set" and isinstance(call.func, ast.Attribute):
                variable = self.project.resolve(call.func.value, function)
                if variable is not None and variable.name == "contextvars.ContextVar":
                    return f"`{function.name}` sets a context variable, which a thread cannot hand back"
        for name, node in _outer_names(function).items():
            known = self.project.resolve(node, function)
            kind = _thread_bound(known) if known is not None else None
            if kind is not None:
                return f"`{function.name}` uses `{name}`, a {kind} that belongs to its thread"
        return None


def _outer_names(function: Scope) -> dict[str, ast.expr]:
    """What a function uses that it does not bind itself, by its text: names, and attributes of its own object."""
    found: dict[str, ast.expr] = {}
    receiver = _receiver(function) if function.owner is not None else None
    for node in ast.walk(function.node):
        if isinstance(node, (ast.Name, ast.Attribute)) and (name := dotted_text(node)) and name not in found:
            root, _, rest = name.partition(".")
            if (rest and root == receiver) or root not in function.names.bindings:
                found[name] = node
    return found


def _thread_bound(symbol: Symbol) -> str | None:
    """What ``symbol`` is, or is an attribute of, that only the thread that made it may use."""
    if symbol.instance and symbol.name in _THREAD_BOUND:
        return _THREAD_BOUND[symbol.name]
    return next(
        (kind for made, kind in _THREAD_BOUND.items() if symbol.name.startswith(f"{made.removesuffix('()')}().")), None
    )


def _receiver(function: Scope) -> str | None:
    """The name of the first parameter: the object itself, in a method."""
    return next((parameter.arg for parameter in function.parameters), None)
