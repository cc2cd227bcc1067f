"""The table of calls that block (``blocking.toml``): the kind of a name, and which calls of it do not wait."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from bglint.index import data
from bglint.index.context import argument


@dataclass(frozen=True, slots=True)
class Sink:
    """A call that blocks by itself: its qualified name and kind (``http``, ``sleep``, …)."""

    name: str
    kind: str


class Names:
    """Qualified names, some of which stand for many, each with what is said of it.

    ``X.*`` covers everything below X but classes, ``X.**.f`` every ``f`` below X, however deep.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self.table = table

    def get(self, dotted: str) -> str | None:
        """What is said of a name; None where nothing is."""
        table = self.table
        if dotted in table:
            return table[dotted]
        prefix, _, last = dotted.rpartition(".")
        is_class = last[:1].isupper()
        while prefix:
            found = table.get(f"{prefix}.**.{last}")
            if found is None and not is_class:
                found = table.get(f"{prefix}.*")
            if found is not None:
                return found
            prefix = prefix.rpartition(".")[0]
        return None


@cache
def known_kind(dotted: str) -> str | None:
    """The kind of a known blocking name."""
    return None if _names("fast").get(dotted) else Names(sinks()).get(dotted)


@cache
def is_lazy(dotted: str) -> bool:
    """Whether a sink only blocks where somebody takes the items of what it gives."""
    return dotted in data.load("blocking.toml")["lazy"]["calls"]


@cache
def waits_on_leaving(dotted: str) -> bool:
    """Whether a sink is a context manager that waits when its ``with`` is left, and not before."""
    return dotted in data.load("blocking.toml")["leaving"]["calls"]


@cache
def sinks() -> dict[str, str]:
    """Every entry of the table → its kind."""
    found: dict[str, str] = {}
    for kind, group in data.load("blocking.toml")["names"].items():
        found.update(dict.fromkeys(group["calls"], kind))
        for methods in group.get("methods", ()):
            found.update({f"{owner}.{method}": kind for owner in methods["of"] for method in methods["are"]})
    # Running a thread pool is no blocking by itself; taking all results, or leaving its ``with``, is.
    for section in ("lazy", "leaving"):
        found = dict.fromkeys(data.load("blocking.toml")[section]["calls"], "wait") | found
    return found


@cache
def _names(section: str) -> Names:
    return Names(dict.fromkeys(data.load("blocking.toml")[section]["calls"], section))


def sinks_of(kinds: Iterable[str], extra: Mapping[str, str]) -> Iterator[str]:
    """The qualified names of the sinks of some kinds, the configured ones included."""
    wanted = frozenset(kinds)
    yield from (name for name, kind in sinks().items() if kind in wanted)
    yield from (name for name, kind in extra.items() if kind in wanted)


def instead_of(name: str) -> str | None:
    """What async code uses in the place of a sink."""
    table: dict[str, str] = data.load("blocking.toml")["async"]
    prefix = name
    while prefix and prefix not in table:
        prefix = prefix.rpartition(".")[0]
    return table.get(prefix)


def size_position(name: str) -> int | None:
    """For a queue's ``put``: the position of the size that the queue is made with; without one it never waits."""
    position: int | None = data.load("blocking.toml")["bounded"].get(name)
    return position


def is_non_blocking(call: ast.Call, name: str) -> bool:
    """Whether a call's own arguments say that it does not wait: ``block=False``, ``timeout=0``, ``sleep(0)``."""
    places: dict[str, Any] = data.load("blocking.toml")["instant"].get(name, {})
    flags = [argument(call, places.get("flag"), word) for word in ("block", "blocking", "wait")]
    if any(_is_constant(value, False) for value in flags):
        return True
    if _is_constant(argument(call, places.get("timeout"), "timeout"), 0):
        return True
    if name.startswith("os."):
        return any(_last(value) in _NOT_WAITING for value in (*call.args, *(k.value for k in call.keywords)))
    return name == "time.sleep" and len(call.args) == 1 and _is_constant(call.args[0], 0)


_NOT_WAITING = frozenset({"P_NOWAIT", "P_NOWAITO", "P_DETACH", "WNOHANG"})


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.BinOp):
        return _last(node.left) if _last(node.left) in _NOT_WAITING else _last(node.right)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_constant(node: ast.expr | None, value: float) -> bool:
    return isinstance(node, ast.Constant) and node.value == value and type(node.value) in (bool, int, float)
