"""Holders: the names under which a project gets at the objects of a class, wherever they are used.

A file can only call a method of an object that it reaches through a name: of the class or a subclass, of a variable
or attribute that holds an instance, or of a function that returns one. The names bound a search; they prove nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bglint.index.callers import Callers, statements_at
from bglint.index.facts import Binding, BindingKind, Module, Scope
from bglint.index.places import Owner
from bglint.index.symbols import Symbol
from bglint.index.words import rows_naming

if TYPE_CHECKING:
    from bglint.index.project import Project


@dataclass(slots=True)
class Holder:
    """A name that holds such objects: the files that bind it, and those in which it can mean that.

    The latter import the former, and where the name is a method's or attribute's, hold an object of its class.
    ``is_function`` for a function that returns one; ``classes`` are those of the objects.
    """

    name: str
    is_function: bool = False
    bound: set[Path] = field(default_factory=set)
    users: set[Path] | frozenset[Path] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)


def holders(
    project: Project,
    callers: Callers,
    targets: frozenset[str],
    words: Mapping[str, set[Path] | frozenset[Path]],
    most: int = 200,
    most_looks: int | None = None,
) -> dict[str, Holder] | None:
    """The names that hold objects of the classes ``targets`` (full names).

    ``words`` are the names to start from, each with the files in which it can mean such a class. None where there
    are more names than ``most``, or more files to look into than ``most_looks``: too many to tell anything.
    """
    near = frozenset().union(*words.values())
    found = {word: Holder(word, users=paths) for word, paths in words.items()}
    fresh = list(found.values())
    looked = 0
    while fresh:
        if len(found) - len(words) > most:
            return None
        looks: dict[Path, list[str]] = {}
        for holder in fresh:
            for path in holder.users & near & callers.mentioning(holder.name):
                looks.setdefault(path, []).append(holder.name)
        looked += len(looks)
        if most_looks is not None and looked > most_looks:
            return None
        following: dict[str, Holder] = {}
        for path in sorted(looks, key=str):
            project.trim()
            for name, owner, is_function, classes in _held_in(project, path, looks[path], targets):
                if name not in found or not found[name].bound:  # also a word to start from that is bound to an object
                    holder = following.setdefault(name, Holder(name, is_function))
                    holder.bound.add(path)
                    holder.classes |= classes
                    holder.users = holder.users | (callers.reaching(path) if owner is None else callers.holding(owner))
        found |= following
        fresh = list(following.values())
        for holder in fresh:
            holder.users = holder.users | holder.bound
    return found


def _held_in(
    project: Project, path: Path, names: list[str], targets: frozenset[str]
) -> set[tuple[str, Owner | None, bool, frozenset[str]]]:
    """What a file binds to such objects in statements that mention one of the names.

    Each with the class that it is a method or attribute of, whether it is a function, and which classes these are.
    """
    module = project.module_at(path)
    held = _held(project, module, names, targets) if module is not None else ()
    return {(name, Owner.of(owner) if owner is not None else None, of, classes) for name, owner, of, classes in held}


def _held(
    project: Project, module: Module, names: list[str], targets: frozenset[str]
) -> Iterator[tuple[str, Scope | None, bool, frozenset[str]]]:
    resolver = project.resolver
    for statement, scope in statements_at(module, rows_naming(module.text, names), headers=True):
        for name, binding in _bound_by(statement, scope):
            owner = scope if scope.is_class else None
            if binding.kind is BindingKind.FUNCTION and binding.scope is not None:
                symbol = resolver.returned(Symbol(name, scope=binding.scope))
                for attribute, classes in _attributes(project, binding.scope, targets):
                    yield attribute, owner, False, classes
            else:
                symbol = resolver.aliased(binding, scope) or resolver.binding(binding, scope, name)
            if symbol is not None and (classes := _classes_of(project, symbol, targets)):
                yield name, owner, binding.kind is BindingKind.FUNCTION, classes


def _bound_by(statement: ast.stmt, scope: Scope) -> Iterator[tuple[str, Binding]]:
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    for name, bindings in scope.names.bindings.items():
        for binding in bindings:
            if binding.node is statement or first <= binding.row <= last:
                yield name, binding


def _attributes(project: Project, function: Scope, targets: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for (receiver, name), bindings in function.names.attributes.items():
        for binding in bindings:
            symbol = project.resolver.binding(binding, function, f"{receiver}.{name}")
            if symbol is not None and (classes := _classes_of(project, symbol, targets)):
                yield name, classes


def _classes_of(project: Project, symbol: Symbol, targets: frozenset[str]) -> frozenset[str]:
    """The ``targets`` of which a symbol is one, or holds or gives an object."""
    if symbol.class_ is not None:
        own = targets.intersection(ancestor.name for ancestor in project.resolver.mro(symbol.class_))
    else:
        own = targets & {symbol.name}
    inner = (_classes_of(project, part, targets) for part in (symbol.item, symbol.value) if part is not None)
    return own.union(*inner)
