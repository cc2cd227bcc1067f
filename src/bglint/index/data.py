"""The index's knowledge of libraries, read once from the TOML tables beside this file."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Calls that give back their first argument, as far as types go.
PASS_THROUGH = frozenset({"copy.copy", "copy.deepcopy", "builtins.iter"})
# Calls that enter the context manager they are given.
ENTERING = frozenset({"contextlib.AsyncExitStack.enter_context", "contextlib.ExitStack.enter_context"})
ENTERING_ASYNC = "contextlib.AsyncExitStack.enter_async_context"
# Calls in a class body that say what its instances start with.
FIELD_MAKERS = frozenset({"attr.field", "attr.ib", "attrs.field", "dataclasses.field", "pydantic.Field"})
# Calls that make a list of what their first argument iterates over.
SEQUENCE_MAKERS = frozenset(
    {
        "builtins.list",
        "builtins.set",
        "builtins.tuple",
        "builtins.sorted",
        "builtins.reversed",
        "builtins.frozenset",
    }
)


@cache
def load(name: str) -> dict[str, Any]:
    """One TOML table of this package, parsed."""
    return tomllib.loads(Path(__file__).with_name(name).read_text("utf-8"))


@cache
def canonical(dotted: str) -> str:
    """The one spelling of a qualified name that is known under several."""
    table = canonical_names()
    for _ in range(4):
        changed = False
        prefix = dotted
        while prefix:
            if prefix in table:
                dotted = table[prefix] + dotted[len(prefix) :]
                changed = True
                break
            prefix = prefix.rpartition(".")[0]
        if not changed:
            break
    return dotted


def canonical_names() -> dict[str, str]:
    """Other spelling of a qualified name, or of what it starts with → the one in the tables."""
    table: dict[str, str] = load("types.toml")["canonical"]
    return table


def returns() -> dict[str, str]:
    """Callable → class of what it returns."""
    table: dict[str, str] = load("types.toml")["returns"]
    return table


def items() -> dict[str, str]:
    """Callable → class of the items that its result iterates over."""
    table: dict[str, str] = load("types.toml")["items"]
    return table


@cache
def containers() -> frozenset[str]:
    """Generic classes whose first argument is what they hold."""
    return frozenset(load("types.toml")["containers"]["names"])


@cache
def mappings() -> frozenset[str]:
    """Generic classes with a key and a value argument."""
    return frozenset(load("types.toml")["containers"]["mappings"])


@cache
def fluent() -> frozenset[str]:
    """Classes whose methods give the object itself, or one like it, unless something else is known of them."""
    return frozenset(load("types.toml")["fluent"]["names"])


def factories() -> dict[str, str]:
    """Classes whose instances make objects when they are called → the argument that names another class for these."""
    table: dict[str, str] = load("types.toml")["factories"]
    return table


@cache
def subscripted(dotted: str) -> str | None:
    """The class of what subscripting an outside object, or an attribute of one, gives."""
    prefix = dotted
    while prefix and (found := returns().get(f"{prefix}.__getitem__")) is None:
        prefix = prefix.rpartition(".")[0]
    return found if prefix else None


@cache
def is_class_name(dotted: str) -> bool:
    """Whether an outside name reads as a class: CapWords in its last part, or one of the listed exceptions."""
    last = dotted.rpartition(".")[2]
    return (last[:1].isupper() and not last.isupper()) or dotted in load("types.toml")["classes"]["names"]


def matches(dotted: str, names: frozenset[str]) -> bool:
    """Whether a name is among ``names``, as it is or below an entry that ends in ``.*``."""
    if dotted in names:
        return True
    prefix = dotted.rpartition(".")[0]
    while prefix:
        if f"{prefix}.*" in names:
            return True
        prefix = prefix.rpartition(".")[0]
    return False
