"""The functions that fixes add to a module: short, stdlib only, once per file, and code that people keep."""

from __future__ import annotations

import ast
import copy
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, count, takewhile
from string import Template

from bglint.fix.imports import Wanted, identifiers, is_taken, module_bindings, plan_imports
from bglint.fix.layout import Layout, Place, layout
from bglint.model import Edit

GUARD = "guard"
BACKGROUND_TASKS_SET = "background-tasks-set"
GATHER_OR_CANCEL = "gather-or-cancel"
GATHER_AND_LOG = "gather-and-log"
LOG_ERRORS = "log-errors"


@dataclass(frozen=True, slots=True)
class HelperPlan:
    """The name by which the site calls the helper, and the edits that add it with its imports if it is not there."""

    name: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class _Helper:
    """A piece of source: it defines the names in ``defines`` (the first is called) and uses ``imports``.

    In ``source`` each of those names is written with a dollar, because it may have to be another one. It starts
    with a function, for which every formatter wants two blank lines below the imports, and keeps to 88 columns.
    """

    defines: tuple[str, ...]
    imports: tuple[Wanted, ...]
    source: str


_ANY = Wanted("typing", "Any")

_HELPERS: Mapping[str, _Helper] = {
    GUARD: _Helper(
        ("_guarded",),
        (Wanted("functools"), Wanted("inspect"), Wanted("logging"), _ANY),
        '''\
def $_guarded(func: $Any) -> $Any:
    """Log the errors of a background task, so that the tasks queued after it run."""
    target = func
    while isinstance(target, $functools.partial):
        target = target.func
    name = getattr(target, "__qualname__", type(target).__qualname__)

    @$functools.wraps(func)
    async def run_async(*args: $Any, **kwargs: $Any) -> $Any:
        try:
            return await func(*args, **kwargs)
        except Exception:
            $logging.getLogger(__name__).exception("Background task %s failed", name)

    @$functools.wraps(func)
    def run_sync(*args: $Any, **kwargs: $Any) -> $Any:
        try:
            return func(*args, **kwargs)
        except Exception:
            $logging.getLogger(__name__).exception("Background task %s failed", name)

    call = type(target).__call__
    if $inspect.iscoroutinefunction(target) or $inspect.iscoroutinefunction(call):
        return run_async
    return run_sync
''',
    ),
    BACKGROUND_TASKS_SET: _Helper(
        ("_keep_task", "_background_tasks"),
        (Wanted("asyncio"), _ANY),
        '''\
def $_keep_task(task: $asyncio.Task[$Any]) -> $asyncio.Task[$Any]:
    """Refer to the task until it is done: one that nothing refers to may vanish."""
    $_background_tasks.add(task)
    task.add_done_callback($_background_tasks.discard)
    return task


$_background_tasks: set[$asyncio.Task[$Any]] = set()
''',
    ),
    GATHER_OR_CANCEL: _Helper(
        ("_gather_or_cancel",),
        (Wanted("asyncio"), _ANY),
        '''\
async def $_gather_or_cancel(*awaitables: $Any) -> list[$Any]:
    """Gather results; if one fails, cancel the others and wait for their end."""
    tasks = [$asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        return await $asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await $asyncio.gather(*tasks, return_exceptions=True)
        raise
''',
    ),
    GATHER_AND_LOG: _Helper(
        ("_gather_and_log",),
        (Wanted("asyncio"), Wanted("logging"), _ANY),
        '''\
async def $_gather_and_log(*awaitables: $Any) -> list[$Any]:
    """Gather results and exceptions, and log the exceptions."""
    results = await $asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            logger = $logging.getLogger(__name__)
            logger.error("A gathered awaitable failed", exc_info=result)
    return results
''',
    ),
    LOG_ERRORS: _Helper(
        ("_log_errors", "_log_error"),
        (Wanted("logging"), _ANY),
        '''\
def $_log_errors(future: $Any) -> $Any:
    """Give a task or future back that logs its error once it fails."""
    future.add_done_callback($_log_error)
    return future


def $_log_error(future: $Any) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        logger = $logging.getLogger(__name__)
        logger.error("Background work failed: %r", future, exc_info=error)
''',
    ),
}


def helper(tree: ast.Module, text: str, kind: str, *, avoid: Container[str], before: int | None = None) -> HelperPlan:
    """Plan how a site can call the helper ``kind`` (GUARD, LOG_ERRORS or another of the constants above).

    ``avoid`` holds the names that mean something else at the site, ``before`` is the row that the helper must
    stand above (the site's, if it runs at import time); by default that of the first function or class. Raises
    KeyError for another kind.
    """
    wanted = _HELPERS[kind]
    present = _present(tree, text, wanted, avoid, before) if wanted.defines[0] in text else None
    if present is not None:
        return HelperPlan(present, ())
    top = layout(tree, text)
    limit = min(top.limit(None), top.limit(before))
    names, imports = plan_imports(tree, text, wanted.imports, _own_names(kind), limit)
    suffix = _free_suffix(tree, text, wanted, avoid)
    source = _write(wanted, names, suffix).replace("    ", _indentation(top))
    return HelperPlan(wanted.defines[0] + suffix, (*imports, _added(top, limit, source.splitlines(), imports)))


# -- text ---------------------------------------------------------------------------------------------------------


def _write(wanted: _Helper, imported: Sequence[str], suffix: str) -> str:
    names = {want.bound: name for want, name in zip(wanted.imports, imported, strict=True)}
    names |= {name: name + suffix for name in wanted.defines}
    return Template(wanted.source).substitute(names)


def _plain(wanted: _Helper, suffix: str = "") -> str:
    """Return the helper with every import under its own name."""
    return _write(wanted, [want.bound for want in wanted.imports], suffix)


@cache
def _own_names(kind: str) -> frozenset[str]:
    """Return the names that mean something of its own inside the helper."""
    plain = _plain(_HELPERS[kind])
    return identifiers(ast.parse(plain), plain) - {want.bound for want in _HELPERS[kind].imports}


def _free_suffix(tree: ast.Module, text: str, wanted: _Helper, avoid: Container[str]) -> str:
    """Return what to add to the helper's names ("", "2", "3", ...) such that nothing else is called so."""
    return next(
        suffix
        for suffix in chain([""], map(str, count(2)))
        if not any(name + suffix in avoid or is_taken(name + suffix, tree, text) for name in wanted.defines)
    )


def _indentation(top: Layout) -> str:
    """Return what the module's first indented block is indented by."""
    for line in top.lines:
        first = line.statements[0]
        body = getattr(first, "body", None)
        if isinstance(body, list) and body[0].lineno > first.lineno:
            row = top.rows[body[0].lineno - 1]
            return row[: len(row) - len(row.lstrip(" \t"))] or "    "
    return "    "


# -- place --------------------------------------------------------------------------------------------------------


def _added(top: Layout, limit: int, lines: Sequence[str], imports: Sequence[Edit]) -> Edit:
    """Return the edit that adds the helper below all imports, with two blank lines around it."""
    row = _row(top, limit)
    edit = top.edit(Place(row), lines)
    above = [new.content.splitlines() for new in imports if new.span == edit.span]
    if not above:
        above = [["code", *top.rows[: row - 1]]] if row > 1 else [["", ""]]
    blank = sum(1 for _ in takewhile(lambda line: not line.strip(), reversed(above[-1])))
    follows = not all(top.is_blank(below) for below in range(row, len(top.rows) + 1))
    return top.edit(Place(row, max(0, 2 - blank), 2 if follows else 0), lines)


def _row(top: Layout, limit: int) -> int:
    """Return the row to add the helper above: the first one with text below the imports, old and new."""
    ends = [line.last for line in top.lines if (line.is_import or line.imports_inside) and line.last < limit]
    row = max(ends, default=0) + 1
    while row <= len(top.rows) and top.is_blank(row):
        row += 1
    # Without a run of imports, the new ones go to the front, and the helper must not come before them.
    return row if top.runs(limit) else max(top.front(limit).row, row if ends else 0)


# -- recognition --------------------------------------------------------------------------------------------------


def _present(tree: ast.Module, text: str, wanted: _Helper, avoid: Container[str], before: int | None) -> str | None:
    """Return the name of the helper if the module has it, whatever its layout, docstring and annotations."""
    there = _definitions(tree)
    called = wanted.defines[0]
    for name in there:
        suffix = name.removeprefix(called)
        if not name.startswith(called) or not (suffix.isdigit() or not suffix) or name in avoid:
            continue
        expected = _definitions(ast.parse(_plain(wanted, suffix)))
        found = [there.get(part, []) for part in expected]
        if any(len(part) != 1 or (before is not None and part[0].lineno >= before) for part in found):
            continue
        origins = {bound: next(iter(paths)) for bound, paths in module_bindings(tree, text).items() if len(paths) == 1}
        own_origins = {want.bound: want.origin for want in wanted.imports}
        if [_normal(part[0], origins) for part in found] == [_normal(s[0], own_origins) for s in expected.values()]:
            return name
    return None


def _definitions(tree: ast.Module) -> dict[str, list[ast.stmt]]:
    """Return what defines each name at the module's top level: functions and assignments."""
    found: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.setdefault(statement.name, []).append(statement)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(statement)
    return found


def _normal(statement: ast.stmt, origins: Mapping[str, str]) -> str:
    return ast.dump(_Normal(origins).visit(copy.deepcopy(statement)))


class _Normal(ast.NodeTransformer):
    """Takes away what does not change the meaning: docstrings, annotations, and how imports are named."""

    def __init__(self, origins: Mapping[str, str]) -> None:
        self.origins = origins

    def visit_Name(self, node: ast.Name) -> ast.Name:
        origin = self.origins.get(node.id, "?")
        return ast.Name(node.id if origin == "?" else origin, node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(node.arg)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        return self.visit(ast.Assign([node.target], node.value)) if node.value else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        if ast.get_docstring(node) is not None:
            del node.body[0]
        return self.generic_visit(node)
