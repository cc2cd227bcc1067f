"""Pieces: the parts of a file that LibCST gets to see, parsed with positions, and the one walk over them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from bglint.index.linking import any_between, first_row
from bglint.model import Location, Span
from bglint.source import Source

if TYPE_CHECKING:
    import libcst as cst
    from libcst.metadata import CodeRange

    from bglint.index.facts import Module, Scope
    from bglint.rules.base import Rule
    from bglint.rules.context import RuleContext


class Unit:
    """A function, or another statement of a module or class body, that holds a word worth a look.

    Of a class, its header: what is in it are units of their own. ``scope`` is the module or class whose body holds
    the statement; ``first`` and ``last`` are its rows.
    """

    __slots__ = ("first", "last", "scope", "statement")

    def __init__(self, scope: Scope, statement: ast.stmt) -> None:
        self.scope = scope
        self.statement = statement
        self.first = first_row(statement)
        self.last = statement.end_lineno or statement.lineno
        if isinstance(statement, ast.ClassDef):
            self.last = max(statement.lineno, first_row(statement.body[0]) - 1)


def units(module: Module, rows: Sequence[int]) -> Iterator[Unit]:
    """The units that hold any of the sorted ``rows``, in order. Classes are entered, so that one method is one unit."""
    pending: list[tuple[ast.stmt, Scope]] = [(s, module) for s in reversed(module.tree.body)]
    while pending:
        statement, scope = pending.pop()
        if not any_between(rows, first_row(statement), statement.end_lineno or statement.lineno):
            continue
        unit = Unit(scope, statement)
        if isinstance(statement, ast.ClassDef):
            inner = scope.child(statement)
            pending.extend((s, inner) for s in reversed(statement.body))
            if not any_between(rows, unit.first, unit.last):
                continue
        yield unit


class Piece:
    """What LibCST sees: a simple statement, the header of a compound one, or (``whole``) all of it."""

    __slots__ = ("statement", "whole")

    def __init__(self, statement: ast.stmt, whole: bool) -> None:
        self.statement = statement
        # A header of these makes no program, or is none.
        self.whole = whole or isinstance(statement, _WITHOUT_HEADER) or not hasattr(statement, "body")

    def nodes(self) -> Iterator[ast.AST]:
        """The index's nodes for it: of a header, the statement itself and the expressions in it."""
        if self.whole:
            yield from ast.walk(self.statement)
            return
        yield self.statement
        for child in ast.iter_child_nodes(self.statement):
            if not isinstance(child, ast.stmt):
                yield from ast.walk(child)


_WITHOUT_HEADER = (ast.Match, ast.Try, *((ast.TryStar,) if hasattr(ast, "TryStar") else ()))


def parse_piece(source: Source, piece: Piece) -> tuple[cst.Module, dict[cst.CSTNode, Span]]:
    """The LibCST tree of a piece, and where its nodes stand in the file.

    Statements keep their column under a made-up function header, so that positions need no correction but the row.
    Raises libcst.ParserSyntaxError and the other errors of LibCST's parser.
    """
    import libcst as cst

    row, column, text = _text(source, piece)
    before = source.lines[row - 1][:column]
    header = f"async def _():{source.newline}{before if not before.strip() else ' ' * column}" if column else ""
    tree = cst.parse_module(header + text + source.newline)
    shift = row - 1 - (1 if header else 0)
    positions = {
        node: Span(
            Location(place.start.line + shift, place.start.column + 1),
            Location(place.end.line + shift, place.end.column + 1),
        )
        for node, place in _positions(tree).items()
    }
    return tree, positions


def _text(source: Source, piece: Piece) -> tuple[int, int, str]:
    """Row (from 1) and column (from 0) where a piece starts, and its text; a header's body is ``pass``."""
    statement = piece.statement
    row = first_row(statement)
    column = _characters(source, statement.lineno, statement.col_offset)
    start = source.offset(Location(row, column + 1))
    if piece.whole:
        end_row = statement.end_lineno or statement.lineno
        end = source.offset(Location(end_row, _characters(source, end_row, statement.end_col_offset or 0) + 1))
        return row, column, source.text[start:end]
    inner = statement.body[0]  # type: ignore[attr-defined]
    inner_row = first_row(inner)
    end = source.offset(Location(inner_row, _characters(source, inner.lineno, inner.col_offset) + 1))
    text = source.text[start:end] + "pass"
    return row, column, f"  {text[2:]}" if text.startswith("elif") else text


def _characters(source: Source, row: int, utf8_column: int) -> int:
    """A column of ``ast`` in characters."""
    line = source.lines[row - 1]
    if line.isascii():
        return utf8_column
    return len(line.encode("utf-8", "surrogatepass")[:utf8_column].decode("utf-8", "replace"))


def _positions(tree: cst.Module) -> Mapping[cst.CSTNode, CodeRange]:
    """LibCST's own positions, without the extra walk that MetadataWrapper makes for providers that visit."""
    from libcst.metadata import PositionProvider

    class Positions(PositionProvider):
        def of(self, module: cst.Module) -> Mapping[cst.CSTNode, CodeRange]:
            self._gen_impl(module)
            return self._computed  # type: ignore[return-value]

    return Positions().of(tree)


def walk(tree: cst.CSTNode, rules: Iterable[Rule], ctx: RuleContext) -> None:
    """Show every node of a tree to every rule that has a visit method for its kind, parents first."""
    table = _dispatch(rules)
    parents = ctx.parents
    stack: list[cst.CSTNode] = [tree]
    while stack:
        node = stack.pop()
        for rule, visit in table.get(type(node).__name__, ()):
            ctx.visiting = rule
            visit(node)
        children: list[cst.CSTNode] = []
        for name in _child_fields(type(node)):
            value = getattr(node, name)
            if isinstance(value, (list, tuple)):
                children.extend(value)
            elif hasattr(value, "visit"):
                children.append(value)
        for child in children:
            parents[child] = node
        stack.extend(reversed(children))
    ctx.visiting = None


def _dispatch(rules: Iterable[Rule]) -> dict[str, list[tuple[Rule, Callable[[Any], Any]]]]:
    table: dict[str, list[tuple[Rule, Callable[[Any], Any]]]] = {}
    for rule in rules:
        for name in dir(rule):
            if name.startswith("visit_"):
                table.setdefault(name.removeprefix("visit_"), []).append((rule, getattr(rule, name)))
    return table


_LAYOUT = (
    "whitespace", "lpar", "rpar", "comma", "semicolon", "leading_lines", "lines_after", "header", "footer", "trailing",
    "lbrace", "rbrace", "lbracket", "rbracket", "dot", "equal", "indent", "newline", "encoding", "default_",
    "has_trailing", "operator",
)  # fmt: skip


@cache
def _child_fields(kind: type[Any]) -> tuple[str, ...]:
    """The fields of a LibCST node class that can hold code, layout left out."""
    fields = getattr(kind, "__dataclass_fields__", {})
    return tuple(name for name in fields if (not name.startswith(_LAYOUT) and name != "value") or _is_code(kind, name))


def _is_code(kind: type[Any], name: str) -> bool:
    # ``value`` is the text of a Name, a number or white space, but a node everywhere else.
    return name == "value" and kind.__name__ not in (
        "Name",
        "SimpleString",
        "Integer",
        "Float",
        "Imaginary",
        "Comment",
    )
