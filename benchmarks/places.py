"""Which rows a fix may change: those of the reported statements, imports, and the helper at the module's top."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Finding = Mapping[str, Any]


def stray_rows(before: str, after: str, findings: Iterable[Finding]) -> list[int]:
    """Return the rows of ``after``, a fixed ``before`` with these findings, that are changed without a reason."""
    old, new = before.split("\n"), after.split("\n")
    reported = reported_rows(ast.parse(before), list(findings))
    added = rows_of_additions(ast.parse(before), ast.parse(after))
    stray = []
    for low, high, new_low, new_high in changes(old, new):
        touched = {row for row in range(low + 1, high + 1) if old[row - 1].strip()}
        beside = touched or {low, low + 1} & reported
        if touched <= reported and beside:
            continue
        if touched - reported:
            stray.append(new_low + 1)
        stray += [row for row in range(new_low + 1, new_high + 1) if row not in added and new[row - 1].strip()]
    return stray


def changes(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Yield the slices of ``old`` that became slices of ``new``."""
    shortest = min(len(old), len(new))
    start = next((index for index in range(shortest) if old[index] != new[index]), shortest)
    end = next((index for index in range(shortest - start) if old[-1 - index] != new[-1 - index]), shortest - start)
    middle = difflib.SequenceMatcher(None, old[start : len(old) - end], new[start : len(new) - end], autojunk=False)
    for kind, low, high, new_low, new_high in middle.get_opcodes():
        if kind != "equal":
            yield low + start, high + start, new_low + start, new_high + start


def reported_rows(tree: ast.Module, findings: Sequence[Finding]) -> set[int]:
    """Return the rows of the statements that findings are in, or in whose first row a noqa comment counts."""
    extents = sorted(extent(node) for node in ast.walk(tree) if isinstance(node, (ast.stmt, ast.ExceptHandler)))
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    rows: set[int] = set()
    for finding in findings:
        row, noqa_row = finding["location"]["row"], finding.get("noqa_row")
        rows.add(row)
        around = [pair for pair in extents if pair[0] <= row <= pair[1]]
        for first, last in [*around[-1:], *(pair for pair in around if pair[0] == noqa_row)]:
            rows.update(range(first, last + 1))
        if finding["code"] == "BGL106":  # what was made in the body becomes a parameter
            for function in functions:
                if function.lineno <= row <= extent(function)[1]:
                    rows.update(range(function.lineno, function.body[0].lineno + 1))
    return rows


def extent(node: ast.stmt | ast.ExceptHandler) -> tuple[int, int]:
    """Return the first row, decorators included, and the last one."""
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
    return first, node.end_lineno or node.lineno


def rows_of_additions(before: ast.Module, after: ast.Module) -> set[int]:
    """Return the rows of imports, and of what the top of ``after`` defines and ``before`` did not."""
    known = {name for statement in before.body for name in defined(statement)}
    rows: set[int] = set()
    for statement in after.body:
        names = set(defined(statement))
        if isinstance(statement, (ast.Import, ast.ImportFrom)) or (names and not names & known):
            first, last = extent(statement)
            rows.update(range(first, last + 1))
    return rows


def defined(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a function, class or assignment binds."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))
