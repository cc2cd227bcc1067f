"""Who calls a function: answered backwards, from names in bytes to calls in functions, so that files in which
nothing relevant is called are never parsed.

Every call names its callee on the spot (``f(``, ``x.f(``), but for aliases; an import or assignment that gives a
function another name is followed by that name too.
"""

from __future__ import annotations

import ast
import codecs
import os
import re
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from bglint.index.facts import Module, Scope
from bglint.index.libraries import prefixes
from bglint.index.linking import any_between, calls_on
from bglint.index.places import Owner, Place
from bglint.index.words import rows_calling, rows_naming

if TYPE_CHECKING:
    from bglint.index.project import Project

# Everything but word characters and "(" becomes a space: what stands right before a "(" is the called name.
_SHOWN = bytes(
    c if c == ord("(") or c == ord("_") or (chr(c).isalnum() and c < 128) or c >= 128 else ord(" ") for c in range(256)
)
_WORDS_ONLY = _SHOWN.replace(b"(", b" ")
_BUCKETS = 16_384
# The leading line end makes the search fast; a line end is put before the first line for it.
_IMPORT = re.compile(rb"\n[ \t]*import[ \t]+([^\n;#]+)")
_FROM = re.compile(rb"\n[ \t]*from[ \t]+(\.*)[ \t]*([\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n;#]+)")
_CLASS = re.compile(rb"\n[ \t]*class[ \t]+(\w+)[ \t]*\(([^)]+)")
_WORD = re.compile(r"\w+")
_AS = re.compile(r"(\w+)[ \t]+as[ \t]+(\w+)")
_LISTED = re.compile(r"\w+|\*")
# What stands around a name where it gets another one.
_GIVEN_TO = re.compile(
    rb"[ \t]*(?:self\.|cls\.)?(\w+)[ \t]*(?::[^=\n]*)?=[ \t]*(?:(?:functools\.)?partial(?:method)?\(\s*)?(?:\w+\.)*$"
)
_FIRST_ARGUMENT = re.compile(rb"\(\s*(?:\w+\.)*$")
_LONGEST_PREFIX = 200
_GIVEN = re.compile(rb"[ \t]*(?:[,)#\n]|$)")
_RENAMED = re.compile(rb"[ \t]+as[ \t]+(\w+)")
# What can follow such a name; a class is called there, too.
_AFTER_GIVEN = frozenset({b" ", b"\t", b",", b")", b"#", b"\n", b""})
# After an attribute that is no module in an import or on the way to something else.
_ENDS_IT = rb"\b(?!\.|\s+(?:import|as)\b)"
_WORD_BYTES = frozenset(bytes([c]) for c in range(128) if chr(c).isalnum() or chr(c) == "_")
_MOST_FILES = 20_000
# A class of which more files than these hold something is held everywhere, as far as a search is concerned.
_MOST_LOOKS = 60
# Files: what a search of its own is worth.
_WORTH_A_ROUND = 100


def called_names(data: bytes) -> frozenset[bytes]:
    """The names that stand before an opening parenthesis anywhere in a file: all it calls, and more."""
    return frozenset({part.rstrip().rpartition(b" ")[2] for part in data.translate(_SHOWN).split(b"(")} - {b""})


class Callers:
    """The files of a project that calls can come from, and the calls of a name in them."""

    def __init__(self, project: Project, files: Iterable[Path]) -> None:
        self.project = project
        self.given = list(files)
        self._data: dict[Path, bytes] = {}
        self._called: dict[Path, frozenset[bytes]] = {}
        self._imported: dict[Path, frozenset[str]] = {}
        self._prefixes: dict[Path, frozenset[str]] = {}
        self._importers: dict[Path, set[Path]] | None = None
        self._files_of_import: dict[tuple[str, str], Sequence[Path]] = {}
        self._reaching: dict[Path, frozenset[Path]] = {}
        self._sets: dict[frozenset[Path], frozenset[Path]] = {}
        self._mentioning: dict[str, frozenset[Path]] = {}
        self._buckets: list[int] = []
        self._files: list[Path] | None = None
        self._view: tuple[Path, ...] | None = None
        self._in_view: frozenset[Path] | None = None
        self._holding: dict[Owner, frozenset[Path]] = {}
        self._widespread: set[Owner] = set()
        self._names: dict[bytes, bytes] = {}  # one object for each called name, however many files call it
        self._aliases: dict[str, set[str]] = {}
        self._inheriting: dict[str, set[str]] | None = None
        self._holding_words: dict[tuple[bytes, ...], tuple[Path, ...]] = {}

    @property
    def files(self) -> list[Path]:
        """The given files, and those of every package of the project that they or these import."""
        if self._files is None:
            self._files = sorted(self._find_files(), key=str)
        return self._files

    @property
    def view(self) -> tuple[Path, ...]:
        """The files that are looked at: what is asked about a name alone is answered for these. First, all of them."""
        if self._view is None:
            self._view = tuple(self.files)
        return self._view

    def look_at(self, files: tuple[Path, ...]) -> None:
        """Make these files the ``view``."""
        self._view, self._in_view = files, None
        self._buckets.clear()
        self._mentioning.clear()
        self._aliases.clear()
        self._inheriting = None

    def near(self, files: Iterable[Path]) -> frozenset[Path]:
        """Those of some files that are looked at."""
        if self._in_view is None:
            self._in_view = frozenset(self.view)
        return self._in_view.intersection(files)

    def size(self, files: Iterable[Path]) -> int:
        """How many bytes some files hold."""
        return sum(len(self.data(path)) for path in files)

    def files_with(self, *words: bytes) -> tuple[Path, ...]:
        """The files in which any of the words stands somewhere, remembered."""
        if words not in self._holding_words:
            found = (path for path in self.files if any(word in self.data(path) for word in words))
            self._holding_words[words] = tuple(found)
        return self._holding_words[words]

    def data(self, path: Path) -> bytes:
        """A file's bytes, empty where it cannot be read."""
        if path not in self._data:
            self._data[path] = self.project.content(path)
        return self._data[path]

    def reread(self, path: Path) -> None:
        """Forget a file that has a new text."""
        for known in (self._data, self._called, self._imported, self._prefixes):
            known.pop(path, None)

    def reaching(self, path: Path) -> frozenset[Path]:
        """The files that import ``path``, directly or through others, itself among them."""
        if path not in self._reaching:
            found = _reached(path, self._import_graph())
            # Files that import each other in a circle are reached by the same ones: one set for them all.
            self._reaching[path] = self._sets.setdefault(one := frozenset(found), one)
        return self._reaching[path]

    def island(self, path: Path) -> tuple[Path, ...]:
        """The group of a file (see ``islands``); empty for a file of no group."""
        return self._island_of.get(path, ())

    @cached_property
    def _island_of(self) -> dict[Path, tuple[Path, ...]]:
        return {path: island for island in self.islands for path in island}

    @cached_property
    def islands(self) -> list[tuple[Path, ...]]:
        """All files, sorted, by groups that do not import each other; small groups are put together."""
        around: dict[Path, set[Path]] = {path: set() for path in self.files}
        for target, importers in self._import_graph().items():
            for importer in importers:
                around.setdefault(target, set()).add(importer)
                around[importer].add(target)
        found: list[tuple[Path, ...]] = []
        batch: list[Path] = []
        seen: set[Path] = set()
        for start in self.files:
            if start not in seen:
                batch += (island := _reached(start, around))
                seen |= island
            if len(batch) >= _WORTH_A_ROUND:
                found.append(tuple(sorted(batch, key=str)))
                batch = []
        return [*found, tuple(sorted(batch, key=str))] if batch else found

    def _import_graph(self) -> dict[Path, set[Path]]:
        """File → the files that import it."""
        if self._importers is None:
            self._importers = {}
            for path in self.files:
                root = self.project.root_of(path)
                for name in self.imported(path):
                    for target in self._imported_files(name, root):
                        self._importers.setdefault(target, set()).add(path)
        return self._importers

    def _imported_files(self, name: str, root: str) -> Sequence[Path]:
        """The files that ``import name`` runs; many files name the same."""
        key = (name, root)
        if key not in self._files_of_import:
            found = (self.project.find(prefix, root) for prefix in prefixes(name))
            self._files_of_import[key] = [path for path in found if path is not None]
        return self._files_of_import[key]

    def imported(self, path: Path) -> frozenset[str]:
        """The absolute names that a file's import statements name, remembered."""
        if path not in self._imported:
            names = imported_modules(self.data(path), self.project.package_of(path))
            self._imported[path] = frozenset(map(sys.intern, names))
        return self._imported[path]

    def imports(self, path: Path, module: str) -> bool:
        """Whether a file imports ``module``, something from it, or a package above it by ``import package``."""
        if path not in self._prefixes:
            self._prefixes[path] = frozenset(sys.intern(p) for name in self.imported(path) for p in prefixes(name))
        return module in self._prefixes[path] or not self.imported(path).isdisjoint(prefixes(module))

    def called(self, path: Path) -> frozenset[bytes]:
        """``called_names`` of a file, remembered."""
        if path not in self._called:
            one = self._names.setdefault
            self._called[path] = frozenset(one(name, name) for name in called_names(self.data(path)))
        return self._called[path]

    def files_calling(self, functions: Iterable[tuple[str, Scope]]) -> Iterator[tuple[Path, frozenset[str]]]:
        """The files that may call functions, each under a name, with the names that count there.

        Such a file names the function before a parenthesis and imports its file somehow; for a method it also holds
        an object of its class by some name.
        """
        yield from self.files_reaching((name, function.place) for name, function in functions)

    def files_reaching(self, looks: Iterable[tuple[str, Place]]) -> Iterator[tuple[Path, frozenset[str]]]:
        """``files_calling`` for functions of which only the places are kept."""
        by_place: dict[tuple[Path, Owner | None], set[str]] = {}
        for name, place in looks:
            by_place.setdefault((place.path, place.owner), set()).add(name)
        wanted: dict[Path, set[str]] = {}
        for (defined, owner), names in by_place.items():
            encoded = {name: name.encode() for name in names}
            for path in self.reaching(defined) if owner is None else self.holding(owner):
                called = self.called(path)
                here = {name for name, word in encoded.items() if word in called}
                if here:
                    wanted.setdefault(path, set()).update(here)
        for path in sorted(wanted, key=str):
            yield path, frozenset(wanted[path])

    def mentioning(self, name: str) -> frozenset[Path]:
        """The files of the view in which a word stands."""
        if name not in self._mentioning:
            near = self._of_mask(self._words()[hash(name.encode()) % _BUCKETS])
            self._mentioning[name] = frozenset(path for path in near if self.mentions(path, name))
        return self._mentioning[name]

    def can_name(self, path: Path, name: str, home: Path) -> bool:
        """Whether ``name`` in a file can be what the file ``home`` defines at its top: imported, or an attribute."""
        if path == home or any(imported.rpartition(".")[2] in (name, "*") for imported in self.imported(path)):
            return True
        word = b"." + name.encode()
        return word in self.data(path) and re.search(re.escape(word) + _ENDS_IT, self.data(path)) is not None

    def _words(self) -> list[int]:
        """For every bucket of words, as a mask over the view, the files in which one of its words stands."""
        if not self._buckets:
            self._buckets = [0] * _BUCKETS
            for position, path in enumerate(self.view):
                mask = 1 << position
                for word in set(self.data(path).translate(_WORDS_ONLY).split()):
                    self._buckets[hash(word) % _BUCKETS] |= mask
        return self._buckets

    def _of_mask(self, mask: int) -> Iterator[Path]:
        while mask:
            lowest = mask & -mask
            yield self.view[lowest.bit_length() - 1]
            mask ^= lowest

    def holding(self, owner: Owner) -> frozenset[Path]:
        """The files that may hold an object of a project class."""
        from bglint.index.holders import holders

        if owner not in self._holding:
            near = self.reaching(owner.path)
            self._holding[owner] = near  # what a question about itself gets meanwhile
            wanted = frozenset({owner.full_name})
            names = holders(self.project, self, wanted, {owner.name: near}, most_looks=_MOST_LOOKS)
            if names is not None:
                near = frozenset().union(*(h.users & self.mentioning(h.name) for h in names.values()))
            else:
                self._widespread.add(owner)
            self._holding[owner] = near
        return self._holding[owner]

    def is_widespread(self, owner: Owner) -> bool:
        """Whether objects of a project class are held in too many places to tell where."""
        self.holding(owner)
        return owner in self._widespread

    def mentions(self, path: Path, name: str) -> bool:
        """Whether a word stands in a file."""
        content, word = self.data(path), name.encode()
        at = content.find(word) if word else -1
        while at >= 0:
            end = at + len(word)
            if content[end : end + 1] not in _WORD_BYTES and (not at or content[at - 1 : at] not in _WORD_BYTES):
                return True
            at = content.find(word, end)
        return False

    def calls_of(self, function: Scope) -> Iterator[tuple[ast.Call, Scope]]:
        """The calls that look like calls of ``function``, with the scopes that make them."""
        for caller, names in self.files_calling([(function.name, function)]):
            module = self.project.module_at(caller)
            if module is not None:
                yield from calls_in(module, names)

    def aliases(self, name: str) -> set[str]:
        """The other names that imports and assignments in the files of the view give to ``name``.

        ``from a import name as b``, ``b = a.name``, ``self.b = partial(name, 1)``, and for a class ``b = Name()``.
        """
        if name not in self._aliases:
            word = name.encode()
            found = (alias for path in self.mentioning(name) for alias in _other_names(self.data(path), word))
            self._aliases[name] = {alias.decode("utf-8", "replace") for alias in found}
        return self._aliases[name]

    def subclasses(self, name: str) -> set[str]:
        """The names of the classes in the files of the view that inherit from one called ``name``, or from these."""
        found: set[str] = set()
        pending = [name]
        while pending:
            bases = (known := pending.pop(), *self.aliases(known))
            fresh = set().union(*(self._inheriting_from().get(base, ()) for base in bases)) - found
            found |= fresh
            pending += fresh
        return found

    def _inheriting_from(self) -> Mapping[str, set[str]]:
        """For every word among the bases of a class, the names of the classes."""
        if self._inheriting is None:
            self._inheriting = {}
            for path in self.view:
                for name, bases in _CLASS.findall(self.data(path)):
                    for base in set(_WORD.findall(bases.decode("utf-8", "replace"))):
                        self._inheriting.setdefault(base, set()).add(name.decode("utf-8", "replace"))
        return self._inheriting

    def _find_files(self) -> set[Path]:
        found = {Path(os.path.abspath(path)) for path in self.given}
        # All names first: each may bring in a root, and several roots may hold packages of one name.
        tops = {self.project.module_name(path).partition(".")[0] for path in sorted(found)} - {""}
        for top in sorted(tops):
            found.update(self._files_of(top))
        pending = sorted(found)
        while pending and len(found) < _MOST_FILES:
            for top in {name.partition(".")[0] for name in self.imported(pending.pop())}:
                if top and top not in tops:
                    tops.add(top)
                    fresh = set(self._files_of(top)) - found
                    found |= fresh
                    pending.extend(fresh)
        return found

    def _files_of(self, top: str) -> Iterator[Path]:
        """The files of the top-level package or module ``top``, where the project has one."""
        for root in self.project.roots:
            single = os.path.join(root, f"{top}.py")
            if os.path.isfile(single):
                yield Path(single)
            for folder, folders, names in os.walk(os.path.join(root, top)):
                folders[:] = [f for f in folders if f.isidentifier()]
                yield from (Path(folder, name) for name in names if name.endswith(".py"))


def _reached(start: Path, following: Mapping[Path, set[Path]]) -> set[Path]:
    """A file, and all that one comes to from it."""
    found = {start}
    pending = [start]
    while pending:
        fresh = following.get(pending.pop(), set()) - found
        found |= fresh
        pending.extend(fresh)
    return found


def _other_names(content: bytes, name: bytes) -> Iterator[bytes]:
    """What ``name as alias`` and ``alias = name`` (for a class: ``alias = name()``) call it otherwise in a file."""
    content = content.replace(b"\r", b"\n") if b"\r" in content else content
    ending = _AFTER_GIVEN | {b"("} if name[:1].isupper() else _AFTER_GIVEN
    at = content.find(name)
    while at >= 0:
        end = at + len(name)
        if content[end : end + 1] in ending:  # as a rule it is not: the name is called, or part of a longer one
            if renamed := _RENAMED.match(content, end):
                yield renamed[1]
            elif _GIVEN.match(content, end) or content[end : end + 1] == b"(":
                first = _FIRST_ARGUMENT.search(content, max(0, at - _LONGEST_PREFIX), at)
                row = content.rfind(b"\n", 0, first.start() if first is not None else at) + 1
                if given := _GIVEN_TO.match(content, row, at):
                    yield given[1]
        at = content.find(name, end)


def imported_modules(content: bytes, package: str) -> Iterator[str]:
    """The absolute names that import statements anywhere in a file name, ``from a import b`` giving ``a.b``."""
    content = _one_statement_a_line(content)
    for listed in _IMPORT.findall(content):
        for part in listed.decode("utf-8", "replace").split(","):
            if words := part.split():
                yield words[0]
    for dots, module, names in _FROM.findall(content):
        base = module.decode("utf-8", "replace")
        if dots:
            above = package.split(".")[: len(package.split(".")) - len(dots) + 1]
            base = ".".join([*above, *([base] if base else [])])
        for name in _LISTED.findall(names.decode("utf-8", "replace")):
            yield f"{base}.{name}" if base else name


def _one_statement_a_line(content: bytes) -> bytes:
    """A file with a line end before every import statement, so that one fast pattern finds them all."""
    content = b"\n" + content.removeprefix(codecs.BOM_UTF8).replace(b";", b"\n")
    for word in (b"import ", b"from "):
        content = content.replace(b": " + word, b":\n" + word)
    return content.replace(b"\r", b"\n") if b"\r" in content else content


@lru_cache(maxsize=2)  # many rules ask about one file
def import_aliases(content: bytes) -> tuple[tuple[str, str], ...]:
    """(name, alias) for every ``from … import name as alias`` in a file."""
    if b" as " not in content:
        return ()
    listed = (names.decode("utf-8", "replace") for _, _, names in _FROM.findall(_one_statement_a_line(content)))
    return tuple(pair for names in listed for pair in _AS.findall(names))


def with_aliases(names: frozenset[str], content: bytes) -> frozenset[str]:
    """Names, and the others under which a file imports what is called so."""
    return names.union(alias for name, alias in import_aliases(content) if name in names) if names else names


def calls_in(module: Module, names: frozenset[str]) -> list[tuple[ast.Call, Scope]]:
    """The calls in a module whose callee's last part is one of ``names``; only functions that name one are linked."""
    rows = rows_calling(module.text, names)
    return [pair for pair in calls_on(module, rows) if last_name(pair[0].func) in names] if rows else []


def mentions_in(module: Module, name: str) -> list[tuple[ast.Call, Scope]]:
    """The calls in a module on whose rows a name stands: those that call it, and those that may be given it."""
    rows = rows_naming(module.text, [name])
    return [
        (call, owner)
        for call, owner in calls_on(module, rows)
        if any_between(rows, call.lineno, call.end_lineno or call.lineno)
    ]


def statements_at(module: Module, rows: list[int], *, headers: bool = False) -> Iterator[tuple[ast.stmt, Scope]]:
    """The statements of module and class bodies (classes entered) that hold any of the rows.

    With ``headers``, a class is given too, before what is in it.
    """
    pending: list[tuple[ast.stmt, Scope]] = [(s, module) for s in reversed(module.tree.body)]
    while pending:
        statement, scope = pending.pop()
        # Decorators are evaluated here, too: ``dependencies=[Depends(f)]`` stands in one.
        first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))])
        last = statement.end_lineno or statement.lineno
        position = bisect_left(rows, first)
        if position == len(rows) or rows[position] > last:
            continue
        if isinstance(statement, ast.ClassDef):
            if headers:
                yield statement, scope
            inner = scope.child(statement)
            pending.extend((s, inner) for s in reversed(statement.body))
        else:
            yield statement, scope


def last_name(func: ast.expr) -> str:
    """The last part of a called name, that of ``f`` for ``f()()``; empty where the callee is no name."""
    while isinstance(func, ast.Call):
        func = func.func
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""
