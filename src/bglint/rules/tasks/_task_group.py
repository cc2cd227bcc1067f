"""Writes an awaited ``gather`` as an ``asyncio.TaskGroup``, where that is proven to be possible."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING

from bglint.fix.layout import layout
from bglint.index.context import statement_of, tries_around, withs_around
from bglint.index.facts import dotted_text
from bglint.index.guards import is_stub
from bglint.model import Edit, Location, Span

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.rules.context import RuleContext

_COROUTINES = frozenset({"asyncio.sleep", "asyncio.to_thread", "asyncio.wait_for"})
_HTTP_EXCEPTION = "starlette.exceptions.HTTPException"
# Context managers that catch some exceptions by their type, as a handler would.
_CATCHING = frozenset({"assertRaises", "assertRaisesRegex", "raises", "suppress"})
_CANCELLED = frozenset({"asyncio.CancelledError", "builtins.KeyboardInterrupt", "builtins.SystemExit"})
_MOST_CALLEES = 40
_LONGEST_LINE = 88


@dataclass(frozen=True, slots=True)
class _Comprehension:
    """A starred comprehension among the arguments."""

    node: ast.ListComp | ast.GeneratorExp | ast.SetComp
    element: ast.Call


def task_group_form(ctx: RuleContext, gather: ast.Call, scope: Scope, project: Project) -> tuple[Edit, ...] | None:
    """The edits that put a TaskGroup in the place of ``await gather(...)``; None where something is not proven."""
    await_ = ctx.module.parents.get(gather)
    statement = statement_of(ctx.module, gather)
    parts = [_part(argument, scope, project) for argument in gather.args]
    if not isinstance(await_, ast.Await) or not _is_simple(statement, await_) or None in parts:
        return None
    known = [part for part in parts if part is not None]
    if not (
        _stands_alone(ctx, statement, await_, gather)
        and _is_caught_alike(gather, scope, project)
        and not _raises_http(known, scope, project)
    ):
        return None
    writer = _Writer(ctx, statement, scope)
    body = writer.body(known)
    if body is None:
        return None
    asyncio, imports = ctx.import_module("asyncio", scope)
    lines = [f"async with {asyncio}.TaskGroup() as {writer.group}:", *body]
    value = writer.value(known)
    if value:
        start = ctx.text(Span(ctx.ast_span(statement).start, ctx.ast_span(await_).start))
        lines.extend(_wrapped(start, value, writer.indent, writer.unit))
    newline = layout(ctx.module.tree, ctx.source.text).newline
    text = (newline + writer.indent).join(lines)
    return (ctx.replace(statement, text), *imports)


# -- preconditions ----------------------------------------------------------------------------------------------------


def _is_simple(statement: ast.stmt, await_: ast.Await) -> bool:
    """Whether the await is a statement of its own, returned, or assigned to one target."""
    if isinstance(statement, ast.Assign) and len(statement.targets) > 1:
        return False
    kinds = (ast.Expr, ast.Return, ast.Assign, ast.AnnAssign)
    return isinstance(statement, kinds) and statement.value is await_


def _stands_alone(ctx: RuleContext, statement: ast.stmt, await_: ast.Await, gather: ast.Call) -> bool:
    """Whether the statement has its lines for itself, and no comment that rewriting it would lose."""
    span, value = ctx.ast_span(statement), ctx.ast_span(await_)
    lines = ctx.source.lines
    after = lines[span.end.row - 1][span.end.column - 1 :].strip()
    if not ctx.starts_row(statement) or (after and not after.startswith("#")) or value.end != span.end:
        return False
    if lines[span.start.row - 2].rstrip().endswith("\\") if span.start.row > 1 else False:
        return False
    places = [ctx.ast_span(argument) for argument in gather.args]
    starts = [span.start, *(place.end for place in places)]
    ends = [*(place.start for place in places), span.end]
    gaps = [ctx.text(Span(start, end)) for start, end in zip(starts, ends, strict=True)]
    prefix = ctx.text(Span(span.start, value.start))
    return "\n" not in prefix and "\r" not in prefix and not any("#" in gap or "\\" in gap for gap in gaps)


def _part(argument: ast.expr, scope: Scope, project: Project) -> ast.Call | _Comprehension | None:
    """An argument that a TaskGroup takes as well, evaluated in the same order; else None."""
    if any(isinstance(n, (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)) for n in ast.walk(argument)):
        return None
    if isinstance(argument, ast.Call):
        return argument if _makes_coroutine(argument, scope, project) else None
    node = argument.value if isinstance(argument, ast.Starred) else None
    if not isinstance(node, (ast.ListComp, ast.GeneratorExp)) or any(g.is_async for g in node.generators):
        return None
    element = node.elt
    if isinstance(element, ast.Call) and _makes_coroutine(element, scope, project):
        return _Comprehension(node, element)
    return None


def _makes_coroutine(call: ast.Call, scope: Scope, project: Project) -> bool:
    called = project.resolve(call.func, scope)
    if called is None or called.instance:
        return False
    function = called.function
    if function is None:
        return called.name in _COROUTINES
    plain = all(dotted_text(d) in ("classmethod", "staticmethod") for d in function.decorators)
    return function.is_async and plain and not function.yields and not is_stub(function)


def _is_caught_alike(gather: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether what is around in the function treats an ExceptionGroup as it treats the bare error."""
    for around in tries_around(scope.module, gather):
        if isinstance(around, ast.Try) and not all(_catches_alike(h, scope, project) for h in around.handlers):
            return False
    return not any(
        isinstance(item.context_expr, ast.Call) and dotted_text(item.context_expr.func).rpartition(".")[2] in _CATCHING
        for around in withs_around(scope.module, gather)
        for item in around.items
    )


def _catches_alike(handler: ast.ExceptHandler, scope: Scope, project: Project) -> bool:
    if handler.type is not None:
        types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        symbols = [project.resolve(node, scope) for node in types]
        if all(symbol is not None and symbol.name in _CANCELLED for symbol in symbols):
            return True
    return handler.name is None and project.guards.is_broad(handler.type, scope)


def _raises_http(parts: Sequence[ast.Call | _Comprehension], scope: Scope, project: Project) -> bool:
    """Whether an HTTPException may leave one of the coroutines: in a group it would become a 500.

    Follows calls into the project; where that leads too far, the answer is yes.
    """
    # Following calls parses the modules they lead to: not where no file so much as names the exception.
    if not any(b"HTTPException" in project.callers.data(path) for path in project.callers.files):
        return False
    calls = [part.element if isinstance(part, _Comprehension) else part for part in parts]
    pending = deque((call, scope) for call in calls)
    seen: set[Scope] = set()
    while pending:
        call, caller = pending.popleft()
        # What wait_for and to_thread run is among their arguments.
        for node in (call.func, *call.args):
            called = project.resolve(node, caller) if isinstance(node, (ast.Name, ast.Attribute)) else None
            function = called.function if called is not None else None
            if function is None or function in seen:
                continue
            seen.add(function)
            if len(seen) > _MOST_CALLEES or any(_is_http(error, function, project) for error in _raised(function)):
                return True
            pending.extend((inner, function) for inner in function.calls)
        pending.extend((node, caller) for node in call.args if isinstance(node, ast.Call) and caller is scope)
    return False


def _raised(function: Scope) -> Iterator[ast.expr]:
    for node in ast.walk(function.node):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield node.exc.func if isinstance(node.exc, ast.Call) else node.exc


def _is_http(error: ast.expr, scope: Scope, project: Project) -> bool:
    symbol = project.resolve(error, scope)
    if symbol is None:
        return "HTTPException" in dotted_text(error)
    names = [symbol.name]
    if symbol.class_ is not None:
        names = [base.name for base in project.resolver.mro(symbol.class_)]
    return _HTTP_EXCEPTION in names


# -- writing ----------------------------------------------------------------------------------------------------------


class _Writer:
    """Writes the lines of one TaskGroup, with names that the function around does not use."""

    def __init__(self, ctx: RuleContext, statement: ast.stmt, scope: Scope) -> None:
        self.ctx = ctx
        self.statement = statement
        self.indent = ctx.indentation(statement.lineno)
        self.unit = ctx.indent_unit()
        self.taken = _names_in(scope.outermost_function.node)
        self.function = scope.outermost_function.node
        self.group = self.fresh("tg")
        self.names: list[str] = []

    def fresh(self, name: str) -> str:
        """``name``, or with a number where it is taken; taken from now on."""
        found = next(n for n in chain([name], (f"{name}{i}" for i in count(2))) if n not in self.taken)
        self.taken.add(found)
        return found

    def body(self, parts: Sequence[ast.Call | _Comprehension]) -> list[str] | None:
        """The lines inside the group; None where a name of a comprehension would clash."""
        if isinstance(self.statement, ast.Expr):
            lines: list[str] = []
            for part in parts:
                made = self._loop(part) if isinstance(part, _Comprehension) else [self._create(part)]
                if made is None:
                    return None
                lines.extend(made)
            return [self.unit + line for line in lines]
        self.names = [self.fresh(name) for name in self._wanted(parts)]
        return [
            f"{self.unit}{name} = {self._list(part) if isinstance(part, _Comprehension) else self._create(part)}"
            for name, part in zip(self.names, parts, strict=True)
        ]

    def value(self, parts: Sequence[ast.Call | _Comprehension]) -> tuple[str, list[str], str] | None:
        """The results as gather gave them, in parts: opening bracket, elements, closing bracket."""
        if isinstance(self.statement, ast.Expr):
            return None
        elements = [
            f"task.result() for task in {name}" if isinstance(part, _Comprehension) else f"{name}.result()"
            for name, part in zip(self.names, parts, strict=True)
        ]
        if len(parts) > 1:
            elements = [f"*[{e}]" if " for " in e else e for e in elements]
        unpacked = self._targets() is not None and not any(isinstance(part, _Comprehension) for part in parts)
        return ("(", elements, ")") if unpacked and len(self._targets() or ()) == len(parts) else ("[", elements, "]")

    def _create(self, call: ast.Call) -> str:
        return f"{self.group}.create_task({self.ctx.text(call)})"

    def _list(self, part: _Comprehension) -> str:
        """The comprehension as it is written, with a task made of every element."""
        whole, element = self.ctx.ast_span(part.node), self.ctx.ast_span(part.element)
        first = Location(whole.start.row, whole.start.column + 1)
        last = Location(whole.end.row, whole.end.column - 1)
        before, after = self.ctx.text(Span(first, element.start)), self.ctx.text(Span(element.end, last))
        return f"[{before}{self._create(part.element)}{after}]"

    def _loop(self, part: _Comprehension) -> list[str] | None:
        """The comprehension as loops, whose variables the function must not use."""
        targets = {n for g in part.node.generators for n in _names_in(g.target)}
        inside = [n for n in ast.walk(part.node) if isinstance(n, ast.Name) and n.id in targets]
        everywhere = [n for n in ast.walk(self.function) if getattr(n, "id", getattr(n, "arg", None)) in targets]
        lambdas = any(isinstance(n, (ast.Lambda, ast.GeneratorExp)) for n in ast.walk(part.element))
        if len(inside) != len(everywhere) or lambdas or "#" in self.ctx.text(part.node):
            return None
        lines: list[str] = []
        for generator in part.node.generators:
            lines.append(self._header("for ", generator.target) + self._header(" in ", generator.iter) + ":")
            lines.extend(self._header("if ", test) + ":" for test in generator.ifs)
        lines.append(self._create(part.element))
        return [self.unit * depth + line for depth, line in enumerate(lines)]

    def _header(self, keyword: str, node: ast.expr) -> str:
        text = self.ctx.text(node)
        return f"{keyword}({text})" if "\n" in text or "\r" in text else keyword + text

    def _targets(self) -> list[ast.expr] | None:
        """The names that the results are unpacked to."""
        target = self.statement.targets[0] if isinstance(self.statement, ast.Assign) else None
        return target.elts if isinstance(target, (ast.Tuple, ast.List)) else None

    def _wanted(self, parts: Sequence[ast.Call | _Comprehension]) -> Iterator[str]:
        """What the tasks are best called: after the names of the results, else after what they run."""
        targets = self._targets() or []
        for position, part in enumerate(parts):
            target = targets[position] if len(targets) == len(parts) else None
            if isinstance(part, _Comprehension):
                yield "tasks"
            elif isinstance(target, ast.Name) and target.id.strip("_"):
                yield f"{target.id}_task"
            else:
                yield f"{_work(part).rpartition('.')[2].strip('_') or 'new'}_task"


def _work(call: ast.Call) -> str:
    """The name of what runs in the end: of ``wait_for(f(), 5)`` and ``to_thread(f)``, f."""
    inner = call.args[0] if call.args and dotted_text(call.func).endswith(("to_thread", "wait_for")) else call
    return dotted_text(inner.func if isinstance(inner, ast.Call) else inner)


def _names_in(node: ast.AST) -> set[str]:
    """Every name that is bound or read inside a node."""
    found = (getattr(n, field, None) for n in ast.walk(node) for field in ("id", "arg", "name", "asname", "names"))
    return {
        name for value in found for name in (value if isinstance(value, list) else [value]) if isinstance(name, str)
    }


def _wrapped(start: str, value: tuple[str, list[str], str], indent: str, unit: str) -> list[str]:
    """``start`` with the results behind it: on one line, or with each on its own where that is too long."""
    opening, elements, closing = value
    joined = ", ".join(elements)
    short = start + (joined if opening == "(" else opening + joined + closing)
    if len(indent + short) <= _LONGEST_LINE or len(elements) == 1:
        return [short]
    return [start + opening, *(f"{unit}{element}," for element in elements), closing]
