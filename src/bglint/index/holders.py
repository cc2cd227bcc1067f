"""Holders: the names under which a project gets at the objects of a class, wherever they are used.

A file can only call a method of an object that it reaches through a name: of the class or a subclass, of a variable
or attribute that holds an instance, or of a function that returns one. The names bound a search; they prove nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bglint.index.callers import Callers, Owner, rows_naming, statements_at
from bglint.index.facts import Binding, BindingKind, Module, Scope
from bglint.index.symbols import Symbol

if TYPE_CHECKING:
    from bglint.index.project import Project

_TOO_MANY = 200


@dataclass(slots=True)
class Holder:
    """A name that holds such objects: the files that bind it, and those in which it can mean that.

    The latter import the former, and where the name is a method's or attribute's, hold an object of its class.
    ``is_function`` for a function that returns one.
    """

    name: str
    is_function: bool = False
    bound: set[Path] = field(default_factory=set)
    users: set[Path] = field(default_factory=set)


def holders(
    project: Project, callers: Callers, targets: frozenset[str], words: Iterable[str], files: Iterable[Path]
) -> dict[str, Holder] | None:
    """The names that hold objects of the classes ``targets`` (full names), found in ``files`` from ``words`` on.

    None where there are too many names for them to tell anything.
    """
    near = set(files)
    found: dict[str, Holder] = {word: Holder(word, users=near) for word in words}
    fresh = list(found.values())
    while fresh:
        if len(found) > _TOO_MANY:
            return None
        following: dict[str, Holder] = {}
        for path in sorted(set().union(*(holder.users & near for holder in fresh)), key=str):
            names = [h.name for h in fresh if path in h.users and callers.mentions(path, h.name)]
            project.trim(rounds=3)
            module = project.module_at(path) if names else None
            held = {
                (name, Owner.of(owner) if owner is not None else None, of)
                for name, owner, of in _held(project, module, names, targets)
            }
            for name, owner, is_function in sorted(held, key=str):
                if name not in found or not found[name].bound:  # also a word to start from that is bound to an object
                    holder = following.setdefault(name, Holder(name, is_function))
                    holder.bound.add(path)
                    holder.users |= callers.reaching(path) if owner is None else callers.holding(owner)
        found |= following
        fresh = list(following.values())
        for holder in fresh:
            holder.users |= holder.bound
    return found


def _held(
    project: Project, module: Module | None, names: list[str], targets: frozenset[str]
) -> Iterator[tuple[str, Scope | None, bool]]:
    """What statements of a module that mention one of the names bind to such objects.

    Each with the class that it is a method or attribute of, and whether it is a function.
    """
    if module is None:
        return
    resolver = project.resolver
    for statement, scope in statements_at(module, rows_naming(module.text, names), headers=True):
        for name, binding in _bound_by(statement, scope):
            owner = scope if scope.is_class else None
            if binding.kind is BindingKind.FUNCTION and binding.scope is not None:
                symbol = resolver.returned(Symbol(name, scope=binding.scope))
                yield from ((name, owner, False) for name in _attributes(project, binding.scope, targets))
            else:
                symbol = resolver.binding(binding, scope, name)
            if symbol is not None and _is_one_of(project, symbol, targets):
                yield name, owner, binding.kind is BindingKind.FUNCTION


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
