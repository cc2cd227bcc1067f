"""What the fixes of the 3xx family share: where a simple statement stands, how to write around it, how to log."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.callers import last_name
from bglint.index.facts import BindingKind, Scope
from bglint.model import Edit, Location, Span
from bglint.rules.base import Refused
from bglint.rules.context import names_visible

if TYPE_CHECKING:
    from bglint.rules.context import RuleContext

_LOGGER_MAKERS = ("getLogger", "get_logger")


@dataclass(frozen=True, slots=True)
class Place:
    """A simple statement that has its rows for itself, or stands alone behind its header's colon.

    ``span`` reaches to the end of its last row, comment included; ``lines`` is its text, row by row; ``lead`` is what
    a rewrite starts with, so that its first line stands at ``indent``; ``unit`` is one level more, and ``newline``
    ends the lines.
    """

    span: Span
    indent: str
    lead: str
    unit: str
    newline: str
    lines: tuple[str, ...]


def place_of(ctx: RuleContext, statement: ast.stmt) -> Place | Refused:
    """Where ``statement`` stands; Refused where it shares its rows with other code."""
    whole = ctx.ast_span(statement)
    rows = ctx.source.lines
    first = rows[whole.start.row - 1]
    before, after = first[: whole.start.column - 1], rows[whole.end.row - 1].rstrip("\r\n")[whole.end.column - 1 :]
    if after.strip() and not after.lstrip().startswith("#"):
        return Refused("it shares its line with other statements")
    newline = first[len(first.rstrip("\r\n")) :] or ctx.source.newline
    start, indent, lead = whole.start, before, ""
    if before.strip():
        parent = ctx.module.parents.get(statement)
        if not isinstance(parent, ast.stmt) or not _is_alone_behind(ctx, statement, parent):
            return Refused("it shares its line with other statements")
        indent = ctx.indentation(parent.lineno) + ctx.indent_unit()
        start, lead = Location(start.row, len(before.rstrip()) + 1), newline + indent
    elif start.row > 1 and rows[start.row - 2].rstrip("\r\n").endswith("\\"):
        return Refused("it shares its line with other statements")
    end = Location(whole.end.row, len(rows[whole.end.row - 1].rstrip("\r\n")) + 1)
    lines = ctx.text(Span(whole.start, end)).splitlines()
    if len(lines) != whole.end.row - whole.start.row + 1:
        return Refused("it holds an unusual line break")
    return Place(Span(start, end), indent, lead, _unit(ctx, statement, indent), newline, tuple(lines))


def _unit(ctx: RuleContext, statement: ast.stmt, indent: str) -> str:
    """One level of indentation: what sets the statement apart from its header, else the file's own."""
    parent = ctx.module.parents.get(statement)
    if isinstance(parent, ast.stmt) and parent.lineno < statement.lineno:
        outer = ctx.indentation(parent.lineno)
        if indent.startswith(outer) and indent != outer:
            return indent[len(outer) :]
    return ctx.indent_unit()


def _is_alone_behind(ctx: RuleContext, statement: ast.stmt, parent: ast.stmt) -> bool:
    """Whether ``statement`` is all that follows the colon of the row on which ``parent`` starts."""
    body = getattr(parent, "body", None)
    return body == [statement] and parent.lineno == statement.lineno and ctx.starts_row(parent)


def deeper(statement: ast.stmt, place: Place) -> list[str]:
    """The statement's lines, one level deeper than ``place``; rows that start inside a string stay as they are."""
    kept = {
        row - statement.lineno
        for node in ast.walk(statement)
        if isinstance(node, (ast.Constant, ast.JoinedStr))
        for row in range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)
    }
    rest = (line if n in kept or not line.strip() else place.unit + line for n, line in enumerate(place.lines[1:], 1))
    return [place.indent + place.unit + place.lines[0], *rest]


def logger_at(ctx: RuleContext, scope: Scope, row: int) -> tuple[str, tuple[Edit, ...]]:
    """How to write a logger in ``scope`` at ``row``, and the edits that this needs: the module's own where it has one.

    Else ``logging.getLogger(__name__)``.
    """
    in_function = any(s.is_function for s in scope.walk_up())
    hidden = names_visible(scope) | (frozenset(scope.names.bindings) if scope.is_class else frozenset())
    for name, bindings in ctx.module.names.bindings.items():
        if "log" not in name.lower() or name in hidden:
            continue
        if not in_function and any(binding.row >= row for binding in bindings):
            continue
        values = [b.value for b in bindings if b.kind is BindingKind.VALUE]
        imported = all(b.kind is BindingKind.IMPORT for b in bindings)
        if imported or all(isinstance(v, ast.Call) and last_name(v.func) in _LOGGER_MAKERS for v in values):
            symbol = ctx.project.resolver.module_member(ctx.module, name)
            if symbol is not None and symbol.instance and symbol.name == "logging.Logger":
                return name, ()
    logging, edits = ctx.import_module("logging", scope, before=None if in_function else row)
    return f"{logging}.getLogger(__name__)", edits


def expression_refusal(ctx: RuleContext, node: ast.AST) -> str | None:
    """Why the statement around ``node`` cannot be written anew: a lambda, comprehension, await or yield in between."""
    for parent in ctx.module.ancestors(node):
        if isinstance(parent, ast.Lambda):
            return "it stands in a lambda"
        if isinstance(parent, where.COMPREHENSIONS):
            return "it stands in a comprehension"
        if isinstance(parent, (ast.Await, ast.Yield, ast.YieldFrom)):
            return "its statement waits for something else, too"
        if isinstance(parent, ast.stmt):
            return None
    return None


def alive_check(receiver: str, kind: str, logger: str, seconds: str, indent: str, unit: str) -> list[str]:
    """The lines that log when a thread or process still runs after a join with a timeout."""
    return [
        f"{indent}if {receiver}.is_alive():",
        f'{indent}{unit}{logger}.warning("{kind.capitalize()} %s still runs after %s seconds", '
        f"{receiver}.name, {seconds})",
    ]
