"""Whether a call of a sink really waits, as far as its arguments and what stands around it tell."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

from bglint.index import data
from bglint.index.callers import last_name
from bglint.index.context import (
    argument,
    in_loop,
    is_consumed,
    is_fresh,
    is_settled,
    leaves_work_to_wait_for,
    runs_without_loop,
    statement_of,
)
from bglint.index.facts import Scope
from bglint.index.origins import origins
from bglint.index.sinks import is_lazy, is_non_blocking, known_kind, size_position, waits_on_leaving
from bglint.index.stocked import is_stocked

if TYPE_CHECKING:
    from bglint.index.project import Project

_NAP = 0.001
_CONDITIONS = frozenset({"threading.Condition.wait", "threading.Condition.wait_for"})


def waits(project: Project, call: ast.Call, scope: Scope, name: str) -> bool:
    """Whether a call of the sink ``name`` waits."""
    module = scope.module
    if is_non_blocking(call, name) or (name == "time.sleep" and _is_short_nap(call, scope)):
        return False
    kind = known_kind(name)
    if kind == "loop":
        return not _asks_for_loop(scope)
    if runs_without_loop(module, call) or (name in _CONDITIONS and _makes_lock(scope)):
        return False
    if name.endswith(".acquire") and isinstance(call.func, ast.Attribute):
        return not is_fresh(module, call.func.value, statement_of(module, call))
    if is_lazy(name):
        return is_consumed(module, call)
    if waits_on_leaving(name):
        return leaves_work_to_wait_for(module, call)
    if name.startswith("concurrent.futures.Future.") and isinstance(call.func, ast.Attribute):
        return not is_settled(module, call, call.func.value)
    if name.endswith("Queue.get") and isinstance(call.func, ast.Attribute):
        return not is_stocked(module, call, call.func.value)
    if kind == "file":
        return not _stays_in_memory(project, call, scope, name)
    position = size_position(name)
    return position is None or _is_bounded(project, call, scope, position)


def _is_short_nap(call: ast.Call, scope: Scope) -> bool:
    """Whether a sleep takes a millisecond at most, once."""
    seconds = call.args[0] if call.args else None
    if not isinstance(seconds, ast.Constant) or not isinstance(seconds.value, (int, float)):
        return False
    return seconds.value <= _NAP and not in_loop(scope.module, call)


def _makes_lock(scope: Scope) -> bool:
    """Whether code is part of a lock: to take one with ``with`` counts as little as for those of the library."""
    return any(owner.is_class and owner.name.endswith("Lock") for owner in scope.walk_up())


def _asks_for_loop(scope: Scope) -> bool:
    """Whether code that starts an event loop first asks whether one is running, or patches asyncio to allow two."""
    asking = {"is_running"} if scope.is_async else {"_get_running_loop", "get_running_loop", "is_running"}
    functions = (owner for owner in scope.walk_up() if owner.is_function)
    return "nest_asyncio" in scope.module.text or any(
        last_name(call.func) in asking for function in functions for call in function.calls
    )


def _is_bounded(project: Project, call: ast.Call, scope: Scope, position: int) -> bool:
    """Whether the queue of a ``put`` is proven to be made with a size."""
    made = origins(project, call.func.value, scope) if isinstance(call.func, ast.Attribute) else None
    sizes = [argument(origin.call, position, "maxsize") for origin in made or ()]
    return any(size is not None and not (isinstance(size, ast.Constant) and size.value == 0) for size in sizes)


def _stays_in_memory(project: Project, call: ast.Call, scope: Scope, name: str) -> bool:
    """Whether the file that a call works on is a buffer in memory: its own argument, or that of its archive."""
    place = _buffers().get(name)
    if place is not None:
        file = argument(call, *place)
        buffer = project.resolve(file, scope) if file is not None else None
        return buffer is not None and buffer.instance and buffer.name in ("io.BytesIO", "io.StringIO")
    archive = name.rpartition(".")[0].removesuffix("()")
    if name not in _archive_methods() or not isinstance(call.func, ast.Attribute):
        return False
    made = origins(project, call.func.value, scope) or ()
    return bool(made) and all(_stays_in_memory(project, origin.call, origin.scope, archive) for origin in made)


@cache
def _buffers() -> dict[str, tuple[int, str]]:
    """Sink → position and name of the argument that is its file."""
    files = data.load("blocking.toml")["buffers"]["files"]
    return {name: (place["position"], place["name"]) for name, place in files.items()}


@cache
def _archive_methods() -> frozenset[str]:
    return frozenset(data.load("blocking.toml")["buffers"]["methods"])
