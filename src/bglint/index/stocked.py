"""Queues that are known to hold something where ``get`` is called: they were asked right around or before."""

from __future__ import annotations

import ast

from bglint.index.context import FUNCTIONS, JUMPS, before
from bglint.index.facts import Module, dotted_text


def is_stocked(module: Module, call: ast.Call, queue: ast.expr) -> bool:
    """Whether a condition around ``call``, or one before it that jumps away, says that ``queue`` is not empty."""
    text = dotted_text(queue)
    if not text:
        return False
    child: ast.AST = call
    for parent in module.ancestors(call):
        if any(_jumps_away(statement, text) for statement in before(parent, child)):
            return True
        if isinstance(parent, (*FUNCTIONS, ast.ClassDef)):
            return False
        if isinstance(parent, (ast.If, ast.IfExp, ast.While)) and child is not parent.test:
            in_body = child is parent.body or (isinstance(parent.body, list) and child in parent.body)
            if _says(parent.test, text, is_empty=not in_body):
                return True
        child = parent
    return False


def _jumps_away(statement: ast.stmt, text: str) -> bool:
    is_exit = isinstance(statement, ast.If) and isinstance(statement.body[-1], JUMPS)
    return is_exit and _says(statement.test, text, is_empty=True)  # type: ignore[attr-defined]


def _says(test: ast.expr, text: str, is_empty: bool) -> bool:
    """Whether a test that holds says that the queue is empty, or that it is not."""
    if isinstance(test, ast.BoolOp):
        return isinstance(test.op, ast.And) and any(_says(value, text, is_empty) for value in test.values)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _says(test.operand, text, not is_empty)
    if isinstance(test, ast.Compare) and _asks(test.left, text, "qsize"):
        return isinstance(test.ops[0], (ast.Eq, ast.LtE) if is_empty else (ast.Gt, ast.GtE, ast.NotEq))
    return _asks(test, text, "empty") if is_empty else _asks(test, text, "qsize")


def _asks(node: ast.expr, text: str, method: str) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr == method and dotted_text(node.func.value) == text
