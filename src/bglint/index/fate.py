"""What becomes of a value that a call makes: dropped, bound to a local name that nobody reads, or perhaps kept."""

from __future__ import annotations

import ast

from bglint.index.context import hands_on
from bglint.index.facts import Scope


def lost_as(call: ast.Call, scope: Scope) -> str | None:
    """How the value of ``call`` is lost: as "" when a statement drops it, else the local name that is never read.

    None where something keeps it, or may: a name that is read, an attribute, an argument, a return.
    """
    parents = scope.module.parents
    value: ast.AST = call
    parent = parents.get(value)
    local = ""
    while parent is not None and hands_on(parent, value):
        if isinstance(parent, ast.NamedExpr):
            local = parent.target.id
            if not is_unused(local, scope):
                return None
        value, parent = parent, parents.get(parent)
    if isinstance(parent, ast.Expr):
        return local
    if isinstance(parent, (ast.Assign, ast.AnnAssign)):
        names = bound_names(parent, call)
        return names[0] if names and all(is_unused(name, scope) for name in names) else None
    return None


def bound_names(statement: ast.Assign | ast.AnnAssign, call: ast.Call) -> list[str]:
    """The names that an assignment gives the value of ``call``; empty where it goes anywhere else too."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    value = statement.value
    names: list[str] = []
    for target in targets:
        chosen: ast.expr = target
        if isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)):
            if len(target.elts) != len(value.elts) or call not in value.elts:
                return []
            chosen = target.elts[value.elts.index(call)]
        if not isinstance(chosen, ast.Name):
            return []
        names.append(chosen.id)
    return names


def is_unused(name: str, scope: Scope) -> bool:
    """Whether ``name``, bound in ``scope``, is a local variable that is never read."""
    if not scope.is_function or name in scope.names.globals or name in scope.names.nonlocals:
        return False
    read = scope.reads
    return name not in read and not read & {"locals", "vars"}
