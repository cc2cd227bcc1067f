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
from bglint.index.blocking import Blocking, Sink
from bglint.index.callers import Callers, calls_in, import_aliases
from bglint.index.facts import Scope
from bglint.index.holders import holders
from bglint.index.sinks import sinks_of

if TYPE_CHECKING:
    from bglint.index.project import Project

# `fetch = requests.get`, `fetch = partial(requests.get, timeout=5)`
_ASSIGNED = re.compile(rb"\b(\w+)[ \t]*=[ \t]*(?:(?:functools\.)?partial\([ \t]*)?(?:\w+\.)*(\w+)[ \t]*(?:[,)#]|\r?\n)")


class Reach:
    """``names`` are the project functions' names through which blocking of the ``kinds`` is reached."""

    def __init__(self, project: Project, callers: Callers, kinds: Iterable[str]) -> None:
        self.project = project
        self.callers = callers
        self.kinds = frozenset(kinds)
        self.names: frozenset[str] = frozenset()
        self._sinks: dict[str, set[str]] = {}  # module → the sinks in it
        for name in sinks_of(self.kinds, project.extra_blocking):
            self._sinks.setdefault(_module_of(name), set()).add(name)
        self._direct: dict[Path, frozenset[str]] = {}
        self._callees: dict[Path, frozenset[str]] = {}
        self._providers: list[tuple[re.Pattern[bytes], set[Path], str]] = []
        self._providers = self._find_providers()
        self._find()

    def direct(self, path: Path) -> frozenset[str]:
        """What direct calls of sinks look like in a file, by the libraries it imports or holds objects of."""
        if path not in self._direct:
            content = self.callers.data(path)
            modules = {m for m in self._sinks if m == "builtins" or self.callers.imports(path, m)}
            modules |= {m for used, near, m in self._providers if path in near and used.search(content)}
            self._direct[path] = self._calls_of(path, modules) if modules else frozenset()
        return self._direct[path]

    def _calls_of(self, path: Path, modules: Iterable[str]) -> frozenset[str]:
        names = {name.rpartition(".")[2] for module in modules for name in self._sinks[module]}
        if "*" in names:
            return frozenset(name.decode("utf-8", "replace") for name in self.callers.called(path))
        content = self.callers.data(path)
        aliases = {alias for name, alias in import_aliases(content) if name in names}
        wanted = {name.encode() for name in names}
        assigned = {alias.decode() for alias, name in _ASSIGNED.findall(content) if name in wanted}
        return frozenset(names | aliases | assigned)

    def callees(self, path: Path) -> frozenset[str]:
        """The called names worth a look in a file."""
        if path not in self._callees:
            self._callees[path] = self.names | self.direct(path)
        return self._callees[path]

    def matters(self, path: Path) -> bool:
        """Whether a file calls anything worth a look."""
        called = self.callers.called(path)
        return any(name.encode() in called for name in self.callees(path))

    def _find(self) -> None:
        blocking = Blocking(self.project)
        found: set[Scope] = set()
        fresh = self._round(blocking, ((p, self.direct(p)) for p in self.callers.files), found)
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

    def _find_providers(self) -> list[tuple[re.Pattern[bytes], set[Path], str]]:
        """How objects of libraries whose methods block are used, the files that can get at them, and the library."""
        return [found for module, sinks in self._sinks.items() for found in self._providers_of(module, sinks)]

    def _providers_of(self, module: str, sinks: set[str]) -> Iterator[tuple[re.Pattern[bytes], set[Path], str]]:
        classes = frozenset(c for name in sinks if (c := _class_of(name)))
        shorts = frozenset(c.rpartition(".")[2] for c in classes)
        near = [path for path in self.callers.files if self.callers.imports(path, module)]
        held = holders(self.project, self.callers, classes, shorts, near) if near and shorts else None
        called = "|".join(sorted({re.escape(name.rpartition(".")[2]) for name in sinks if not name.endswith("*")}))
        # A function's result may get a name first; a variable or attribute is used where it is named.
        use = {True: r"\s*\(", False: rf"\b[^\n]*\.(?:{called or '[a-z]'})\s*\("}
        for holder in (held or {}).values():
            if holder.name not in shorts:
                yield re.compile(rf"\b{holder.name}{use[holder.is_function]}".encode()), holder.users, module


def _subclass_names(owner: Scope) -> Iterator[str]:
    """The names of the classes of the same module that inherit from ``owner`` by name."""
    for name, bindings in owner.module.names.bindings.items():
        for binding in bindings:
            if any(getattr(base, "id", None) == owner.name for base in getattr(binding.node, "bases", ())):
                yield name


def _module_of(name: str) -> str:
    """The module a sink is in: its name up to the first class, or without the function."""
    parts = name.split(".")[:-1]
    for position, part in enumerate(parts):
        if part[:1].isupper() or part.endswith("()"):
            parts = parts[:position]
            break
    return ".".join(parts)


def _class_of(name: str) -> str | None:
    base = name.rpartition(".")[0]
    return base if base and data.is_class_name(base) else None
