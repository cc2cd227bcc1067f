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
from bglint.index.facts import Scope
from bglint.index.holders import holders

if TYPE_CHECKING:
    from bglint.index.project import Project

# `fetch = requests.get`, `fetch = partial(requests.get, timeout=5)`
_ASSIGNED = re.compile(rb"(\w+)[ \t]*=[ \t]*(?:(?:functools\.)?partial\([ \t]*)?(?:\w+\.)*(\w+)[ \t]*(?:[,)#]|\r?\n)")


class Reach:
    """``words`` make a file worth the look for direct calls, ``names`` are the callees that may block."""

    def __init__(self, project: Project, callers: Callers, kinds: Iterable[str]) -> None:
        self.project = project
        self.callers = callers
        self.kinds = frozenset(kinds)
        self.words = frozenset(word.encode() for word in sink_words(self.kinds, project.extra_blocking))
        direct = set(sink_names(self.kinds, project.extra_blocking))
        self.providers: list[tuple[re.Pattern[bytes], set[Path]]] = []
        self.names: frozenset[str] = frozenset()
        self.direct = frozenset(direct.union(*map(callers.aliases, direct)) | self._assigned(direct))
        self._find()

    def mentions_sink(self, path: Path) -> bool:
        """Whether a file may call a sink directly: it names a library that blocks, or a holder of its objects."""
        content = self.callers.data(path)
        if any(word in content for word in self.words):
            return True
        return any(path in near and used.search(content) for used, near in self.providers)

    def callees(self, path: Path) -> frozenset[str]:
        """The called names worth a look in a file."""
        return self.names | self.direct if self.mentions_sink(path) else self.names

    def matters(self, path: Path) -> bool:
        """Whether a file calls anything worth a look."""
        called = self.callers.called(path)
        return any(name.encode() in called for name in self.callees(path))

    def _find(self) -> None:
        blocking = Blocking(self.project)
        found: set[Scope] = set()
        self.providers = self._find_providers()
        holding = ((p, self.direct) for p in self.callers.files if self.mentions_sink(p))
        fresh = self._round(blocking, holding, found)
        while fresh:
            looks = [(name, function) for function in fresh for name in self._looks(function)]
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
        return names.union(*map(self.callers.aliases, names))

    def _assigned(self, names: set[str]) -> set[str]:
        """The names that files which name a blocking library assign a sink to."""
        wanted = {name.encode() for name in names}
        return {
            alias.decode("utf-8", "replace")
            for path in self.callers.files
            if any(word in self.callers.data(path) for word in self.words)
            for alias, original in _ASSIGNED.findall(self.callers.data(path))
            if original in wanted
        }

    def _find_providers(self) -> list[tuple[re.Pattern[bytes], set[Path]]]:
        """How objects of libraries whose methods block are used elsewhere, and the files that can get at each."""
        sinks = sinks_of(self.kinds, self.project.extra_blocking)
        classes = frozenset(c for name in sinks if (c := _class_of(name)))
        shorts = frozenset(c.rpartition(".")[2] for c in classes)
        near = [p for p in self.callers.files if any(word in self.callers.data(p) for word in self.words)]
        held = holders(self.project, self.callers, classes, shorts, near) or {}
        called = "|".join(map(re.escape, sorted(self.direct)))
        # A function's result may get a name first; a variable or attribute is used where it is named.
        use = {True: r"\s*\(", False: rf"\b[^\n]*\.(?:{called})\s*\("}
        return [
            (
                re.compile(rf"\b{holder.name}{use[holder.is_function]}".encode()),
                set().union(*map(self.callers.reaching, holder.bound)),
            )
            for holder in held.values()
            if holder.name not in shorts
        ]


def _subclass_names(owner: Scope) -> Iterator[str]:
    """The names of the classes of the same module that inherit from ``owner`` by name."""
    for name, bindings in owner.module.names.bindings.items():
        for binding in bindings:
            if any(getattr(base, "id", None) == owner.name for base in getattr(binding.node, "bases", ())):
                yield name


def _class_of(name: str) -> str | None:
    base = name.rpartition(".")[0]
    return base if base and data.is_class_name(base) else None
