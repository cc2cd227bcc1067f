"""Ways to write the same program differently: text in, text out. None means that this program has no such form."""

from __future__ import annotations

import ast
import warnings
from typing import Any

NON_ASCII_COMMENT = "# Prüfung: 名前 🚀\n"
NON_ASCII_STATEMENT = '"名🚀é"; '


def parse(text: str) -> ast.Module | None:
    """The tree of ``text``, or None where it does not compile (a tree alone may still hold a stray ``await``)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "example.py", "exec", dont_inherit=True)
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def crlf(text: str) -> str:
    """The same text with Windows line ends."""
    return text.replace("\n", "\r\n")


def tabs(text: str) -> str | None:
    """Four spaces of indentation become a tab; not where that would change a multi-line string."""
    tree = parse(text)
    if tree is None or _has_multi_line_string(tree):
        return None
    result = "\n".join("\t" * indent_tabs(line) + line[4 * indent_tabs(line) :] for line in text.split("\n"))
    return result if same_program(text, result) else None


def indent_tabs(line: str) -> int:
    """How many tabs the indentation of ``line`` becomes."""
    return (len(line) - len(line.lstrip(" "))) // 4


def moved_right(text: str, rows: range, levels: int) -> str | None:
    """Move these rows to the right by four spaces a level; not where that would change a multi-line string."""
    tree = parse(text)
    if tree is None or _has_multi_line_string(tree):
        return None
    return "\n".join(
        " " * 4 * levels + line if row in rows and line.strip() else line
        for row, line in enumerate(text.split("\n"), 1)
    )


def with_statement_before(text: str, row: int) -> str | None:
    """Put a non-ASCII statement in front of a simple statement that starts on ``row``, on the same line."""
    tree = parse(text)
    starts = set() if tree is None else {(node.lineno, node.col_offset) for node in _simple_statements(tree)}
    lines = text.split("\n")
    line = lines[row - 1]
    column = len(line) - len(line.lstrip())
    if (row, column) not in starts:
        return None
    lines[row - 1] = line[:column] + NON_ASCII_STATEMENT + line[column:]
    result = "\n".join(lines)
    return result if parse(result) else None


def with_noqa(text: str, row: int, code: str) -> str | None:
    """Append ``# noqa: code`` to the line, if a comment can stand there and none of its kind does."""
    lines = text.split("\n")
    if "noqa" in lines[row - 1]:
        return None
    return with_comment(text, row, f"noqa: {code}")


def with_comment(text: str, row: int, comment: str) -> str | None:
    """Append a comment to the line ``row``; not where it would be part of a string or break the program."""
    lines = text.split("\n")
    lines[row - 1] += f"  # {comment}"
    result = "\n".join(lines)
    return result if same_program(text, result) else None


def without_async(text: str) -> str | None:
    """The program as if Python had no ``async`` and no ``await`` (comments are lost)."""
    tree = parse(text)
    if tree is None:
        return None
    return ast.unparse(ast.fix_missing_locations(_StripAsync().visit(tree))) + "\n"


def same_program(one: str, other: str) -> bool:
    """Whether both compile, to the same tree."""
    first, second = parse(one), parse(other)
    return first is not None and second is not None and ast.dump(first) == ast.dump(second)


def _has_multi_line_string(tree: ast.AST) -> bool:
    return any(
        node.lineno != node.end_lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
    )


def _simple_statements(tree: ast.AST) -> list[ast.stmt]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not hasattr(node, "body")]


class _StripAsync(ast.NodeTransformer):
    """Every asynchronous node becomes its plain twin, which has the same fields."""

    def visit_Await(self, node: ast.Await) -> Any:
        return self.visit(node.value)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return ast.FunctionDef(**_fields(self.generic_visit(node)))

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return ast.For(**_fields(self.generic_visit(node)))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        return ast.With(**_fields(self.generic_visit(node)))

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.is_async = 0
        return self.generic_visit(node)


def _fields(node: ast.AST) -> dict[str, Any]:
    return dict(ast.iter_fields(node))
