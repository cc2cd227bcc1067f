"""Holders: the names under which a project gets at the objects of a class, wherever they are used.

A file can only call a method of an object that it reaches through a name: of the class or a subclass, of a variable
or attribute that holds an instance, or of a function that returns one. The names bound a search; they prove nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bglint.index.callers import Callers, rows_of, statements_at
from bglint.index.facts import Binding, BindingKind, Module, Scope
from bglint.index.symbols import Symbol

if TYPE_CHECKING:
    from bglint.index.project import Project

_TOO_MANY = 200


def holders(
    project: Project, callers: Callers, targets: frozenset[str], words: Iterable[str], files: Iterable[Path]
) -> dict[str, set[Path]] | None:
    """The names that hold objects of the classes ``targets`` (full names), and the files that bind them.

    Found in ``files``, from ``words`` on. None where there are too many names for them to tell anything.
    """
    candidates = sorted(files)
    names: set[str] = set()
    bound: dict[str, set[Path]] = {}
    fresh = set(words)
    while fresh:
        names |= fresh
        if len(names) > _TOO_MANY:
            return None
        encoded = [name.encode() for name in fresh]
        pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(fresh))) + r")\b")
        found: set[str] = set()
        for path in candidates:
            content = callers.data(path)
            if any(name in content for name in encoded):
                module = project.module_at(path)
                if module is not None:
                    for name in _held(project, module, pattern, targets):
                        bound.setdefault(name, set()).add(path)
                        found.add(name)
        fresh = found - names
    return bound


def _held(project: Project, module: Module, pattern: re.Pattern[str], targets: frozenset[str]) -> Iterator[str]:
    """The names that statements of a module, on the rows that match, bind to such objects."""
    resolver = project.resolver
    for statement, scope in statements_at(module, rows_of(module.text, pattern), headers=True):
        for name, binding in _bound_by(statement, scope):
            if binding.kind is BindingKind.FUNCTION and binding.scope is not None:
                symbol = resolver.returned(Symbol(name, scope=binding.scope))
                yield from _attributes(project, binding.scope, targets)
            else:
                symbol = resolver.binding(binding, scope, name)
            if symbol is not None and _is_one_of(project, symbol, targets):
                yield name


def _bound_by(statement: ast.stmt, scope: Scope) -> Iterator[tuple[str, Binding]]:
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    for name, bindings in scope.names.bindings.items():
        for binding in bindings:
            if binding.node is statement or first <= binding.row <= last:
                yield name, binding


def _attributes(project: Project, function: Scope, targets: frozenset[str]) -> Iterator[str]:
    for (_, name), bindings in function.names.attributes.items():
        for binding in bindings:
            symbol = project.resolver.binding(binding, function, name)
            if symbol is not None and _is_one_of(project, symbol, targets):
                yield name


def _is_one_of(project: Project, symbol: Symbol, targets: frozenset[str]) -> bool:
    """Whether a symbol is, holds or gives an object of one of the classes (or the class itself)."""
    if symbol.class_ is not None:
        if any(ancestor.name in targets for ancestor in project.resolver.mro(symbol.class_)):
            return True
    elif symbol.name in targets:
        return True
    return any(_is_one_of(project, inner, targets) for inner in (symbol.item, symbol.value) if inner is not None)
