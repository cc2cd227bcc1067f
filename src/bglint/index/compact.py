"""Compact syntax trees: the nodes that ``ast.parse`` makes, in a third of their room.

Python keeps what a node holds in a dictionary of its own, made for thirty entries. A compact node is of a subclass that
has a slot for each field: ``isinstance``, ``ast.walk``, ``ast.unparse`` and the like take it for the node that it was.
"""

from __future__ import annotations

import ast
import copyreg
from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")

_NOTHING: list[Any] = []  # nobody changes a tree
_SMALL = 256  # Python keeps one object for each number up to here
_ROWS: list[int] = []
_ROW_NAMES = frozenset({"lineno", "end_lineno"})


class ByKind(dict[type[ast.AST], T | None]):
    """A table by classes of nodes, in which compact nodes count as what they are; None for a class without entry."""

    def __missing__(self, kind: type[ast.AST]) -> T | None:
        self[kind] = found = next((self[base] for base in kind.__mro__[1:] if base in self), None)
        return found


class _Slots(dict[type[ast.AST], tuple[str, ...]]):
    """Node class → all that such a node holds."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        self[kind] = tuple(dict.fromkeys((*kind._fields, *kind._attributes)))
        return self[kind]


class _Classes(dict[type[Any], type[Any]]):
    """Node class → the class of such compact nodes; itself where there is one node for a whole tree (``Load``)."""

    def __missing__(self, kind: type[Any]) -> type[Any]:
        self[kind] = kind
        if issubclass(kind, ast.AST) and _SLOTS[kind]:
            members = {"__slots__": _SLOTS[kind], "__module__": kind.__module__, "__reduce__": _reduce}
            self[kind] = type(kind.__name__, (kind,), members)
        return self[kind]


_SLOTS = _Slots()
_CLASSES = _Classes()


def with_compact(kinds: Iterable[type[ast.AST]]) -> frozenset[type[ast.AST]]:
    """Classes of nodes, and those of compact ones."""
    return frozenset(each for kind in kinds for each in (kind, _CLASSES[kind]))


def compacted(tree: ast.AST) -> Any:
    """A tree of compact nodes that says what ``tree`` does."""
    root = _CLASSES[type(tree)]()
    pending: list[tuple[ast.AST, ast.AST]] = [(tree, root)]
    while pending:
        old, new = pending.pop()
        held = old.__dict__
        for name in _SLOTS[type(old)]:
            value: Any = held.get(name)
            kind = type(value)
            if kind is list:
                value = [_shell(each, pending) for each in value] if value else _NOTHING
            elif kind is int:
                if value > _SMALL and name in _ROW_NAMES:
                    value = _row(value)
            elif _CLASSES[kind] is not kind:
                value = _shell(value, pending)
            setattr(new, name, value)
    return root


def _shell(value: Any, pending: list[tuple[ast.AST, ast.AST]]) -> Any:
    """The compact node for a node, to be filled later; any other value as it is."""
    kind: Any = _CLASSES[type(value)]
    if kind is type(value):
        return value
    shell = kind.__new__(kind)
    pending.append((value, shell))
    return shell


def _reduce(node: ast.AST) -> tuple[Any, ...]:
    """How to copy a compact node: by its slots."""
    kind = type(node)
    return copyreg.__newobj__, (kind,), (None, {name: getattr(node, name) for name in _SLOTS[kind]})  # type: ignore[attr-defined]


def _row(row: int) -> int:
    """One object for all numbers of a row."""
    if row >= len(_ROWS):
        _ROWS.extend(range(len(_ROWS), row + 1_000))
    return _ROWS[row]
