"""Traits of a whole project, read from the bytes of its files: is it a server, how does it start processes?"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bglint.index.project import Project

_SERVERS = (
    "aiohttp.web", "bottle", "django", "falcon", "fastapi", "flask", "grpc", "litestar", "quart", "sanic", "starlette",
    "tornado.web", "uvicorn",
)  # fmt: skip
_START_METHOD = re.compile(rb"""set_start_method\(\s*(?:method\s*=\s*)?["'](spawn|forkserver)["']""")
_RETURNING = rb"\bdef[ \t]+(\w+)[ \t]*\([^()]*\)[ \t]*->[ \t]*[\"']?[\w.]*\b%s\b"
_SUBCLASS = rb"\bclass[ \t]+(\w+)[ \t]*\([^()]*%s"
_LONGEST_LINE_OF_CLASSES = 3
_STARTING = re.compile(
    rb"\b(?:add_task|create_task|ensure_future|run_coroutine_threadsafe|run_in_executor|submit|Thread|Timer)[ \t]*\("
)
_YIELD = re.compile(rb"\byield\b")
_DEPENDENCY = re.compile(rb"\b(?:Depends|Security)\(\s*(?:\w+\.)*(\w+)")
_DEFINITION = re.compile(rb"\bdef[ \t]+(\w+)[ \t]*\(")
_EXCEPTHOOK = re.compile(rb"\bthreading\.excepthook\s*=[^=]")


class Traits:
    """Answers for one project; remembers its answers."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @cached_property
    def is_server(self) -> bool:
        """Whether a file imports a web framework or a server."""
        callers = self.project.callers
        return any(callers.imports(path, server) for path in callers.files for server in _SERVERS)

    @cached_property
    def handles_thread_errors(self) -> bool:
        """Whether a file sets ``threading.excepthook``."""
        return self._holds(_EXCEPTHOOK)

    @cached_property
    def thread_classes(self) -> frozenset[str]:
        """The names of the classes whose bases say that they are threads."""
        return self._matching(_SUBCLASS % b"Thread", b"Thread")

    @cached_property
    def http_errors(self) -> frozenset[str]:
        """The names of the classes that inherit from HTTPException, and of functions that say that they return one."""
        known = frozenset({"HTTPException"})
        found = fresh = known
        for _ in range(_LONGEST_LINE_OF_CLASSES):
            words = sorted(name.encode() for name in fresh)
            fresh = self._matching(_SUBCLASS % (rb"\b(?:%s)\b" % b"|".join(words)), *words) - found
            found |= fresh
            if not fresh:
                break
        return (found | self._matching(_RETURNING % b"HTTPException", b"HTTPException")) - known

    @cached_property
    def starting(self) -> frozenset[bytes]:
        """The names of the functions that start tasks, threads or jobs, or queue them, and of those in the same file
        that call one of these.
        """
        callers = self.project.callers
        found: set[bytes] = set()
        for path in callers.files_with(
            b"add_task", b"_task(", b"ensure_future", b"run_", b"submit", b"Thread", b"Timer"
        ):
            data = callers.data(path)
            own = _around(data, _STARTING)
            found |= own
            if own:
                found |= _around(data, re.compile(rb"(?<!def )\b(?:%s)\(" % b"|".join(sorted(own))))
        return frozenset(found)

    @cached_property
    def has_yielding_dependencies(self) -> bool:
        """Whether something that stands in a ``Depends`` is named like a function that yields."""
        callers = self.project.callers
        depending = callers.files_with(b"Depends(", b"Security(")
        given = {name for path in depending for name in _DEPENDENCY.findall(callers.data(path))}
        yielding = {name for path in callers.files_with(b"yield") for name in _around(callers.data(path), _YIELD)}
        return bool(given) and not yielding.isdisjoint(given | {b"__call__"})

    def _matching(self, pattern: bytes, *words: bytes) -> frozenset[str]:
        """What a pattern finds in the files that hold any of the words."""
        callers, regex = self.project.callers, re.compile(pattern)
        found = (name for path in callers.files_with(*words) for name in regex.findall(callers.data(path)))
        return frozenset(name.decode("utf-8", "replace") for name in found)

    @cached_property
    def spawns_processes(self) -> bool:
        """Whether a file says that new processes do not fork."""
        return self._holds(_START_METHOD)

    def _holds(self, pattern: re.Pattern[bytes]) -> bool:
        callers = self.project.callers
        return any(pattern.search(callers.data(path)) is not None for path in callers.files)


def _around(data: bytes, pattern: re.Pattern[bytes]) -> set[bytes]:
    """The names of the nearest functions above what a pattern finds."""
    places = [match.start() for match in pattern.finditer(data)]
    definitions = list(_DEFINITION.finditer(data)) if places else []
    starts = [match.start() for match in definitions]
    above = (bisect_right(starts, place) - 1 for place in places)
    return {definitions[position][1] for position in above if position >= 0}
