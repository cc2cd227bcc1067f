"""Symbols: what the resolver says an expression is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bglint.index.facts import Module, Scope

COROUTINE = "builtins.coroutine"
PARTIAL = "functools.partial"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A thing with a qualified name.

    ``instance`` tells an instance of the class ``name`` from the class itself. ``scope`` is set for what the project
    defines (a function, class or module). ``item`` is what iterating gives (or awaiting, for a coroutine; or what
    a partial calls), ``value`` what subscripting a mapping gives. ``arguments`` are those of a generic class, or the
    elements of a tuple. ``receiver`` is the class through which a method was reached, ``base`` that class or the
    instance of it.
    """

    name: str
    instance: bool = False
    scope: Scope | None = None
    item: Symbol | None = None
    value: Symbol | None = None
    receiver: Scope | None = None
    base: Symbol | None = None
    arguments: tuple[Symbol | None, ...] = ()

    @property
    def function(self) -> Scope | None:
        """The project function this is, if it is one."""
        scope = self.scope
        return scope if scope is not None and scope.is_function and not self.instance else None

    @property
    def class_(self) -> Scope | None:
        """The project class this is, or is an instance of."""
        return self.scope if self.scope is not None and self.scope.is_class else None

    @property
    def module(self) -> Module | None:
        """The project module this is."""
        return self.scope if isinstance(self.scope, Module) and not self.instance else None

    @property
    def last(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    def made(self) -> Symbol:
        """An instance of this class."""
        return replace(self, instance=True)


def agree(symbols: Iterable[Symbol | None]) -> Symbol | None:
    """The one symbol that all of several possibilities are; None where they differ, or any is unknown.

    Asks no further than the first that is unknown or differs.
    """
    first: Symbol | None = None
    for symbol in symbols:
        if symbol is None or (first is not None and _for_callers(symbol) != _for_callers(first)):
            return None
        first = first or symbol
    return first


def _for_callers(symbol: Symbol) -> tuple[str, bool, bool]:
    """What a symbol is to those who call it: a name may be a ``def`` here and an ``async def`` there."""
    return symbol.name, symbol.instance, symbol.function is not None and symbol.function.is_async
