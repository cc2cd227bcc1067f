"""Pieces: the parts of a file that LibCST gets to see, parsed with positions, and the one walk over them."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from bglint.model import Location, Span
from bglint.source import Source

if TYPE_CHECKING:
    import libcst as cst
    from libcst.metadata import CodeRange

    from bglint.index.facts import Module, Scope
    from bglint.rules.base import Rule
    from bglint.rules.context import RuleContext


class Piece:
    """One statement of a module or class body with its whole lines: ``first`` to ``last`` row.

    ``scope`` is the module or class whose body holds the statements; several where they share a line.
    """

    __slots__ = ("first", "last", "scope", "statements")

    def __init__(self, scope: Scope, statements: list[ast.stmt], first: int, last: int) -> None:
        self.scope = scope
        self.statements = statements
        self.first = first
        self.last = last


def pieces(module: Module, rows: Iterable[int]) -> Iterator[Piece]:
    """The pieces that hold any of the ``rows``, in order. Classes are entered, so that one method is one piece."""
    yield from _pieces(module, module.tree.body, sorted(set(rows)))


def _pieces(scope: Scope, body: list[ast.stmt], rows: list[int]) -> Iterator[Piece]:
    group: list[ast.stmt] = []
    for position, statement in enumerate(body):
        group.append(statement)
        following = body[position + 1] if position + 1 < len(body) else None
        if following is not None and _first_row(following) <= (statement.end_lineno or 0):
            continue  # `a = 1; b = 2`: one line cannot be cut
        first, last = _first_row(group[0]), statement.end_lineno or statement.lineno
        if any_between(rows, first, last):
            yield from _piece(scope, group, first, last, rows)
        group = []


def _piece(scope: Scope, group: list[ast.stmt], first: int, last: int, rows: list[int]) -> Iterator[Piece]:
    node = group[0]
    if len(group) == 1 and isinstance(node, ast.ClassDef) and _first_row(node.body[0]) > _header_end(node):
        head = _first_row(node.body[0]) - 1
        if not any_between(rows, first, head):
            yield from _pieces(scope.child(node), node.body, [row for row in rows if row > head])
            return
    yield Piece(scope, group, first, last)


def any_between(rows: list[int], first: int, last: int) -> bool:
    """Whether any of the sorted rows lies from ``first`` to ``last``."""
    position = bisect_left(rows, first)
    return position < len(rows) and rows[position] <= last


def _header_end(node: ast.ClassDef) -> int:
    return max(
        [
            node.lineno,
            *(b.end_lineno or 0 for b in node.bases),
            *(k.value.end_lineno or 0 for k in node.keywords),
        ]
    )


def _first_row(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)])


def parse_piece(source: Source, piece: Piece) -> tuple[cst.Module, dict[cst.CSTNode, Span]]:
    """The LibCST tree of a piece, and where its nodes stand in the file.

    A method keeps its indentation under a made-up class header, so columns need no correction.
    Raises libcst.ParserSyntaxError and the other errors of LibCST's parser.
    """
    import libcst as cst

    lines = source.lines[piece.first - 1 : piece.last]
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip(" \t"))] if piece.scope.is_class else ""
    header = f"class _:{source.newline}" if indent else ""
    tree = cst.parse_module(header + "".join(lines))
    shift = piece.first - 1 - (1 if header else 0)
    positions = {
        node: Span(
            Location(place.start.line + shift, place.start.column + 1),
            Location(place.end.line + shift, place.end.column + 1),
        )
        for node, place in _positions(tree).items()
    }
    return tree, positions


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
        for visit in table.get(type(node).__name__, ()):
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


def _dispatch(rules: Iterable[Rule]) -> dict[str, list[Callable[[Any], Any]]]:
    table: dict[str, list[Callable[[Any], Any]]] = {}
    for rule in rules:
        for name in dir(rule):
            if name.startswith("visit_"):
                table.setdefault(name.removeprefix("visit_"), []).append(getattr(rule, name))
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
