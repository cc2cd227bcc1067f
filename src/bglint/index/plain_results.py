"""Whether what a call gives is proven to be nothing that one can call: None, a plain value, a coroutine."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

from bglint.index import data
from bglint.index.facts import dotted_text
from bglint.index.guards import is_stub

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.index.symbols import Symbol

# What a function gives back that nobody can call.
_PLAIN_TYPES = frozenset(
    {"None", "bool", "bytes", "datetime", "dict", "Dict", "float", "int", "list", "List", "set", "str", "tuple"}
)
_PLAIN_VALUES = (
    ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp,
    ast.GeneratorExp, ast.Compare, ast.UnaryOp,
)  # fmt: skip
# Library calls whose result nobody can call: they are coroutine functions, or give nothing at all.
_LIBRARY = frozenset(
    {
        "aiofiles.open", "anyio.sleep", "asyncio.create_task", "asyncio.ensure_future", "asyncio.gather",
        "asyncio.sleep", "asyncio.to_thread", "asyncio.wait", "asyncio.wait_for", "builtins.len", "builtins.print",
        "builtins.str", "logging.Logger.*", "logging.critical", "logging.debug", "logging.error", "logging.exception",
        "logging.info", "logging.warning", "loguru.logger.debug", "loguru.logger.error", "loguru.logger.exception",
        "loguru.logger.info", "loguru.logger.success", "loguru.logger.warning", "requests.delete", "requests.get",
        "requests.patch", "requests.post", "requests.put", "starlette.concurrency.run_in_threadpool", "time.sleep",
    }
)  # fmt: skip
_ASYNC_LIBRARY = frozenset(
    {
        "anyio.sleep", "asyncio.sleep", "asyncio.to_thread", "asyncio.wait", "asyncio.wait_for",
        "starlette.concurrency.run_in_threadpool",
    }
)  # fmt: skip


def is_async(called: Symbol) -> bool:
    """Whether calling this only makes a coroutine."""
    function = called.function
    if function is not None:
        return function.is_async and not function.yields
    return not called.instance and called.name in _ASYNC_LIBRARY


def gives_no_callable(project: Project, called: Symbol, awaited: bool) -> bool:
    """Whether what a call (or awaiting it) gives is proven to be nothing that one can call."""
    function = called.function
    if function is not None:
        if is_stub(function) or not is_plainly_decorated(project, function):
            return False
        if function.yields or (function.is_async and not awaited):
            return True
        return function.is_async is awaited and _returns_plain(project, function)
    if called.class_ is not None:
        return not called.instance and not awaited and not _may_be_called(project, called)
    if called.instance:
        return False
    return data.matches(called.name, _LIBRARY) and not (awaited and called.name not in ("asyncio.sleep", "anyio.sleep"))


def _may_be_called(project: Project, class_: Symbol) -> bool:
    """Whether instances of a project class may have ``__call__``: they do, or a base class is not known."""
    scope = class_.class_
    assert scope is not None
    if getattr(scope.node, "decorator_list", None) or getattr(scope.node, "keywords", None):
        return True
    order = project.resolver.mro(scope)
    if any(base.class_ is None and base.name not in ("builtins.object", "pydantic.BaseModel") for base in order):
        return True
    return any("__call__" in base.class_.names.bindings for base in order if base.class_ is not None)


def _returns_plain(project: Project, function: Scope) -> bool:
    """Whether all that a function returns is None or a plain value."""
    annotation = getattr(function.node, "returns", None)
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        written = annotation.value
    else:
        plain = annotation.value if isinstance(annotation, ast.Subscript) else annotation
        written = "None" if isinstance(plain, ast.Constant) else dotted_text(plain) if plain is not None else ""
    if written.partition("[")[0].rpartition(".")[2] in _PLAIN_TYPES:
        return True
    return all(value is None or _is_plain(project, value, function) for value in function.returns)


def _is_plain(project: Project, value: ast.expr, function: Scope) -> bool:
    if isinstance(value, _PLAIN_VALUES):
        return True
    if isinstance(value, ast.IfExp):
        return _is_plain(project, value.body, function) and _is_plain(project, value.orelse, function)
    symbol = project.resolve(value, function)
    return symbol is not None and symbol.instance and symbol.name in (
        "builtins.dict", "builtins.list", "builtins.str", "builtins.tuple", "builtins.set", "builtins.int",
        "builtins.bool", "builtins.float", "builtins.bytes", "pathlib.Path", "requests.Response",
    )  # fmt: skip


def is_plainly_decorated(project: Project, function: Scope) -> bool:
    """Whether calling a function runs its body, and gives what that returns: its decorators leave it as it is."""
    outer = function.parent or function
    symbols = [project.resolve(d.func if isinstance(d, ast.Call) else d, outer) for d in function.decorators]
    return all(s is not None and data.matches(s.name, _transparent()) for s in symbols)


@cache
def _transparent() -> frozenset[str]:
    names = frozenset(data.load("harmless.toml")["transparent_decorators"])
    return names - {"contextlib.asynccontextmanager", "contextlib.contextmanager", "builtins.property"}
