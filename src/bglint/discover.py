"""Which files to lint: walks folders once, honouring excludes and .gitignore files."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from fnmatch import translate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bglint.source import SourceError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    from bglint.config import Settings

SUFFIXES = (".py", ".pyi")


class Discovery(NamedTuple):
    """The files to lint, absolute and sorted, and what was in the way (with absolute paths)."""

    files: list[Path]
    errors: list[SourceError]


def discover(paths: Sequence[Path], settings_for: Callable[[Path], Settings], cwd: Path) -> Discovery:
    """Return the Python files at and below ``paths``, which may be relative to ``cwd``.

    ``settings_for`` answers for a file, as ``Configuration.for_path`` does; it is asked once per folder. A
    file named by itself is taken whatever its name, excluded only under ``force_exclude``. Files with several
    names (links, the same path twice) are listed once, under their real place where that is among them.
    Raises nothing of its own: what cannot be read or does not exist is among the errors.
    """
    walk = _Walk(settings_for)
    for path in paths:
        walk.start(os.path.abspath(cwd / path))
    walk.finish()
    files = [Path(path) for path in sorted(walk.files.values())]
    return Discovery(files, sorted(walk.errors, key=lambda error: error.path))


class _Folder(NamedTuple):
    """A folder to walk: its path as named, its real path, the ignore files that matter, closest first."""

    path: str
    real: str
    ignores: tuple[_Ignore, ...]


class _Walk:
    """One discovery under way. ``files`` maps real paths to paths as named."""

    def __init__(self, settings_for: Callable[[Path], Settings]) -> None:
        self.files: dict[str, str] = {}
        self.errors: list[SourceError] = []
        self._settings_for = settings_for
        self._seen: set[tuple[int, int]] = set()
        # Links come last, so that a folder's own path wins over any other name that it has.
        self._links: deque[_Folder] = deque()
        self._file_links: dict[str, str] = {}

    def start(self, path: str) -> None:
        """Take a path that somebody named."""
        if not os.path.isdir(path):
            self._take_named(path)
        elif not self._forced_out(path):
            settings = self._settings_of(path)
            ignores = _ignores_above(path) if settings.respect_gitignore else ()
            self._walk(_Folder(path, os.path.realpath(path), ignores))

    def finish(self) -> None:
        """Follow the links that the walk met."""
        while self._links:
            self._walk(self._links.popleft())
        for real, path in self._file_links.items():
            self.files.setdefault(real, path)

    def _take_named(self, path: str) -> None:
        try:
            os.stat(path)
        except OSError as error:
            self._report(path, error)
            return
        if not self._forced_out(path):
            self.files.setdefault(os.path.realpath(path), path)

    def _forced_out(self, path: str) -> bool:
        settings = self._settings_for(Path(path))
        return settings.force_exclude and settings.excludes.match_below(path, str(settings.root))

    def _settings_of(self, folder: str) -> Settings:
        return self._settings_for(Path(folder, "__init__.py"))

    def _walk(self, top: _Folder) -> None:
        pending = [top]
        while pending:
            folder = pending.pop()
            try:
                if self._is_new(folder.path):
                    with os.scandir(folder.path) as entries:
                        pending.extend(self._enter(folder, list(entries)))
            except OSError as error:
                self._report(folder.path, error)

    def _is_new(self, folder: str) -> bool:
        """Remember the folder by what it is on disk: a loop of links has endless names and few folders."""
        status = os.stat(folder)
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:
            return False
        self._seen.add(identity)
        return True

    def _enter(self, folder: _Folder, entries: list[os.DirEntry[str]]) -> list[_Folder]:
        """Take a folder's files, and return the folders to go on with."""
        settings = self._settings_of(folder.path)
        ignores = folder.ignores
        if settings.respect_gitignore:
            ignores = _with_ignores_of(folder, {entry.name for entry in entries})
        excluded = settings.excludes.match
        inner: list[_Folder] = []
        for entry in entries:
            name, path = entry.name, entry.path
            is_folder = _is(entry.is_dir)
            if not (is_folder or name.endswith(SUFFIXES)) or excluded(path, name):
                continue
            if ignores and _ignored(ignores, path, name, is_folder):
                continue
            if is_folder and entry.is_symlink():
                self._links.append(_Folder(path, os.path.realpath(path), ignores))
            elif is_folder:
                inner.append(_Folder(path, os.path.join(folder.real, name), ignores))
            else:
                self._take_met(entry, folder)
        return inner

    def _take_met(self, entry: os.DirEntry[str], folder: _Folder) -> None:
        if not entry.is_symlink():
            if _is(entry.is_file):
                self.files.setdefault(os.path.join(folder.real, entry.name), entry.path)
        elif _is(entry.is_file):
            self._file_links.setdefault(os.path.realpath(entry.path), entry.path)
        elif not entry.name.startswith(".#"):  # those are Emacs' locks, links to nowhere on purpose
            self._take_named(entry.path)

    def _report(self, path: str, error: OSError) -> None:
        self.errors.append(SourceError(path, 1, 1, error.strerror or str(error)))


def _is(question: Callable[[], bool]) -> bool:
    """Ask an entry what it is; one that cannot be told (a link to itself) is nothing."""
    try:
        return question()
    except OSError:
        return False


class _Ignore:
    """One ignore file: plain patterns, as nearly all of them hold only those, or all of it in pathspec.

    pathspec takes as long to import as everything else together and tries its patterns one by one, so it is
    kept for what needs it: negation, escapes, and globs with folders in them.
    """

    def __init__(self, folder: str, lines: Iterable[str]) -> None:
        self._folder = folder
        self._names: set[str] = set()
        self._globs: list[str] = []
        self._anchored: set[str] = set()
        self._spec: GitIgnoreSpec | None = None
        patterns = [line for line in map(_stripped, lines) if line and not line.startswith("#")]
        if all(map(_PLAIN.fullmatch, patterns)):
            for pattern in patterns:
                self._add(pattern)
            self._regex = re.compile("|".join(map(translate, self._globs)))
        else:
            self._spec = _spec(patterns)

    def _add(self, pattern: str) -> None:
        """Sort a plain pattern in; those that end with a slash, and mean folders only, keep it."""
        body = pattern.rstrip("/")
        if "/" in body:
            self._anchored.add(pattern.removeprefix("/"))
        elif any(special in body for special in "*?["):
            self._globs += [body + "/"] if pattern.endswith("/") else [body, body + "/"]
        else:
            self._names.add(pattern)

    def decide(self, path: str, name: str, is_folder: bool) -> bool | None:
        """Return whether the path below this file's folder is ignored, ``None`` where the file does not say."""
        slash = "/" if is_folder else ""
        if self._spec is not None:
            return self._spec.check_file(self._relative(path) + slash).include
        if name in self._names or (is_folder and name + slash in self._names):
            return True
        if self._globs and self._regex.match(name + "/" if is_folder else name):
            return True
        if self._anchored:
            relative = self._relative(path)
            return relative in self._anchored or (is_folder and relative + slash in self._anchored) or None
        return None

    def _relative(self, path: str) -> str:
        return path[len(self._folder) :].replace(os.sep, "/").lstrip("/")


def _spec(patterns: list[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError:
        # As git does, go on without the patterns that are none.
        return GitIgnoreSpec.from_lines(pattern for pattern in patterns if _is_pattern(pattern))


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _stripped(line: str) -> str:
    """Return a pattern without its line end and the spaces before it (git keeps escaped ones)."""
    line = line.rstrip("\r\n")
    return line if line.endswith("\\ ") else line.rstrip(" ")


# A name or a glob without folders, or folders without a glob.
_PLAIN = re.compile(r"(?:[^\\!\[\]/*?]|\*(?!\*)|\?|\[\w+\])+/?|/?[^\\!\[\]/*?]+(?:/[^\\!\[\]/*?]+)*/?")


def _ignored(ignores: tuple[_Ignore, ...], path: str, name: str, is_folder: bool) -> bool:
    for ignore in ignores:
        decision = ignore.decide(path, name, is_folder)
        if decision is not None:
            return decision
    return False


def _read_ignore(folder: str, path: str) -> tuple[_Ignore, ...]:
    """Return the ignore file at ``path``, whose patterns start from ``folder``, if there is one."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as lines:
            return (_Ignore(folder, lines),)
    except OSError:  # git too goes on without an ignore file that it cannot use
        return ()


def _with_ignores_of(folder: _Folder, names: set[str]) -> tuple[_Ignore, ...]:
    """Return the ignore files for a folder's entries; a repository starts anew."""
    ignores = folder.ignores
    if ".git" in names:
        ignores = _read_ignore(folder.path, os.path.join(folder.path, ".git", "info", "exclude"))
    if ".gitignore" in names:
        ignores = _read_ignore(folder.path, os.path.join(folder.path, ".gitignore")) + ignores
    return ignores


def _ignores_above(path: str) -> tuple[_Ignore, ...]:
    """Return the ignore files between a folder (not its own) and the repository's root, closest first.

    Outside a repository there are none. What somebody names is walked even where those files ignore it, and
    then they have no say inside.
    """
    parents = _parents_in_repository(path)
    ignores: tuple[_Ignore, ...] = ()
    for parent in reversed(parents):
        names = {name for name in (".git", ".gitignore") if os.path.lexists(os.path.join(parent, name))}
        ignores = _with_ignores_of(_Folder(parent, parent, ignores), names)
    steps = [path, *parents[:-1]]
    return () if any(_ignored(ignores, step, os.path.basename(step), True) for step in steps) else ignores


def _parents_in_repository(path: str) -> list[str]:
    """Return the folders above ``path`` up to its repository's root, closest first, none outside of one."""
    parents: list[str] = []
    step = path
    while not os.path.lexists(os.path.join(step, ".git")):
        parent = os.path.dirname(step)
        if parent == step:
            return []
        parents.append(parent)
        step = parent
    return parents
