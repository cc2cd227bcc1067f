"""The calls through which blocking can be reached in a project, found backwards from the sinks.

The answer bounds the search: another call reaches no sink, so neither it nor its file needs a closer look. It decides
nothing else; every finding is proven by ``Blocking`` call by call.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bglint.index import data
from bglint.index.blocking import Blocking
from bglint.index.call_graph import CallGraph
from bglint.index.callers import Callers, calls_in, import_aliases, last_name
from bglint.index.facts import Scope
from bglint.index.holders import Holder, holders
from bglint.index.libraries import classes_and_makers, libraries_of, prefixes
from bglint.index.operations import OPERATORS, operations_in, runs_by_operation
from bglint.index.places import Owner, Place, Position
from bglint.index.sinks import Sink, sinks_of
from bglint.index.survey import Survey, Way, moved

if TYPE_CHECKING:
    from bglint.index.project import Project

# A file, and the names that are worth a look in it.
NamesIn: TypeAlias = tuple[Path, frozenset[str]]

# Methods that run where their class is called, or what it gives is used at once.
_RUN_BY_CLASS = frozenset(
    {"__call__", "__enter__", "__exit__", "__init__", "__iter__", "__new__", "__next__", "__post_init__"}
)

# `fetch = requests.get`, `fetch = partial(requests.get, timeout=5)`
_ASSIGNED = re.compile(rb"=[ \t]*(?:(?:functools\.)?partial\(\s*)?(?:\w+\.)*(\w+)[ \t]*(?:[,)#]|\r?\n)")
_TARGET = re.compile(rb"(\w+)[ \t]*(?::[^=\n]*)?$")
_LONGEST_TARGET = 200


class Reach:
    """Where blocking of the ``kinds`` is reached: for every file, the names and the calls that lead to it."""

    def __init__(self, project: Project, callers: Callers, kinds: Iterable[str]) -> None:
        self.project = project
        self.callers = callers
        self.kinds = frozenset(kinds)
        self._libraries = libraries_of(frozenset(sinks_of(self.kinds, project.extra_blocking)))
        self._brought: dict[Path, set[str]] = {}
        self._near_names: dict[str, frozenset[str]] = {}
        self._takers: set[Path] = set()  # files to which other ones hand on sinks
        self._modules_given: dict[Path, set[str]] = {}
        self._direct: dict[Path, frozenset[str]] = {}
        self._given_on: dict[Path, set[str]] = {}  # the other names that a file gives to sinks
        self._indirect: dict[Path, set[str]] = {}  # the names of project functions that reach a sink, where they can be
        self._on_loop: dict[Path, dict[Position, str]] = {}
        self._operated: dict[Path, set[str]] = {}  # those of methods and properties that operations run, where they can
        self._used_on_loop: dict[Path, set[Position]] = {}
        self._fresh_methods: set[tuple[str, Owner]] = set()  # such methods and properties, found but not yet followed
        self._provided: dict[Path, list[Provider]] = {}  # file → the providers that stand in it
        self._untold: set[Path] = set()  # files of islands where objects have too many names to tell
        self._found: set[Place] = set()  # the sync functions that reach a sink
        self._searched: set[Path] = set()  # the first files of the islands that have been searched
        self._survey = Survey(project, self.kinds)

    def search(self, path: Path) -> None:
        """Search the island of a file that is looked at, where that has not been done: calls lead to it from there."""
        island = self.callers.island(path)
        if not self._is_due(island) or not self.callers.near([path]):
            return
        self._searched.add(island[0])
        if self.project.is_large:
            self._survey_all(island)
            return
        for provider in self._find_providers(island):
            for user in provider.files & self.callers.mentioning(provider.word.decode()):
                self._provided.setdefault(user, []).append(provider)
        direct = ((file, self.direct(file)) for file in island)
        self._find(chain(direct, self._users_of_aliases(island)), ())

    def graph_of(self, path: Path) -> CallGraph | None:
        """The call graph of a file's island, where that has been surveyed."""
        self.search(path)
        return self._survey.graph if path in self._survey.files else None

    def _survey_all(self, island: Iterable[Path]) -> None:
        for path in island:
            self._survey.note_calls(path)
        followed: set[tuple[str, Owner]] = set()
        while fresh := self._survey.reaching_methods() - followed:
            followed |= fresh
            for path, names in self._users_of(fresh):
                self.project.trim()
                self._survey.note(self._operations(path, names))
        for path in island:
            self._note_all(path)

    def _survey_again(self, path: Path) -> None:
        before = self._survey.forget(path)
        self._survey.note_calls(path)
        self._survey.note(self._operations(path, self.operated(path)))
        self._survey.graph.move(moved(before, self._survey.graph.functions_in(path)))
        self._note_all(path)

    def _note_all(self, path: Path) -> None:
        for position, called in self._survey.on_loop(path):
            self._note(path, position, called)

    def _users_of_aliases(self, files: Iterable[Path]) -> Iterator[NamesIn]:
        """The files that may call sinks by other names, which some files give them for all to use."""
        given = {(name, Place(file, None, name, 0, 0)) for file in files for name in self._given_on.get(file, _NONE)}
        yield from self._callers_of(given)

    def _is_due(self, island: tuple[Path, ...]) -> bool:
        return bool(island) and island[0] not in self._searched

    def modules(self, path: Path) -> frozenset[str]:
        """The modules with sinks that a file imports something of, or gets objects of."""
        self.search(path)
        return frozenset(self._imported(path) | self._given(path))

    def _given(self, path: Path) -> set[str]:
        """The modules of which a file is given objects."""
        if path not in self._modules_given:
            content = self.callers.data(path)
            found = {p.module for p in self._provided.get(path, ()) if p.used(content)}
            self._modules_given[path] = found.union(*map(self._modules_near, self._survey.sinks.get(path, ())))
        return self._modules_given[path]

    def direct(self, path: Path) -> frozenset[str]:
        """What direct calls of sinks look like in a file, by the libraries it imports or holds objects of."""
        self.search(path)
        if path not in self._direct:
            modules = self.modules(path)
            self._direct[path] = self._calls_of(path, modules) if modules else frozenset()
        return self._direct[path]

    def _calls_of(self, path: Path, modules: Iterable[str]) -> frozenset[str]:
        """What calls of modules look like in a file; methods count where it makes their objects, or is given some."""
        content = self.callers.data(path)
        libraries = {module: self._libraries.by_module[module] for module in modules}
        names = {name for library in libraries.values() for name in library.called}
        for module, library in libraries.items():
            if path in self._untold or module in self._given(path) or library.words.search(content):
                names |= library.methods
        if "*" in names:
            return frozenset(name.decode("utf-8", "replace") for name in self.callers.called(path))
        aliases = {alias for name, alias in import_aliases(content) if name in names}
        assigned = list(_assigned_from({name.encode() for name in names}, content))
        self._given_on[path] = aliases | {name for name, is_at_top in assigned if is_at_top}
        aliases.update(name for name, _ in assigned)
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
        for known in (self._brought, self._modules_given, self._direct, self._on_loop, self._used_on_loop):
            known.pop(path, None)
        if path in self._survey.files:
            self._survey_again(path)
            return
        self._found = {place for place in self._found if place.path != path}
        self._find(chain([(path, self.callees(path))], self._users_of_aliases([path])), [(path, self.operated(path))])

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
        for way in ways:
            scope = way.scope
            if not scope.is_function or (not scope.is_async and scope.place in self._found):
                continue
            if any(map(self._is_reached, way.run)):
                if scope.is_async:
                    self._note(scope.module.path, way.position, way.called)
                else:
                    self._found.add(place := scope.place)
                    fresh.update((name, place) for name in self._looks(scope))
                    if place.owner is not None and runs_by_operation(scope):
                        self._fresh_methods.add((scope.name, place.owner))
        return fresh

    def _note(self, path: Path, here: Position, called: str | None) -> None:
        if called is not None:
            self._on_loop.setdefault(path, {})[here] = called
        else:
            self._used_on_loop.setdefault(path, set()).add(here)

    def _is_reached(self, run: Sink | Scope) -> bool:
        return run.kind in self.kinds if isinstance(run, Sink) else run.place in self._found

    def _looks(self, function: Scope) -> set[str]:
        """What calls of a function look like: its name, its classes' for ``__init__``, and aliases of these."""
        owner = function.owner
        if owner is not None and function.name in _RUN_BY_CLASS:
            # A subclass runs it by its own name, or as ``super().__init__()``, a class method as ``cls()``.
            names = {owner.name, function.name, "cls", *self.callers.subclasses(owner.name)}
        elif isinstance(function.node, ast.Lambda):
            names = _assigned(function)
        else:
            names = {function.name}
        return names.union(*map(self.callers.aliases, names))

    def _imported(self, path: Path) -> set[str]:
        """The modules with sinks that a file imports, that come with what it imports, or that are handed on to it."""
        if path not in self._brought:
            # What a circle of imports gives meanwhile.
            self._brought[path] = found = {"builtins"} & self._libraries.by_module.keys()
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
            near = self._libraries.near
            for spelling in {name, data.canonical(name)}:
                found |= near.get(spelling.removesuffix(".*"), _NONE)
                for prefix in prefixes(spelling):
                    found |= near.get(f"{prefix}.*", _NONE)
            self._near_names[name] = frozenset(found) if found else _NONE
        return self._near_names[name]

    def _handed_on(self, name: str, root: str) -> set[str] | frozenset[str]:
        """The modules with sinks that a project module hands on: by star, or under a name that a sink has."""
        base, _, last = name.rpartition(".")
        if last == "*" or last in self._libraries.exports:
            path = self.project.find(base, root) if base else None
            if path is not None:
                return self._imported(path)
        package = self.project.find(name, root)
        if package is None or package.name != "__init__.py":
            return _NONE
        taken = self.callers.imported(package)
        return {self._libraries.module_of[name] for name in taken & self._libraries.module_of.keys()}

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
            library = self._libraries.by_module[module]
            found += (Provider(module, a.encode(), _use_of_attribute(a), everywhere) for a in library.attributes)
            classes, starts = classes_and_makers(_NONE if library.attributes else library.classes)
            for name in classes:
                modules.setdefault(name, set()).add(module)
            for word in starts if classes else ():
                words[word] = words.get(word, _NOWHERE) | paths
        held = holders(self.project, self.callers, frozenset(modules), words, most=2_000)
        if held is None:
            self._untold |= everywhere
            return found
        found += (
            Provider(module, holder.name.encode(), _use_of(holder), holder.users)
            for holder in held.values()
            for module in sorted({module for name in holder.classes for module in modules[name]})
        )
        return found


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


def _assigned_from(names: Collection[bytes], content: bytes) -> Iterator[tuple[str, bool]]:
    """The names to which a file assigns something that is called one of some names; whether it does so at its top."""
    for found in _ASSIGNED.finditer(content):
        if found[1] in names:
            target = _TARGET.search(content, max(0, found.start() - _LONGEST_TARGET), found.start())
            if target is not None:
                yield target[1].decode(), content[target.start() - 1 : target.start()] in (b"", b"\n")


def _assigned(function: Scope) -> set[str]:
    """The names that a lambda is bound to where it stands."""
    statement = function.module.parents.get(function.node)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return {last_name(target) for target in targets} - {""}
