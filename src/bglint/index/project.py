"""The project: its modules, found through source roots and read on demand, and questions across them."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from bglint.index.affinity import Affinity
from bglint.index.blocking import Blocking
from bglint.index.callers import Callers
from bglint.index.endings import Endings
from bglint.index.facts import Module, Scope
from bglint.index.guards import Guards
from bglint.index.launches import HandedNames, Launches
from bglint.index.linking import function_at
from bglint.index.observers import Observers
from bglint.index.outline import Meter, Outline
from bglint.index.places import Place
from bglint.index.reach import Reach
from bglint.index.request_path import RequestPath
from bglint.index.resolve import Resolver
from bglint.index.symbols import Symbol
from bglint.index.traits import Traits
from bglint.source import Source, SourceError, read_bytes
from bglint.syntax import check_syntax

_MISSING = object()
# Characters of source that may be held as syntax trees, which take forty times the room, by the bytes of the files that
# belong together: all of few files, and of more of them what leaves room for their text.
_BUDGETS = {6_000_000: 6_000_000, 9_000_000: 5_000_000}
_LEAST_BUDGET = 3_000_000
# Bytes of files that belong together: in more of them, each is looked into once instead of whenever a call counts.
_MOST_SEARCHED = 9_000_000


def _budget_for(size: int) -> int:
    return next((budget for most, budget in _BUDGETS.items() if size <= most), _LEAST_BUDGET)


class Project:
    """All modules that questions can reach.

    ``roots`` are the folders imports start from. ``read`` gives a file's text, and raises for what cannot be read
    or decoded; ``extra_blocking`` and the other options come from the configuration. ``budget`` is how many characters
    of source may be held as syntax trees before ``trim`` drops them; None: it depends on what is looked at.
    """

    # Whether what is looked at is surveyed, not searched; its syntax trees are compact then.
    is_large = False

    def __init__(
        self,
        roots: Sequence[Path],
        read: Callable[[Path], str],
        *,
        cwd: Path | None = None,
        guards: Iterable[str] = (),
        offload: Iterable[str] = (),
        blocking: Mapping[str, str] | None = None,
        non_blocking: Iterable[str] = (),
        kinds: Iterable[str] = (),
        budget: int | None = None,
    ) -> None:
        self.roots = [os.path.abspath(root) for root in roots]
        self._given_roots = frozenset(self.roots)
        self.read = read
        self.cwd = os.path.abspath(cwd or os.getcwd())
        self.extra_guards = frozenset(guards)
        self.extra_offload = frozenset(offload)
        self.extra_blocking = dict(blocking or {})
        self.non_blocking = frozenset(non_blocking)
        self.kinds = frozenset(kinds)
        self.budget = _budget_for(0) if budget is None else budget
        self._chooses_budget = budget is None
        self._held_still = False
        self._pinned: frozenset[Module] = frozenset()
        self._meter = Meter()  # of the modules that are held, and some that are not any more
        self._by_path: dict[str, Module | None] = {}
        self._by_name: dict[tuple[str, str], Module | None] = {}
        self._added: dict[str, Module] = {}  # by import name, for what lies nowhere on disk
        self._listings: dict[str, frozenset[str]] = {}
        self._found: dict[tuple[str, str], Path | None] = {}
        self._homes: dict[str, list[str]] = {}
        self._root_of: dict[str, str] = {}
        self._linted: dict[str, Source | None] = {}
        self._given_up: set[str] = set()

    @cached_property
    def resolver(self) -> Resolver:
        """The project's one resolver."""
        return Resolver(self)

    @cached_property
    def guards(self) -> Guards:
        """Which callables let exceptions out."""
        return Guards(self)

    @cached_property
    def callers(self) -> Callers:
        """The files that calls can come from: the linted ones and the packages they import."""
        return Callers(self, map(Path, self._linted))

    @cached_property
    def reach(self) -> Reach:
        """Through which names blocking is reached anywhere in the project."""
        return Reach(self, self.callers, self.kinds)

    def lints(self, path: Path, source: Source | None = None) -> None:
        """Note a file of this run: questions about callers cover it and what its package imports.

        ``source`` is what it holds; without it, what lies on disk.
        """
        key = os.path.abspath(path)
        if key not in self._linted and not ("callers" in self.__dict__ and Path(key) in self.callers.files):
            for name in (
                "callers",
                "reach",
                "blocking",
                "request_path",
                "handed_names",
                "launches",
                "observers",
                "traits",
            ):
                self.__dict__.pop(name, None)
        self._linted.setdefault(key, None)
        is_asked = "callers" in self.__dict__
        if source is not None and not (is_asked and self.callers.data(Path(key)) == source.data):
            self._linted[key] = source
            if is_asked:
                self._reread(Path(key))

    def _reread(self, path: Path) -> None:
        """Forget what was concluded from a file that has a new text: its calls and functions stand elsewhere now."""
        self._forget_rows()
        self._by_path.pop(os.path.abspath(path), None)
        self._by_name.clear()
        self.callers.reread(path)
        if "reach" in self.__dict__:
            self.reach.reread(path)

    def content(self, path: Path) -> bytes:
        """A file's bytes as they are linted; empty where it cannot be read."""
        given = self._linted.get(os.path.abspath(path))
        if given is not None:
            return given.data
        try:
            return read_bytes(path)
        except OSError:
            return b""

    @cached_property
    def blocking(self) -> Blocking:
        """Which calls block the thread they run in."""
        return Blocking(self, self.reach)

    @cached_property
    def request_path(self) -> RequestPath:
        """Which functions run for web requests."""
        return RequestPath(self)

    @cached_property
    def handed_names(self) -> HandedNames:
        """The names in calls that start background work."""
        return HandedNames(self)

    @cached_property
    def launches(self) -> Launches:
        """Which functions run in the background."""
        return Launches(self, self.handed_names)

    @cached_property
    def observers(self) -> Observers:
        """Who looks at the tasks that are kept."""
        return Observers(self)

    @cached_property
    def affinity(self) -> Affinity:
        """What binds functions to their thread."""
        return Affinity(self)

    @cached_property
    def traits(self) -> Traits:
        """What kind of project this is."""
        return Traits(self)

    @cached_property
    def endings(self) -> Endings:
        """Which functions are proven to return."""
        return Endings(self)

    def prepare(self) -> None:
        """Answer now what every file asks, through which names blocking is reached: they follow in any order."""
        for island in self.callers.islands if self.kinds else ():
            self.turn_to(island[0])
        self._look_at(tuple(self.callers.files))

    def turn_to(self, path: Path) -> None:
        """Look at a file and those that it belongs with: they can call each other, and nothing else calls them.

        What is held of other files makes room.
        """
        island = self.callers.island(path)
        if self._held_still or island is self.callers.view or not island:
            return
        self._look_at(island)
        if self.kinds:
            self.reach.search(path)

    def _look_at(self, files: tuple[Path, ...]) -> None:
        self.callers.look_at(files)
        self.forget_answers()
        size = self.callers.size(files)
        if self._chooses_budget:
            self.budget = _budget_for(size)
        self.is_large = size > _MOST_SEARCHED
        if self._meter.parsed + size > self.budget:
            wanted = set(map(str, files))
            self._keep({module for path, module in self._by_path.items() if module is not None and path in wanted})

    @contextmanager
    def held_still(self) -> Iterator[None]:
        """While this lasts, nothing is dropped: somebody compares scopes."""
        before, self._held_still = self._held_still, True
        try:
            yield
        finally:
            self._held_still = before

    @contextmanager
    def digression(self) -> Iterator[None]:
        """While this lasts, modules that are read meanwhile can be dropped again: nobody else knows their scopes."""
        before = self._held_still, self._pinned
        self._held_still = False
        self._pinned = self._held()
        try:
            yield
        finally:
            if self._meter.parsed > self.budget and self._held() != self._pinned:
                self._keep(self._pinned)
            self._held_still, self._pinned = before

    def _held(self) -> frozenset[Module]:
        return frozenset(module for module in self._by_path.values() if module is not None)

    def trim(self) -> bool:
        """Where modules have outgrown the budget, drop what was concluded from them, and those that were used least.

        They are read again when they are needed: answers do not change, but scopes from before are not those from
        after. What is known of the project by name only (``callers``, ``reach``) stays. Returns whether it was so.
        """
        if self._held_still or self._meter.parsed <= self.budget:
            return False
        modules = self._held()
        self._meter.parsed = sum(module.outline.parsed for module in modules)
        kept = set(self._pinned & modules)
        pinned = sum(module.outline.parsed for module in kept)
        if self._meter.parsed - pinned <= self.budget:
            return False
        room = self.budget // 2
        for module in sorted(modules - kept, key=lambda module: (-module.uses, module.name)):
            module.uses //= 2
            if module.outline.parsed <= room:
                room -= module.outline.parsed
                kept.add(module)
        self._keep(kept)
        return True

    def _keep(self, kept: Collection[Module]) -> None:
        """Drop every other module, and what was concluded from them all."""
        self.forget_answers()
        for module in self._held().difference(kept):
            module.forget()
        self._meter.parsed = sum(module.outline.parsed for module in kept)
        self._by_path = {path: module for path, module in self._by_path.items() if module in kept}
        self._by_name = {name: module for name, module in self._by_name.items() if module in kept}
        self._added = {name: module for name, module in self._added.items() if module in kept}

    def _forget_rows(self) -> None:
        """Drop what was concluded from a file that has a new text, also that which outlives modules."""
        self.forget_answers()
        for name in ("launches", "affinity", "request_path"):  # they go by rows
            self.__dict__.pop(name, None)

    def forget_answers(self) -> None:
        """Drop what was concluded across modules."""
        for name in ("resolver", "guards", "blocking", "endings", "observers"):
            self.__dict__.pop(name, None)
        if "request_path" in self.__dict__:
            self.request_path.forget_scopes()

    def resolve(self, node: ast.expr, scope: Scope) -> Symbol | None:
        """What an expression is; see ``Resolver.resolve``."""
        return self.resolver.resolve(node, scope)

    def function_at(self, place: Place) -> Scope | None:
        """The function at a place; None where its file does not hold it any more."""
        module = self.module_at(place.path)
        return function_at(module, place.row, place.column) if module is not None else None

    def function(self, dotted: str) -> Scope | None:
        """The project function of that full name, imports and re-exports followed."""
        module, rest = self._split(dotted)
        if module is None or not rest:
            return None
        symbol: Symbol | None = Symbol(module.name, scope=module)
        for part in rest:
            symbol = self.resolver.member(symbol, part) if symbol is not None else None
        return symbol.function if symbol is not None else None

    def add(self, path: Path, text: str) -> Module:
        """Index ``text`` as the content of ``path``; raises what ``ast.parse`` raises."""
        key = os.path.abspath(path)
        known = self._by_path.get(key)
        if known is not None:
            if known.text == text:
                return known
            self._forget_rows()
            self._by_name.clear()
        outline = Outline(text, self._meter, is_compact=self.is_large)
        module = Module(self.module_name(path), path, outline, self.root_of(path))
        self._by_path[key] = module
        self._added[module.name] = module
        return module

    def check_syntax(self, path: Path, text: str) -> None:
        """Raise what ``ast.parse`` raises for ``text``, the content of ``path``; what has been parsed is not again."""
        key = os.path.abspath(path)
        known = self._by_path.get(key)
        if known is not None and known.text == text:
            known.outline.check()
        elif key in self._given_up:  # whatever else it was, parsing says so
            self.add(path, text)
        else:
            check_syntax(text)

    def module_at(self, path: Path) -> Module | None:
        """The module in a file; None where it cannot be read or parsed."""
        key = os.path.abspath(path)
        known = self._by_path.get(key, _MISSING)
        if known is _MISSING:
            self._by_path[key] = None
            given = self._linted.get(key)
            try:
                return self.add(path, given.text if given is not None else self.read(path))
            except (
                SourceError,
                OSError,
                SyntaxError,
                ValueError,
                RecursionError,
                MemoryError,
            ):  # whatever is wrong with that file is reported where the file itself is linted
                self._given_up.add(key)
                return None
        return known  # type: ignore[return-value]

    def module(self, dotted: str, root: str = "") -> Module | None:
        """The project's module of that import name, as a file below ``root`` imports it."""
        key = (dotted, root)
        known = self._by_name.get(key, _MISSING)
        if known is _MISSING:
            path = self.find(dotted, root)
            if path is None:
                return self._added.get(dotted)
            known = self._by_name[key] = self.module_at(path)
        if known is not None:
            known.uses += 1  # type: ignore[attr-defined]
        return known  # type: ignore[return-value]

    def find(self, dotted: str, root: str = "") -> Path | None:
        """The file that ``import dotted`` would run, in a file whose own import name starts from ``root``.

        That root comes first where several hold a package of that name: each service of a repository may have its own
        ``app``.
        """
        homes = self._homes_of(dotted.partition(".")[0])
        if not homes:
            return None
        key = (dotted, root if len(homes) > 1 else "")
        if key not in self._found:
            self._found[key] = self._find(dotted, [key[1], *homes] if key[1] else homes)
        return self._found[key]

    def _homes_of(self, top: str) -> list[str]:
        """The roots that hold a package or module of that name."""
        if top not in self._homes:
            names = {top, f"{top}.py"}
            self._homes[top] = [root for root in self.roots if not names.isdisjoint(self._listing(root))]
        return self._homes[top]

    def _find(self, dotted: str, homes: Iterable[str]) -> Path | None:
        parts = dotted.split(".")
        for root in homes:
            folder = root
            for part in parts[:-1]:
                if part not in self._listing(folder):
                    break
                folder = f"{folder}/{part}"
            else:
                last = parts[-1]
                names = self._listing(folder)
                if last in names and "__init__.py" in self._listing(f"{folder}/{last}"):
                    return Path(folder, last, "__init__.py")
                if f"{last}.py" in names:
                    return Path(folder, f"{last}.py")
        return None

    def owns(self, dotted: str) -> bool:
        """Whether the first part of an import name is a folder or file of the project that holds Python code."""
        top = dotted.partition(".")[0]
        return any(
            f"{top}.py" in self._listing(root) or self._is_package(f"{root}/{top}") for root in self._homes_of(top)
        )

    def is_folder(self, dotted: str) -> bool:
        """Whether an import name is a folder below a source root: a package, with or without ``__init__.py``."""
        parts = dotted.split(".")
        return any(self._is_package(os.path.join(root, *parts)) for root in self.roots)

    def _is_package(self, folder: str) -> bool:
        return any(name.endswith(".py") for name in self._listing(folder))

    def display(self, path: Path) -> str:
        """A file as reports name it: relative to the working directory where it lies below it."""
        absolute = os.path.abspath(path)
        inside = absolute.startswith(self.cwd.rstrip(os.sep) + os.sep)
        return os.path.relpath(absolute, self.cwd).replace(os.sep, "/") if inside else absolute

    def _listing(self, folder: str) -> frozenset[str]:
        found = self._listings.get(folder)
        if found is None:
            try:
                found = frozenset(os.listdir(folder))
            except OSError:
                found = frozenset()
            self._listings[folder] = found
        return found

    def _split(self, dotted: str) -> tuple[Module | None, list[str]]:
        parts = dotted.split(".")
        for length in range(len(parts), 0, -1):
            module = self.module(".".join(parts[:length]))
            if module is not None:
                return module, parts[length:]
        return None, []

    def package_of(self, path: Path) -> str:
        """The package that a file's relative imports start from."""
        name = self.module_name(path)
        return name if path.stem == "__init__" else name.rpartition(".")[0]

    def root_of(self, path: Path) -> str:
        """The folder that a file's import name starts from."""
        key = os.path.abspath(path)
        if key not in self._root_of:
            names = self.module_name(path).split(".")
            above = len(names) + (1 if path.stem == "__init__" else 0)
            self._root_of[key] = key.rsplit(os.sep, above)[0]
        return self._root_of[key]

    def module_name(self, path: Path) -> str:
        """The import name of a file: from the top of its packages, else from the nearest root above it.

        The folder above regular packages is a root, too: that is where imports of them start. A folder without
        ``__init__.py`` between two packages belongs to the upper one.
        """
        absolute = os.path.abspath(path)
        folder, file = os.path.split(absolute)
        parts = [] if file in ("__init__.py", "__init__.pyi") else [os.path.splitext(file)[0]]
        packaged = False
        while True:
            while "__init__.py" in self._listing(folder):
                folder, last = os.path.split(folder)
                parts.insert(0, last)
                packaged = True
                if not last:
                    break
            between = self._below_a_package(folder)
            if not between:
                if packaged:
                    self._start_at(folder)
                break
            parts = [*between, *parts]
            folder = folder[: -len(os.sep + os.path.join(*between))]
        if not packaged:
            above = [root for root in self.roots if folder == root or folder.startswith(root.rstrip("/") + os.sep)]
            inner = os.path.relpath(folder, max(above, key=len)) if above else "."
            if inner != ".":
                return ".".join([*inner.split(os.sep), *parts])
            self._start_at(folder)
        return ".".join(parts) or os.path.basename(folder)

    def _start_at(self, folder: str) -> None:
        """Let imports start at a folder, too."""
        if folder not in self.roots:
            self.roots.append(folder)
            for known in (self._found, self._homes, self._by_name):
                known.clear()

    def _below_a_package(self, folder: str) -> list[str]:
        """The folders from the nearest package above down to ``folder``, where that package lies below a given root."""
        names: list[str] = []
        while "__init__.py" not in self._listing(folder) or not names:
            folder, last = os.path.split(folder)
            if not last.isidentifier():
                return []
            names.insert(0, last)
            if not any(folder.startswith(root.rstrip(os.sep) + os.sep) for root in self._given_roots):
                return []
        return names
