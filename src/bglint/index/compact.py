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


class _Classes(dict[type[ast.AST], type[ast.AST]]):
    """Node class → the class of such compact nodes; itself where there is one node for a whole tree (``Load``)."""

    def __missing__(self, kind: type[ast.AST]) -> type[ast.AST]:
        members = {"__slots__": _SLOTS[kind], "__module__": kind.__module__, "__reduce__": _reduce}
        self[kind] = compact = type(kind.__name__, (kind,), members) if _SLOTS[kind] else kind
        return compact


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
            value = held.get(name)
            if isinstance(value, ast.AST):
                value = _shell(value, pending)
            elif type(value) is list:
                value = [_shell(v, pending) if isinstance(v, ast.AST) else v for v in value] if value else _NOTHING
            elif type(value) is int and value > _SMALL and name in ("lineno", "end_lineno"):
                value = _row(value)
            setattr(new, name, value)
    return root


def _shell(node: ast.AST, pending: list[tuple[ast.AST, ast.AST]]) -> ast.AST:
    """The compact node for ``node``, to be filled later."""
    kind = _CLASSES[type(node)]
    if kind is type(node):
        return node
    shell = kind.__new__(kind)
    pending.append((node, shell))
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
