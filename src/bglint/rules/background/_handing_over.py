"""What a call hands over of a function's own names, and whether that function waits for what it starts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.callers import last_name
from bglint.index.facts import BindingKind, dotted_text

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

# What of an upload is there without its file.
_PLAIN = frozenset({"content_type", "filename", "headers", "size"})
_EXECUTORS = tuple(f"concurrent.futures.{kind}.submit" for kind in ("ThreadPoolExecutor", "Executor"))
_LOOP = "asyncio.AbstractEventLoop"
# What starts work that nobody waits for.
_STARTERS = frozenset(
    {
        "asyncio.create_task", "asyncio.ensure_future", "asyncio.run_coroutine_threadsafe", f"{_LOOP}.create_task",
        f"{_LOOP}.run_in_executor", "threading.Thread", "threading.Timer", *_EXECUTORS,
    }
)  # fmt: skip
STARTING = frozenset(name.rpartition(".")[2] for name in _STARTERS)
# Reads of a task's name that do not wait for it.
_NOT_WAITING = frozenset({"add", "append", "add_done_callback", "set_name", "start"})


def starts_work(project: Project, call: ast.Call, scope: Scope) -> bool:
    """Whether a call starts a task or a thread, or submits a job."""
    symbol = project.resolve(call.func, scope)
    return symbol is not None and not symbol.instance and symbol.name in _STARTERS


def given_names(call: ast.Call, scope: Scope) -> frozenset[str]:
    """The names of the function that a call hands over, as values or inside what it runs."""
    found: set[str] = set()
    pending: list[ast.expr] = [*call.args, *(keyword.value for keyword in call.keywords)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
            found |= _read_by(node, scope)
            pending.extend(_collected(node, scope))
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


def _collected(node: ast.Name, scope: Scope) -> Iterator[ast.expr]:
    """What a local list, tuple or dict was made of: ``arguments = {"db": db}``, handed over as ``**arguments``."""
    bindings = scope.names.bindings.get(node.id, ())
    for binding in bindings if len(bindings) == 1 else ():
        if binding.kind is BindingKind.VALUE and isinstance(binding.value, (ast.Dict, ast.List, ast.Tuple)):
            if not binding.path:
                yield binding.value


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


def is_awaited_later(call: ast.Call, scope: Scope) -> bool:
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
