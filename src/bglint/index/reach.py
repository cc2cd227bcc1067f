"""The calls through which blocking can be reached in a project, found backwards from the sinks.

The answer bounds the search: another call reaches no sink, so neither it nor its file needs a closer look. It decides
nothing else; every finding is proven by ``Blocking`` call by call.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from bglint.index import data
from bglint.index.blocking import Blocking, Sink
from bglint.index.callers import Callers, Owner, Place, calls_in, import_aliases, last_name
from bglint.index.facts import Scope
from bglint.index.holders import Holder, holders
from bglint.index.operations import OPERATORS, operations_in, runs_by_operation
from bglint.index.sinks import sinks_of

if TYPE_CHECKING:
    from bglint.index.project import Project

# A file, and the names that are worth a look in it.
NamesIn: TypeAlias = tuple[Path, frozenset[str]]

# Methods that run where their class is called, or what it gives is used at once.
_RUN_BY_CLASS = frozenset(
    {"__call__", "__enter__", "__exit__", "__init__", "__iter__", "__new__", "__next__", "__post_init__"}
)

# `fetch = requests.get`, `fetch = partial(requests.get, timeout=5)`
_ASSIGNED = re.compile(rb"=[ \t]*(?:(?:functools\.)?partial\([ \t]*)?(?:\w+\.)*(\w+)[ \t]*(?:[,)#]|\r?\n)")
_TARGET = re.compile(rb"(\w+)[ \t]*$")
_LONGEST_NAME = 80


class Reach:
    """Where blocking of the ``kinds`` is reached: for every file, the names and the calls that lead to it."""

    def __init__(self, project: Project, callers: Callers, kinds: Iterable[str]) -> None:
        self.project = project
        self.callers = callers
        self.kinds = frozenset(kinds)
        self._sinks, self._near, self._exports = _tables(frozenset(sinks_of(self.kinds, project.extra_blocking)))
        self._brought: dict[Path, set[str]] = {}
        self._near_names: dict[str, frozenset[str]] = {}
        self._takers: set[Path] = set()  # files to which other ones hand on sinks
        self._modules: dict[Path, frozenset[str]] = {}
        self._direct: dict[Path, frozenset[str]] = {}
        self._indirect: dict[Path, set[str]] = {}  # the names of project functions that reach a sink, where they can be
        self._on_loop: dict[Path, dict[Position, str]] = {}
        self._operated: dict[Path, set[str]] = {}  # those of methods and properties that operations run, where they can
        self._used_on_loop: dict[Path, set[Position]] = {}
        self._fresh_methods: set[tuple[str, Owner]] = set()  # such methods and properties, found but not yet followed
        self._provided: dict[Path, list[Provider]] = {}  # file → the providers that stand in it
        self._found: set[Place] = set()  # the sync functions that reach a sink
        self._searched: set[Path] = set()  # the first files of the islands that have been searched

    def search(self, path: Path) -> None:
        """Search the island of a file that is looked at, where that has not been done: calls lead to it from there."""
        island = self.callers.island(path)
        if not self._is_due(island) or not self.callers.near([path]):
            return
        self._searched.add(island[0])
        for provider in self._find_providers(island):
            for user in provider.files & self.callers.mentioning(provider.word.decode()):
                self._provided.setdefault(user, []).append(provider)
        self._find(((file, self.direct(file)) for file in island), ())

    def _is_due(self, island: tuple[Path, ...]) -> bool:
        return bool(island) and island[0] not in self._searched

    def modules(self, path: Path) -> frozenset[str]:
        """The modules with sinks that a file imports something of, or gets objects of."""
        self.search(path)
        if path not in self._modules:
            content = self.callers.data(path)
            provided = {p.module for p in self._provided.get(path, ()) if p.used(content)}
            self._modules[path] = frozenset(self._imported(path) | provided)
        return self._modules[path]

    def direct(self, path: Path) -> frozenset[str]:
        """What direct calls of sinks look like in a file, by the libraries it imports or holds objects of."""
        self.search(path)
        if path not in self._direct:
            modules = self.modules(path)
            self._direct[path] = self._calls_of(path, modules) if modules else frozenset()
        return self._direct[path]

    def _calls_of(self, path: Path, modules: Iterable[str]) -> frozenset[str]:
        names = {name.rpartition(".")[2] for module in modules for name in self._sinks[module]}
        if "*" in names:
            return frozenset(name.decode("utf-8", "replace") for name in self.callers.called(path))
        content = self.callers.data(path)
        aliases = {alias for name, alias in import_aliases(content) if name in names}
        aliases.update(_assigned_from({name.encode() for name in names}, content))
        if path in self._takers:
            aliases.update(*map(self.callers.aliases, names))
        return frozenset(names | aliases)

    def callees(self, path: Path) -> frozenset[str]:
        """The called names worth a look in a file: no call of another name reaches a sink."""
        return self.direct(path) | self._indirect.get(path, _NONE)

    def on_loop(self, path: Path) -> Mapping[Position, str]:
        """Where in a file async functions make calls that reach a sink, with the last parts of the called names."""
        self.search(path)
        return self._on_loop.get(path, {})

    def operated(self, path: Path) -> frozenset[str]:
        """The names of the methods and properties for which an operation in a file is worth a look."""
        self.search(path)
        return frozenset(self._operated.get(path, _NONE))

    def used_on_loop(self, path: Path) -> Collection[Position]:
        """Where in a file async functions reach a sink by an operation."""
        self.search(path)
        return self._used_on_loop.get(path, _NONE)

    def reread(self, path: Path) -> None:
        """Look again at a file that has a new text, and where its functions are called."""
        if self._is_due(self.callers.island(path)):
            return
        for known in (self._brought, self._modules, self._direct, self._on_loop, self._used_on_loop):
            known.pop(path, None)
        self._found = {place for place in self._found if place.path != path}
        self._find([(path, self.callees(path))], [(path, self.operated(path))])

    def _find(self, calling: Iterable[NamesIn], operating: Iterable[NamesIn]) -> None:
        """Look into files for calls and operations of names, then for what reaches their functions, and so on."""
        fresh = self._round(calling, operating)
        while fresh or self._fresh_methods:
            methods, self._fresh_methods = self._fresh_methods, set()
            fresh = self._round(self._callers_of(fresh), self._users_of(methods))

    def _round(self, calling: Iterable[NamesIn], operating: Iterable[NamesIn]) -> set[tuple[str, Place]]:
        """The functions found in files by calls and operations of names; each once for every name it is called by."""
        fresh: set[tuple[str, Place]] = set()
        for ways in chain(starmap(self._calls, calling), starmap(self._operations, operating)):
            self.project.trim()  # nothing of a file is held between two of them
            fresh |= self._follow(ways)
        return fresh

    def _callers_of(self, functions: set[tuple[str, Place]]) -> Iterator[NamesIn]:
        for path, names in self.callers.files_reaching(sorted(functions, key=str)):
            self._indirect.setdefault(path, set()).update(names)
            yield path, names

    def _calls(self, path: Path, names: frozenset[str]) -> Iterator[Way]:
        """The calls of names in a file."""
        called = self.callers.called(path)
        looks = frozenset(name for name in names if name.encode() in called)
        module = self.project.module_at(path) if looks else None
        blocking = Blocking(self.project)
        for call, scope in calls_in(module, looks) if module is not None else ():
            yield Way(call, scope, blocking.runs(call, scope))

    def _users_of(self, methods: set[tuple[str, Owner]]) -> Iterator[NamesIn]:
        """The files that may run methods or properties by operations, with the names that count there.

        Operators show no name: those of objects that may be anywhere are not looked for.
        """
        wanted: dict[Path, set[str]] = {}
        for name, owner in sorted(methods, key=str):
            if name not in OPERATORS:
                files = self.callers.holding(owner) & self.callers.mentioning(name)
            else:
                files = _NOWHERE if self.callers.is_widespread(owner) else self.callers.holding(owner)
            for path in files:
                wanted.setdefault(path, set()).add(name)
        for path in sorted(wanted, key=str):
            self._operated.setdefault(path, set()).update(wanted[path])
            yield path, frozenset(wanted[path])

    def _operations(self, path: Path, names: frozenset[str]) -> Iterator[Way]:
        """The operations in a file that may run methods and properties of some names."""
        module = self.project.module_at(path) if names else None
        blocking = Blocking(self.project)
        for operation, scope in operations_in(module, names) if module is not None else ():
            yield Way(operation.node, scope, blocking.run_by(operation, scope))

    def _follow(self, ways: Iterable[Way]) -> set[tuple[str, Place]]:
        """The sync functions, not found before, that go one of the ways to a sink or a found function.

        Each by its place, once for every name under which it is called. Such ways in async functions are noted.
        """
        fresh: set[tuple[str, Place]] = set()
        for node, scope, run in ways:
            if not scope.is_function or (not scope.is_async and Place.of(scope) in self._found):
                continue
            if any(map(self._is_reached, run)):
                if scope.is_async:
                    self._note(node, scope.module.path)
                else:
                    self._found.add(place := Place.of(scope))
                    fresh.update((name, place) for name in self._looks(scope))
                    if place.owner is not None and runs_by_operation(scope):
                        self._fresh_methods.add((scope.name, place.owner))
        return fresh

    def _note(self, node: ast.expr, path: Path) -> None:
        here = Position(node.lineno, node.col_offset)
        if isinstance(node, ast.Call):
            self._on_loop.setdefault(path, {})[here] = last_name(node.func)
        else:
            self._used_on_loop.setdefault(path, set()).add(here)

    def _is_reached(self, run: Sink | Scope) -> bool:
        return run.kind in self.kinds if isinstance(run, Sink) else Place.of(run) in self._found

    def _looks(self, function: Scope) -> set[str]:
        """What calls of a function look like: its name, its class's for ``__init__``, and aliases of these."""
        owner = function.owner
        if owner is not None and function.name in _RUN_BY_CLASS:
            names = {owner.name, *_subclass_names(owner)}
        elif isinstance(function.node, ast.Lambda):
            names = _assigned(function)
        else:
            names = {function.name}
        return names.union(*map(self.callers.aliases, names))

    def _imported(self, path: Path) -> set[str]:
        """The modules with sinks that a file imports, that come with what it imports, or that are handed on to it."""
        if path not in self._brought:
            self._brought[path] = found = {"builtins"} & self._sinks.keys()  # what a circle of imports gives meanwhile
            for name in (*self.callers.imported(path), self.project.module_name(path)):
                found |= self._modules_near(name)
                if handed := self._handed_on(name, self.project.root_of(path)):
                    self._takers.add(path)
                    found |= handed
        return self._brought[path]

    def _modules_near(self, name: str) -> frozenset[str]:
        """The modules with sinks that an imported name leads to; many files import the same."""
        if name not in self._near_names:
            found: set[str] = set()
            for spelling in {name, data.canonical(name)}:
                found |= self._near.get(spelling.removesuffix(".*"), _NONE)
                for prefix in _prefixes(spelling):
                    found |= self._near.get(f"{prefix}.*", _NONE)
            self._near_names[name] = frozenset(found) if found else _NONE
        return self._near_names[name]

    def _handed_on(self, name: str, root: str) -> set[str] | frozenset[str]:
        """The modules with sinks that a project module hands on: by star, or under a name that a sink has."""
        base, _, last = name.rpartition(".")
        if last == "*" or last in self._exports:
            path = self.project.find(base, root) if base else None
            if path is not None:
                return self._imported(path)
        package = self.project.find(name, root)
        if package is None or package.name != "__init__.py":
            return _NONE
        taken = self.callers.imported(package)
        return {module for n in taken if n in self._sinks.get(module := _module_of(n), _NONE)}

    def _find_providers(self, files: Iterable[Path]) -> list[Provider]:
        """The names under which some files hold objects of libraries whose methods block."""
        everywhere = frozenset(files)
        near: dict[str, set[Path]] = {}
        for path in files:
            for module in self._imported(path):
                near.setdefault(module, set()).add(path)
        modules: dict[str, set[str]] = {}  # class → the modules whose sinks are its methods
        words: dict[str, set[Path] | frozenset[Path]] = {}
        found: list[Provider] = []
        for module, paths in near.items():
            attributes = {name.removeprefix(f"{module}.").partition(".")[0] for name in self._sinks[module]}
            if module.endswith("()") or ("." in module and data.is_class_name(module)):
                found += (Provider(module, a.encode(), _use_of_attribute(a), everywhere) for a in attributes)
                continue
            classes, starts = _classes_and_makers(frozenset(c for n in self._sinks[module] if (c := _class_of(n))))
            for name in classes:
                modules.setdefault(name, set()).add(module)
            for word in starts if classes else ():
                words[word] = words.get(word, _NOWHERE) | paths
        held = holders(self.project, self.callers, frozenset(modules), words, most=2_000) or {}
        found += (
            Provider(module, holder.name.encode(), _use_of(holder), holder.users)
            for holder in held.values()
            for module in sorted({module for name in holder.classes for module in modules[name]})
        )
        return found


class Way(NamedTuple):
    """A call or another expression that runs something on the spot, the scope it stands in, and what it runs."""

    node: ast.expr
    scope: Scope
    run: Iterator[Sink | Scope]


class Position(NamedTuple):
    """Where an expression starts: its row from 1, its column in bytes from 0."""

    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Provider:
    """A name under which the project holds objects of a ``module``, how it is used, and the files that can mean it."""

    module: str
    word: bytes
    use: re.Pattern[bytes]
    files: set[Path] | frozenset[Path]

    def used(self, content: bytes) -> bool:
        """Whether a file uses the name: calls the function or hands it on (``Depends(get_db)``), names the variable."""
        return self.use.search(content) is not None


def _use_of_attribute(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"\.\s*" + re.escape(name.encode()) + rb"\b")


def _use_of(holder: Holder) -> re.Pattern[bytes]:
    ending = rb"\s*[(,)]" if holder.is_function else rb"\b"
    return re.compile(rb"(?<!\w)" + re.escape(holder.name.encode()) + ending)


_NOWHERE: frozenset[Path] = frozenset()
_NONE: frozenset[Any] = frozenset()


def _prefixes(dotted: str) -> Iterator[str]:
    while dotted:
        yield dotted
        dotted = dotted.rpartition(".")[0]


class _Tables(NamedTuple):
    """``sinks`` by module; ``near`` is what ``_near_modules`` gives.

    ``exports`` are what a name that brings sinks along may be: a sink's, its class's, or its module's.
    """

    sinks: Mapping[str, set[str]]
    near: Mapping[str, set[str]]
    exports: frozenset[str]


@cache
def _tables(names: frozenset[str]) -> _Tables:
    """The tables for the sinks ``names``, made once: an editor or a test makes many projects in one process."""
    sinks: dict[str, set[str]] = {}
    for name in names:
        sinks.setdefault(_module_of(name), set()).add(name)
    exports = frozenset(part for name in chain(sinks, *sinks.values()) for part in name.split("."))
    return _Tables(sinks, _near_modules(sinks), exports)


def _near_modules(sinks: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Imported name → the modules whose sinks it leads to; ``X.*`` where every name below X does.

    A name leads to a sink where the sink, its class, or what makes objects of that class stands at or below it.
    """
    near: dict[str, set[str]] = {}
    for module, names in sinks.items():
        classes = frozenset(c for name in names if (c := _class_of(name)))
        for name in (*names, *classes, *_makers(_classes_and_makers(classes)[0])):
            base, *below = re.split(r"\.\*+(?:\.|$)", name, maxsplit=1)
            if below:
                near.setdefault(f"{base}.*", set()).add(module)
            for prefix in _prefixes(base.partition("()")[0]):
                near.setdefault(prefix, set()).add(module)
    return near


def _makers(classes: frozenset[str]) -> Iterator[str]:
    """The functions and methods that give objects of some classes."""
    yield from (maker for maker, made in data.returns().items() if made in classes)


@cache
def _classes_and_makers(classes: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Classes, with those whose objects give objects of them; and the words that such objects are made with."""
    found = set(classes)
    words: set[str] = set()
    size = -1
    while size != len(found):
        size = len(found)
        for maker, made in data.returns().items():
            if made in found:
                owner = _class_of(maker)
                found |= {owner} if owner is not None else set()
                words |= {maker.rpartition(".")[2]} if owner is None else set()
    shorts = (name.removesuffix("()").rpartition(".")[2] for name in found)
    return frozenset(found), frozenset(words) | frozenset(shorts)


def _assigned_from(names: Collection[bytes], content: bytes) -> Iterator[str]:
    """The names to which a file assigns something that is called one of some names."""
    for found in _ASSIGNED.finditer(content):
        if found[1] in names:
            target = _TARGET.search(content, max(0, found.start() - _LONGEST_NAME), found.start())
            if target is not None:
                yield target[1].decode()


def _assigned(function: Scope) -> set[str]:
    """The names that a lambda is bound to where it stands."""
    statement = function.module.parents.get(function.node)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return {last_name(target) for target in targets} - {""}


def _subclass_names(owner: Scope) -> Iterator[str]:
    """The names of the classes of the same module that inherit from ``owner`` by name."""
    for name, bindings in owner.module.names.bindings.items():
        for binding in bindings:
            if any(getattr(base, "id", None) == owner.name for base in getattr(binding.node, "bases", ())):
                yield name


def _module_of(name: str) -> str:
    """The module a sink is in: its name up to the first class, or without the function.

    What is called on an attribute of a class, as in ``Model.objects.get``, is in that class: objects of the class need
    not be followed where the attribute tells.
    """
    parts = name.split(".")[:-1]
    for position, part in enumerate(parts):
        is_class = position > 0 and data.is_class_name(".".join(parts[: position + 1]))
        if is_class or part.endswith("()") or part == "**":
            return ".".join(parts[: position + 1 if _is_attribute(parts[position + 1 :]) else position])
    return ".".join(parts)


def _is_attribute(below: Sequence[str]) -> bool:
    return bool(below) and below[0][:1].islower() and not below[0].endswith("()")


def _class_of(name: str) -> str | None:
    """The class, or maker of objects, whose method a sink is; None for a module's function."""
    parts = name.split(".")[:-1]
    for position in range(len(parts), 1, -1):
        base = ".".join(parts[:position])
        if base.endswith("()") or data.is_class_name(base):
            return base
    return None
