"""The first screen: can files matter to any rule at all? Asked of their bytes, before the first rule is imported.

Most of the time they can, and the rules' own words decide file by file. But whoever lints a few files in which there
is nothing to find, as before each commit, should not wait for forty rules and an index.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from bglint.source import read_bytes

# For every rule, what it triggers on or, where that is more telling, what it needs besides. A rule with a new word
# makes a test fail until it stands here; one word too many costs nothing but time.
WORDS = (
    *(b"async def", b"asyncio", b"add_task", b"BackgroundTask", b"HTTPException", b"noqa", b"return_exceptions"),
    *(b"create_task", b"ensure_future", b"run_coroutine_threadsafe", b"start_soon", b"Task(", b".Task"),
    *(b"Thread", b"Timer", b"Process", b"submit", b".result(", b".map(", b"fork", b"Pool", b"multiprocessing"),
    *(b"run_in_executor", b"run_in_threadpool", b"run_sync", b"to_thread"),
    *(b" lock", b".lock", b"_lock", b"lock_", b"Lock", b"Condition", b"emaphore", b"mutex"),
    *(b"aiohttp", b"client", b"http", b"requests", b"session", b"smtplib", b"subprocess", b"urllib", b"urlopen"),
)
_JOIN = b".join("
# Two, because a pattern is fast that starts with a word.
_IMPORTS = (re.compile(rb"import\b([^\n;#(]+)"), re.compile(rb"from\b([^\n;#(]+)"))
MOST_FILES = 500  # more of them, and the time that the rules take to import is no matter


def matters(data: bytes) -> bool:
    """Tell whether a file, or several one after the other, may matter to a rule."""
    # Threads and processes are joined, not what stands in quotes.
    joins = data.count(_JOIN)
    return any(word in data for word in WORDS) or joins > data.count(b'"' + _JOIN) + data.count(b"'" + _JOIN)


def nothing_matters(linted: Mapping[str, bytes], roots: Collection[str]) -> bool:
    """Tell whether no rule can report anything in the ``linted`` files, by absolute path.

    A file may matter for what others do with its functions. So the same is asked of all files of the packages that
    the files belong to or import, where these lie below one of the ``roots`` or beside a linted file. False where
    finding that out would take long.
    """
    if len(linted) > MOST_FILES or matters(b"\n".join(linted.values())):
        return False
    tops = {top for folder, names in _by_folder(linted).items() for top in _tops_of(folder, names, roots)}
    folders = {folder for folder, _ in tops} | set(roots)
    listings = {folder: _listing(folder) for folder in folders}
    wanted = [(folder, name) for folder, name in tops]
    imported = {name for data in linted.values() for name in _imported(data)}
    seen = set(linted)
    asked = set()
    while wanted or imported:
        wanted += [(folder, name) for folder in folders for name in imported]
        fresh = [path for top in wanted if top not in asked for path in _files(*top, listings[top[0]])]
        asked.update(wanted)
        wanted, imported = [], set()
        for path in fresh:
            if path in seen:
                continue
            seen.add(path)
            data = _content(path)
            if len(seen) > MOST_FILES or matters(data):
                return False
            imported.update(_imported(data))
    return True


def _by_folder(paths: Iterable[str]) -> dict[str, set[str]]:
    """Return folder → the module names of the files in it."""
    folders: dict[str, set[str]] = {}
    for path in paths:
        folder, name = os.path.split(path)
        folders.setdefault(folder, set()).add(name.partition(".")[0])
    return folders


def _tops_of(folder: str, modules: Iterable[str], roots: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the folders from which modules can be imported, each with the first part of their names there."""
    for root in roots:
        if folder == root:
            yield from ((root, module) for module in modules)
        elif folder.startswith(root.rstrip(os.sep) + os.sep):
            yield root, os.path.relpath(folder, root).split(os.sep)[0]
    packages = [folder]
    while os.path.exists(os.path.join(packages[-1], "__init__.py")) and packages[-1] != os.path.dirname(packages[-1]):
        packages.append(os.path.dirname(packages[-1]))
    if len(packages) > 1:
        yield packages[-1], os.path.basename(packages[-2])
    else:
        yield from ((folder, module) for module in modules)


def _listing(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()


def _imported(data: bytes) -> Iterator[str]:
    """Yield the first parts of all names that an import statement may name, and then some."""
    for pattern in _IMPORTS:
        for listed in pattern.findall(data):
            for part in listed.split(b","):
                if words := part.split():
                    yield words[0].partition(b".")[0].decode("utf-8", "replace")


def _files(folder: str, top: str, listing: frozenset[str]) -> Iterator[str]:
    """Yield the files of a top-level package or module."""
    if f"{top}.py" in listing:
        yield os.path.join(folder, f"{top}.py")
    if top in listing:
        for inner, folders, names in os.walk(os.path.join(folder, top)):
            folders[:] = [name for name in folders if name.isidentifier()]
            yield from (os.path.join(inner, name) for name in names if name.endswith(".py"))


def _content(path: str) -> bytes:
    try:
        return read_bytes(path)
    except OSError:
        return b""
