"""The names through which blocking can be reached in a project, found backwards from the sinks.

The answer bounds the search: a call whose name is not among them reaches no sink, so neither it nor its file
needs a closer look. It decides nothing else; every finding is proven by ``Blocking`` call by call.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bglint.index import data
from bglint.index.blocking import Blocking, Sink, sink_names, sink_words, sinks_of
from bglint.index.callers import Callers, calls_in
from bglint.index.facts import BindingKind, Module, Scope

if TYPE_CHECKING:
    from bglint.index.project import Project

_AS = re.compile(rb"(\w+) as (\w+)")


class Reach:
    """``words`` make a file worth the look for direct calls, ``names`` are the callees that may block."""

    def __init__(self, project: Project, callers: Callers, kinds: Iterable[str]) -> None:
        self.project = project
        self.callers = callers
        self.kinds = frozenset(kinds)
        self.words = frozenset(word.encode() for word in sink_words(self.kinds, project.extra_blocking))
        direct = set(sink_names(self.kinds, project.extra_blocking))
        self.providers: frozenset[bytes] = frozenset()
        self.names: frozenset[str] = frozenset()
        self._pairs: dict[Path, list[tuple[bytes, bytes]]] = {}
        self.direct = frozenset(direct | self._aliases(direct))
        self._find()

    def mentions_sink(self, content: bytes) -> bool:
        """Whether a file may hold a direct call of a sink: it names a library that blocks, or a holder of its objects."""
        return any(word in content for word in self.words) or any(word in content for word in self.providers)

    def callees(self, content: bytes) -> frozenset[str]:
        """The called names worth a look in a file of that content."""
        return self.names | self.direct if self.mentions_sink(content) else self.names

    def _find(self) -> None:
        blocking = Blocking(self.project)
        found: set[Scope] = set()
        self._find_providers()
        holding = ((p, self.direct) for p in self.callers.files if self.mentions_sink(self.callers.data(p)))
        fresh = self._round(blocking, holding, found)
        while fresh:
            looks = [(name, function.module.path) for function in fresh for name in self._looks(function)]
            self.names |= {name for name, _ in looks}
            fresh = self._round(blocking, self.callers.files_calling(looks), found)

    def _round(self, blocking: Blocking, files: Iterable[tuple[Path, frozenset[str]]], found: set[Scope]) -> set[Scope]:
        """The sync functions, not found before, that call one of a file's names and by that a sink or a found one."""
        fresh: set[Scope] = set()
        for path, names in files:
            called = self.callers.called(path)
            here = frozenset(name for name in names if name.encode() in called)
            module = self.project.module_at(path) if here else None
            for call, scope in calls_in(module, here) if module is not None else ():
                if scope.is_function and not scope.is_async and scope not in found:
                    reached = blocking.reached(call, scope)
                    if reached in found or (isinstance(reached, Sink) and reached.kind in self.kinds):
                        found.add(scope)
                        fresh.add(scope)
        return fresh

    def _looks(self, function: Scope) -> set[str]:
        """What calls of a function look like: its name, its class's for ``__init__``, and aliases of these."""
        owner = function.owner
        if owner is not None and function.name in ("__init__", "__post_init__", "__new__", "__call__"):
            names = {owner.name, *_subclass_names(owner)}
        else:
            names = {function.name} - {"<lambda>"}
        return names | self._aliases(names)

    def _aliases(self, names: set[str]) -> set[str]:
        wanted = {name.encode() for name in names}
        found: set[str] = set()
        for path in self.callers.files:
            content = self.callers.data(path)
            if b" as " in content:
                for name, alias in self._as_pairs(path):
                    if name in wanted:
                        found.add(alias.decode("utf-8", "replace"))
        return found

    def _as_pairs(self, path: Path) -> list[tuple[bytes, bytes]]:
        cached = self._pairs.get(path)
        if cached is None:
            cached = [
                (before, after)
                for line in self.callers.data(path).split(b"\n")
                if b" as " in line
                for before, after in _AS.findall(line)
            ]
            self._pairs[path] = cached
        return cached

    def _find_providers(self) -> None:
        """Names under which other files get at objects whose methods block: singletons, attributes, factories."""
        sinks = sinks_of(self.kinds, self.project.extra_blocking)
        classes = frozenset(c for name in sinks if (c := _class_of(name)))
        shorts = frozenset(c.rpartition(".")[2] for c in classes)
        if not shorts:
            return
        found: set[str] = set()
        for path in self.callers.files:
            content = self.callers.data(path)
            if any(word in content for word in self.words) and any(s.encode() in content for s in shorts):
                module = self.project.module_at(path)
                if module is not None:
                    found.update(self._provided(module, classes, shorts))
        self.providers = frozenset(name.encode() for name in found if len(name) > 1)

    def _provided(self, module: Module, classes: frozenset[str], shorts: frozenset[str]) -> Iterator[str]:
        lines = module.text.splitlines()
        scopes: list[Scope] = [module]
        while scopes:
            owner = scopes.pop()
            for name, bindings in owner.names.bindings.items():
                for binding in bindings:
                    node = binding.node
                    if binding.kind is BindingKind.CLASS and binding.scope is not None:
                        scopes.append(binding.scope)
                        if any(_named(b, shorts) for b in getattr(node, "bases", ())):
                            yield name
                        continue
                    first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
                    if not any(short in line for line in lines[first - 1 : last] for short in shorts):
                        continue
                    if binding.kind is BindingKind.FUNCTION and binding.scope is not None:
                        yield from self._attributes(binding.scope, classes)
                        given = self.project.resolver.produced(binding.scope)
                    else:
                        given = self.project.resolver.binding(binding, owner, name)
                    if given is not None and given.instance and given.name in classes:
                        yield name

    def _attributes(self, method: Scope, classes: frozenset[str]) -> Iterator[str]:
        for (_, name), bindings in method.names.attributes.items():
            for binding in bindings:
                given = self.project.resolver.binding(binding, method, name)
                if given is not None and given.instance and given.name in classes:
                    yield name


def _subclass_names(owner: Scope) -> Iterator[str]:
    """The names of the classes of the same module that inherit from ``owner`` by name."""
    for name, bindings in owner.module.names.bindings.items():
        for binding in bindings:
            if any(getattr(base, "id", None) == owner.name for base in getattr(binding.node, "bases", ())):
                yield name


def _class_of(name: str) -> str | None:
    base = name.rpartition(".")[0]
    return base if base and data.is_class_name(base) else None


def _named(base: object, shorts: frozenset[str]) -> bool:
    return getattr(base, "attr", getattr(base, "id", None)) in shorts
