"""What a rule knows at work: the piece of LibCST it looks at, the index's view of it, and how to write edits."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bglint.index import context as where
from bglint.model import Edit, Frame, Location, Span
from bglint.rules.base import Candidate

if TYPE_CHECKING:
    import libcst as cst

    from bglint.config import Settings
    from bglint.index.blocking import BlockingPath
    from bglint.index.facts import Module, Scope
    from bglint.index.project import Project
    from bglint.index.symbols import Symbol
    from bglint.rules.base import Rule
    from bglint.source import Source


class RuleContext:
    """One file under lint. The engine moves it from piece to piece; rules only ask.

    ``positions`` maps the current piece's LibCST nodes to spans in the file, ``parents`` to the nodes around them.
    """

    def __init__(self, source: Source, project: Project, settings: Settings, display_path: str) -> None:
        self.source = source
        self.project = project
        self.settings = settings
        self.display_path = display_path
        self.positions: dict[cst.CSTNode, Span] = {}
        self.parents: dict[cst.CSTNode, cst.CSTNode] = {}
        self.candidates: list[tuple[Rule, Candidate]] = []
        self.visiting: Rule | None = None
        self._seen: set[tuple[str, ast.AST]] = set()
        self._sites: dict[Span, ast.expr] = {}
        self._statements: dict[Location, ast.stmt] = {}

    @cached_property
    def module(self) -> Module:
        """The file as the index sees it; raises what ``ast.parse`` raises."""
        return self.project.add(self.source.path, self.source.text)

    # -- the engine's side ---------------------------------------------------------------------------------------

    def enter(self, nodes: Iterable[ast.AST], positions: dict[cst.CSTNode, Span]) -> None:
        """Turn to the next piece: its positions, and its nodes as the index sees them."""
        self.positions = positions
        self.parents = {}
        self._sites = {}
        self._statements = {}
        for node in nodes:
            if isinstance(node, ast.expr):
                self._sites.setdefault(self.ast_span(node), node)
            elif isinstance(node, ast.stmt):
                self._statements.setdefault(self.ast_span(node).start, node)

    def take_candidates(self) -> list[tuple[Rule, Candidate]]:
        """The candidates registered since the last call, in order, each with its rule."""
        found, self.candidates = self.candidates, []
        return found

    # -- places --------------------------------------------------------------------------------------------------

    def span(self, node: cst.CSTNode) -> Span:
        """Where a LibCST node stands in the file, without its own parentheses."""
        return self.positions[node]

    def ast_span(self, node: ast.expr | ast.stmt) -> Span:
        """Where an ``ast`` node stands in the file, in characters."""
        end_row, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
        return Span(self._location(node.lineno, node.col_offset), self._location(end_row, end_column))

    def _location(self, row: int, utf8_column: int) -> Location:
        lines = self.source.lines
        line = lines[row - 1] if row <= len(lines) else ""
        if not line.isascii():
            utf8_column = len(line.encode("utf-8", "surrogatepass")[:utf8_column].decode("utf-8", "replace"))
        return Location(row, utf8_column + 1)

    def handler_header(self, handler: ast.ExceptHandler) -> Span:
        """Where ``except`` and the type that it names stand, without the colon."""
        start = self._location(handler.lineno, handler.col_offset)
        if handler.type is None:
            return Span(start, Location(start.row, start.column + len("except")))
        return Span(start, self.ast_span(handler.type).end)

    def text(self, node: cst.CSTNode | ast.expr | ast.stmt | Span) -> str:
        """The source of a node or span, exactly as written."""
        if isinstance(node, Span):
            return self.source.slice(node)
        return self.source.slice(self.ast_span(node) if isinstance(node, ast.AST) else self.span(node))

    def indentation(self, row: int) -> str:
        """The white space that a row starts with."""
        line = self.source.lines[row - 1]
        return line[: len(line) - len(line.lstrip(" \t\f"))]

    def starts_row(self, node: ast.stmt | ast.expr) -> bool:
        """Whether a row starts with a node."""
        start = self.ast_span(node).start
        return not self.source.lines[start.row - 1][: start.column - 1].strip()

    def indent_unit(self) -> str:
        """One level of indentation as this file writes it."""
        for line in self.source.lines:
            if line.startswith("\t"):
                return "\t"
            if line.startswith(" ") and line.strip():
                width = len(line) - len(line.lstrip(" "))
                return " " * (width if width in (2, 3, 4, 8) else 4)
        return "    "

    # -- names and types -----------------------------------------------------------------------------------------

    def site(self, node: cst.CSTNode) -> Any:
        """The index's node for a LibCST expression; None where they do not correspond."""
        span = self.positions.get(node)
        return self._sites.get(span) if span is not None else None

    def statement(self, node: cst.CSTNode) -> Any:
        """The index's node for a LibCST statement (``Try``, ``For`` …); None where they do not correspond."""
        span = self.positions.get(node)
        return self._statements.get(span.start) if span is not None else None

    def in_own_parentheses(self, call: cst.CSTNode, argument: ast.expr) -> bool:
        """Whether an argument of a LibCST call stands in parentheses, in which a comma would make a tuple."""
        given = (each.value for each in getattr(call, "args", ()))
        return any(value.lpar for value in given if self.site(value) is argument)

    def scope(self, site: ast.AST) -> Scope:
        """The scope in which the index's node is evaluated."""
        return self.module.scope_of(site)

    def resolve(self, node: cst.CSTNode) -> str | None:
        """The qualified name of what a LibCST expression is; None for an instance or the unknown."""
        symbol = self.symbol(node)
        return symbol.name if symbol is not None and not symbol.instance else None

    def type_of(self, node: cst.CSTNode) -> str | None:
        """The qualified name of the class of what a LibCST expression gives; None where it is unknown."""
        symbol = self.symbol(node)
        return symbol.name if symbol is not None and symbol.instance else None

    def symbol(self, node: cst.CSTNode) -> Symbol | None:
        """The resolver's whole answer for a LibCST expression."""
        site = self.site(node)
        return self.project.resolve(site, self.scope(site)) if isinstance(site, ast.expr) else None

    # -- candidates ----------------------------------------------------------------------------------------------

    def candidate(self, node: cst.CSTNode, site: ast.AST | None = None, span: Span | None = None, **data: Any) -> None:
        """Register ``node`` for judgement. The finding covers ``span``, by default the node."""
        site = site if site is not None else self.site(node)
        if site is None or self.visiting is None or (self.visiting.code, site) in self._seen:
            return
        self._seen.add((self.visiting.code, site))
        place = span if span is not None else self.span(node)
        self.candidates.append((self.visiting, Candidate(node, site, self.scope(site), place, data)))

    def noqa_rows(self, candidate: Candidate) -> tuple[int, ...]:
        """Where a noqa comment counts: the reported row, then the first and last row of the statement's own line."""
        site = candidate.site
        # An except clause is no statement, but has a header of its own.
        own = site if isinstance(site, ast.ExceptHandler) else where.statement_of(self.module, site)
        first, last = header_rows(own)
        return tuple(dict.fromkeys((candidate.span.start.row, first, last)))

    def chain(self, candidate: Candidate, path: BlockingPath) -> tuple[Frame, ...]:
        """A blocking path as frames for the report: the candidate first, the sink last; empty for a direct call."""
        if not path.steps:
            return ()
        here = Frame(candidate.scope.full_name, self.display_path, candidate.span.start.row)
        return (
            here,
            *(Frame(step.function.full_name, self.display_file(step.function.path), step.row) for step in path.steps),
        )

    def display(self, module: Module) -> str:
        """How a module's file is named to the user."""
        return self.display_file(module.path)

    def display_file(self, path: Path) -> str:
        """How a file of the project is named to the user."""
        return self.display_path if path == self.module.path else self.project.display(path)

    # -- edits ---------------------------------------------------------------------------------------------------

    def replace(self, node: cst.CSTNode | ast.expr | ast.stmt | Span, content: str) -> Edit:
        """Put ``content`` in the place of a node."""
        if isinstance(node, Span):
            return Edit(node, content)
        return Edit(self.ast_span(node) if isinstance(node, ast.AST) else self.span(node), content)

    def insert(self, location: Location, content: str) -> Edit:
        """Put ``content`` before ``location``."""
        return Edit(Span(location, location), content)

    def import_module(self, name: str, scope: Scope, before: int | None = None) -> tuple[str, tuple[Edit, ...]]:
        """How to write the module ``name`` in ``scope``, and the edits that import it where it is not yet.

        ``before`` is the row that the import must stand above, for code that runs when the module is imported.
        """
        from bglint.fix.imports import import_module

        avoid = names_visible(scope)
        plan = import_module(self.module.tree, self.source.text, name, avoid=avoid, before=before)
        return plan.name, (plan.edit,) if plan.edit is not None else ()


def names_visible(scope: Scope) -> frozenset[str]:
    """The names bound in the functions around (and at) ``scope``: what an import must not be hidden by."""
    return frozenset(name for s in scope.walk_up() if s.is_function for name in s.names.bindings)


def header_rows(statement: ast.stmt | ast.ExceptHandler) -> tuple[int, int]:
    """First and last row of a statement's own logical line: for a compound statement, of its header."""
    last = statement.end_lineno or statement.lineno
    blocks = [getattr(statement, name, None) for name in ("body", "cases", "handlers")]
    bodies = [block for block in blocks if isinstance(block, list) and block]
    if not bodies:
        return statement.lineno, last
    inner = min(_first_row(node) for node in bodies[0])
    return statement.lineno, max(statement.lineno, _last_header_row(statement, inner))


def _first_row(node: ast.AST) -> int:
    decorators = getattr(node, "decorator_list", None) or ()
    own = node.pattern if isinstance(node, ast.match_case) else node
    rows: list[int] = [getattr(own, "lineno", 0), *(d.lineno for d in decorators)]
    return min(rows)


def _last_header_row(statement: ast.stmt | ast.ExceptHandler, inner: int) -> int:
    """The last row of the header: where its expressions end, comments before the body left out."""
    ends = [child.end_lineno or 0 for child in _header_expressions(statement)]
    return min(inner, max(ends, default=statement.lineno)) if inner > statement.lineno else statement.lineno


def _header_expressions(statement: ast.stmt | ast.ExceptHandler) -> Iterator[ast.expr]:
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.expr):
            yield child
        elif isinstance(child, (ast.withitem, ast.arguments)):
            yield from (node for node in ast.walk(child) if isinstance(node, ast.expr))
