"""How the top of a module is laid out: its prefix, its imports, and the rows where something may be added."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path

from bglint.model import Edit, Location, Span
from bglint.source import Source

_Definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Line:
    """A logical line of the module's top level: ``import os; x = 1`` is one, a function with its body is one.

    ``first`` and ``last`` are its rows, decorators and a continued end included.
    """

    first: int
    last: int
    statements: tuple[ast.stmt, ...]

    @property
    def is_import(self) -> bool:
        """Whether there is nothing but imports on it."""
        return all(isinstance(statement, (ast.Import, ast.ImportFrom)) for statement in self.statements)

    @property
    def is_definition(self) -> bool:
        """Whether it is a function or a class."""
        return isinstance(self.statements[0], _Definition)

    @property
    def imports_inside(self) -> bool:
        """Whether an import runs here beside other code, or below an ``if``, ``try`` or ``with``."""
        first = self.statements[0]
        is_main = isinstance(first, ast.If) and "__name__" in ast.dump(first.test)
        if is_main or isinstance(first, (*_Definition, ast.For, ast.While, ast.Match)):
            return False
        return any(
            isinstance(node, (ast.Import, ast.ImportFrom)) or (isinstance(node, ast.Name) and node.id == "__import__")
            for statement in self.statements
            for node in ast.walk(statement)
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where whole lines can be added: above ``row``, with that many blank lines before and after them."""

    row: int
    blank_before: int = 0
    blank_after: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """A module's top level. The first ``prefix`` lines (docstring, ``__future__`` imports) must stay first."""

    rows: Sequence[str]
    newline: str
    lines: Sequence[Line]
    prefix: int

    def limit(self, before: int | None) -> int:
        """Return the row that additions must stand above: ``before``, by default the first definition."""
        if before is not None:
            return before
        return next((line.first for line in self.lines if line.is_definition), sys.maxsize)

    def runs(self, limit: int) -> list[list[Line]]:
        """Return the unbroken runs of import lines above row ``limit``, the prefix left out."""
        runs: list[list[Line]] = [[]]
        for line in islice(self.lines, self.prefix, None):
            if line.first >= limit:
                break
            if line.is_import and line.last < limit:
                runs[-1].append(line)
            elif runs[-1]:
                runs.append([])
        return [run for run in runs if run]

    def sections(self, run: Sequence[Line]) -> list[list[Line]]:
        """Return the parts of a run that blank lines set apart."""
        sections = [[run[0]]]
        for previous, line in pairwise(run):
            if any(self.is_blank(row) for row in range(previous.last + 1, line.first)):
                sections.append([])
            sections[-1].append(line)
        return sections

    def is_blank(self, row: int) -> bool:
        """Tell whether ``row`` is empty or lies outside the text."""
        return not 1 <= row <= len(self.rows) or not self.rows[row - 1].strip()

    def is_comment(self, row: int) -> bool:
        """Tell whether there is only a comment on ``row``."""
        return 1 <= row <= len(self.rows) and self.rows[row - 1].lstrip().startswith("#")

    def front(self, limit: int) -> Place:
        """Return the place for the first import of a module that has none above row ``limit``."""
        index = self.prefix
        # What imports conditionally up here (a fallback, a bootstrap of sys.path) was meant to run first.
        while index < len(self.lines) and self.lines[index].imports_inside and self.lines[index].last < limit:
            index += 1
        return self.above(index)

    def above(self, index: int) -> Place:
        """Return the place for a section of its own above line ``index``, below the header of the file."""
        end = self.lines[index - 1].last if index else 0
        if index == len(self.lines):
            row = end + 1 if index else len(self.rows) + 1
            return Place(row, not self.is_blank(row - 1), not self.is_blank(row))
        line = self.lines[index]
        row = line.first
        while row - 1 > end and self.is_comment(row - 1):
            row -= 1
        if row == end + 1:  # not a comment on the statement, but the shebang, the encoding, the licence
            row = line.first
        while row - 1 > end and self.rows[row - 2].strip() == "\\":
            row -= 1
        follows_code = not self.is_blank(row - 1) and not self.is_comment(row - 1)
        return Place(row, follows_code, 2 if line.is_definition else 1)

    def edit(self, place: Place, added: Sequence[str]) -> Edit:
        """Return the edit that adds the lines ``added`` at ``place``, a missing final newline left missing."""
        lines = [*[""] * place.blank_before, *added, *[""] * place.blank_after]
        text = self.newline.join(lines)
        if place.row > len(self.rows) and self.rows and not self.rows[-1].endswith(("\n", "\r")):
            end = Location(len(self.rows), len(self.rows[-1]) + 1)
            return Edit(Span(end, end), self.newline + text)
        start = Location(place.row, 1)
        return Edit(Span(start, start), text + self.newline)


@lru_cache(maxsize=2)
def layout(tree: ast.Module, text: str) -> Layout:
    """Return the layout of ``text``, whose tree is ``tree``."""
    rows = Source(Path(), b"", text, "utf-8", False, "\n").lines
    lines = _logical_lines(tree, rows)
    prefix = 1 if lines and _is_docstring(lines[0].statements[0]) else 0
    for number, line in enumerate(lines, start=1):
        if any(isinstance(s, ast.ImportFrom) and s.module == "__future__" for s in line.statements):
            prefix = number
    return Layout(rows, _newline(text), lines, prefix)


def _logical_lines(tree: ast.Module, rows: Sequence[str]) -> list[Line]:
    lines: list[Line] = []
    for statement in tree.body:
        decorators = getattr(statement, "decorator_list", ())
        first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
        last = end = statement.end_lineno or statement.lineno
        row = rows[end - 1].encode("utf-8", "surrogatepass")
        rest = row[statement.end_col_offset :].decode("utf-8", "surrogatepass").strip()
        while "#" not in rest and rows[last - 1].rstrip().endswith("\\") and last < len(rows):
            last += 1
        if lines and first <= lines[-1].last:  # after a semicolon, perhaps on a continuation of the line
            lines[-1] = Line(lines[-1].first, last, (*lines[-1].statements, statement))
        else:
            lines.append(Line(first, last, (statement,)))
    return lines


def _is_docstring(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _newline(text: str) -> str:
    pairs = text.count("\r\n")
    counts = {"\n": text.count("\n") - pairs, "\r\n": pairs, "\r": text.count("\r") - pairs}
    return max(counts, key=lambda newline: counts[newline])
