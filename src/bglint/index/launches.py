"""Background callables: the functions that something runs apart from the code that asked for it, so that nobody waits
for their outcome. Queued after a response, wrapped in a task, started in a thread or process, submitted to a pool.

Two steps, as for callers: which names are handed over anywhere is read from the bytes of all files, and only files
that hand over the name in question are parsed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bglint.index.background import function_behind, queues, task_of
from bglint.index.callers import calls_in, import_aliases, last_name
from bglint.index.context import argument
from bglint.index.facts import BindingKind

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.places import Place
    from bglint.index.project import Project
    from bglint.index.symbols import Symbol

_LOOPS = ("asyncio.AbstractEventLoop", "asyncio.BaseEventLoop", "uvloop.Loop")
# Calls that run a coroutine, and where they take it.
_COROUTINE_RUNNERS = frozenset(
    {
        "asyncio.create_task", "asyncio.ensure_future", "asyncio.run_coroutine_threadsafe", "asyncio.Task",
        "asyncio.TaskGroup.create_task", *(f"{loop}.create_task" for loop in _LOOPS),
    }
)  # fmt: skip
# Calls that run a function: position and name of the argument.
_FUNCTION_RUNNERS = {
    "threading.Thread": (1, "target"),
    "threading.Timer": (1, "function"),
    "multiprocessing.Process": (1, "target"),
    "multiprocessing.context.Process": (1, "target"),
    "concurrent.futures.Executor.submit": (0, "fn"),
    "concurrent.futures.ThreadPoolExecutor.submit": (0, "fn"),
    "concurrent.futures.ProcessPoolExecutor.submit": (0, "fn"),
    "concurrent.futures.InterpreterPoolExecutor.submit": (0, "fn"),
    "anyio.abc.TaskGroup.start_soon": (0, "func"),
    "anyio.create_task_group().start_soon": (0, "func"),
}
# What their calls look like.
_WORDS = frozenset(
    {
        "add_task", "BackgroundTask", "create_task", "ensure_future", "run_coroutine_threadsafe", "Task", "Thread",
        "Timer", "Process", "submit", "start_soon",
    }
)  # fmt: skip
_THREADS = frozenset(
    {"threading.Thread", "threading.Timer", "multiprocessing.Process", "multiprocessing.context.Process"}
)
# What passes a coroutine on as it is.
_WRAPPERS = frozenset({"asyncio.shield", "asyncio.wait_for"})
# A called name; what a keyword that names the work is given; what ``partial`` and a dotted name lead to.
_CALLED = re.compile(rb"(\w+)[ \t]*\(")
_KEYWORD = re.compile(rb"\b(?:target|function|func|fn|coro|coro_or_future)[ \t]*=(.*)", re.DOTALL)
_PARTIAL = re.compile(rb"partial\(\s*([\w.]+)")
_DOTTED = re.compile(rb"[\w.]+")
_DEFINITION = re.compile(rb"def[ \t]+(\w+)[ \t]*\(([^()]*)")
_IDENTIFIER = re.compile(rb"[A-Za-z_]\w*")
_LONGEST_CALL = 400
_ROUNDS = 3
# A function that more files call is more than a go-between.
_MOST_FILES = 50


@dataclass(frozen=True, slots=True)
class Launch:
    """A call that makes a function run in the background: ``how`` it is called (``add_task``), and where it stands.

    ``awaitable`` tells that whoever made the call gets something that gives the function's result.
    """

    how: str
    path: Path
    row: int
    awaitable: bool


class HandedNames:
    """The names that stand in calls which start background work, by the bytes of all files of a project."""

    def __init__(self, project: Project) -> None:
        self.words: set[str] = set(_WORDS)
        self.files: dict[bytes, set[Path]] = {}
        self._project = project
        handing_on = {name for word in sorted(_WORDS) for name in self._scan(word.encode(), self._is_own(word))}
        for name in sorted(handing_on - _WORDS):
            if len(self._calling(name.encode())) <= _MOST_FILES:
                self.words.add(name)
                for _ in self._scan(name.encode(), True):
                    pass
        for path in {path for paths in self.files.values() for path in paths}:
            for original, alias in import_aliases(project.callers.data(path)):
                if path in self.files.get(alias.encode(), ()):
                    self.files.setdefault(original.encode(), set()).add(path)

    def _calling(self, word: bytes) -> list[Path]:
        callers = self._project.callers
        return [path for path in callers.files if word in callers.called(path)]

    def _is_own(self, word: str) -> bool:
        """Whether the project has a function of that name."""
        definition = f"def {word}(".encode()
        return any(definition in self._project.callers.data(path) for path in self._calling(word.encode()))

    def _scan(self, word: bytes, anywhere: bool) -> Iterator[str]:
        """Note what is handed to calls of ``word``; yield the names of functions that hand their parameters on.

        A function of the project may take the work ``anywhere`` among its arguments.
        """
        for path in self._calling(word):
            data = self._project.callers.data(path)
            at = data.find(word + b"(")
            while at >= 0:
                end = at + len(word)
                arguments = _inside(data, end)
                names = _run_by(arguments)
                if anywhere:
                    names |= {name for part in arguments.split(b",") for name in _run_by(part)}
                for name in names.union(*(_assigned(data, name, at) for name in names)):
                    self.files.setdefault(name, set()).add(path)
                definition = _definition_before(data, at)
                if definition is not None and _work(arguments).intersection(_IDENTIFIER.findall(definition[1])):
                    yield definition[0].decode("utf-8", "replace")
                at = data.find(word + b"(", end)


def _inside(data: bytes, opening: int) -> bytes:
    """What stands between a parenthesis and its closing one, strings not considered; not more than a few lines."""
    window = data[opening : opening + _LONGEST_CALL]
    depth = 0
    for position, byte in enumerate(window):
        if byte == 40:
            depth += 1
        elif byte == 41:
            depth -= 1
            if not depth:
                return window[1:position]
    return window[1:]


def _run_by(arguments: bytes) -> set[bytes]:
    """The names that may stand for the work among the arguments of a call: what is called, or given as it is."""
    found: set[bytes] = set()
    for part in _parts(arguments):
        head = part.partition(b",")[0]
        found.update(_CALLED.findall(head))
        found.update(name.rpartition(b".")[2] for name in (*_PARTIAL.findall(part), *_DOTTED.findall(head)[:1]))
    return found - {b"self", b"cls"}


def _work(arguments: bytes) -> set[bytes]:
    """The names without dots that are the work, or are called to make it."""
    return {match[0] for part in _parts(arguments) if (match := _DOTTED.match(part)) and b"." not in match[0]}


def _parts(arguments: bytes) -> Iterator[bytes]:
    """Where the work may stand: at the front, or behind a keyword that says so."""
    yield arguments.strip()
    if (keyword := _KEYWORD.search(arguments)) is not None:
        yield keyword[1].strip()


def _assigned(data: bytes, name: bytes, before: int) -> set[bytes]:
    """The names that last gave ``name`` a value, on the same row."""
    for sign in (b" = ", b" := "):
        at = data.rfind(name + sign, max(0, before - 2_000), before)
        if at >= 0:
            return _run_by(data[at + len(name) + len(sign) :][:_LONGEST_CALL].partition(b"\n")[0])
    return set()


def _definition_before(data: bytes, at: int) -> tuple[bytes, bytes] | None:
    """Name and parameters of the nearest ``def`` above."""
    start = data.rfind(b"def ", 0, at)
    match = _DEFINITION.match(data, start) if start >= 0 else None
    return (match[1], match[2]) if match is not None else None


class Launches:
    """Answers for one project; remembers its answers, by places that outlive the modules they were found in."""

    def __init__(self, project: Project, names: HandedNames) -> None:
        self.project = project
        self.names = names
        self._in_file: dict[Path, list[tuple[Place, Launch]]] = {}
        self._may_hold: dict[Path, bool] = {}

    def may_hold(self, path: Path) -> bool:
        """Whether a file may define a background callable, by its bytes."""
        if path not in self._may_hold:
            data = self.project.callers.data(path)
            defined = {part.partition(b"(")[0].strip() for part in data.split(b"def ")[1:]}
            subclasses = b"run" in defined and (b"Thread)" in data or b"Process)" in data)
            self._may_hold[path] = subclasses or not defined.isdisjoint(self.names.files)
        return self._may_hold[path]

    def may_be(self, function: Scope) -> bool:
        """Whether a function may be a background callable, by its name."""
        return function.name.encode() in self.names.files or (function.name == "run" and function.owner is not None)

    def is_background_callable(self, function: Scope) -> bool:
        """Whether a function is proven to run in the background somewhere in the project."""
        return self.of(function) is not None

    def of(self, function: Scope) -> Launch | None:
        """The first call that makes a function run in the background; None where none is proven to."""
        started = self._as_thread(function)
        if started is not None or not function.name.isidentifier():
            return started
        files = sorted(self.project.callers.near(self.names.files.get(function.name.encode(), ())))
        here = function.place if files else None
        for path in files:
            for launched, launch in self._launched_in(path):
                if launched == here or self._overrides(function, launched):
                    return launch
        return None

    def _as_thread(self, function: Scope) -> Launch | None:
        """The ``run`` of a subclass of Thread or Process is what its thread runs."""
        owner = function.owner
        if owner is None or function.name != "run":
            return None
        base = next((b for b in self.project.resolver.mro(owner) if b.name in _THREADS), None)
        return Launch(base.last, function.module.path, owner.row, False) if base is not None else None

    def _overrides(self, function: Scope, launched: Place) -> bool:
        """Whether the method that is launched may be this one, of a subclass."""
        if function.owner is None or launched.owner is None or launched.full_name.rpartition(".")[2] != function.name:
            return False
        return any(base.name == launched.owner.full_name for base in self.project.resolver.mro(function.owner))

    def _launched_in(self, path: Path) -> list[tuple[Place, Launch]]:
        """The functions that the calls of one file make run in the background."""
        if path not in self._in_file:
            self._in_file[path] = []
            module = self.project.module_at(path)
            words = frozenset(self.names.words)
            for call, scope in calls_in(module, words) if module is not None else ():
                for task, launch, inner in self._launched(call, scope, 0):
                    found = (function.place for function in self._functions(task, inner))
                    self._in_file[path].extend((place, launch) for place in found)
        return self._in_file[path]

    def _launched(self, call: ast.Call, scope: Scope, depth: int) -> Iterator[tuple[ast.expr, Launch, Scope]]:
        """What a call makes run in the background: an expression for a callable or a coroutine."""
        launch = Launch(last_name(call.func), scope.module.path, call.lineno, False)
        called = self.project.resolve(call.func, scope)
        if called is None or called.instance:
            return
        if queues(self.project, call, scope):
            task = task_of(self.project, call, scope)
        elif called.name in _COROUTINE_RUNNERS:
            launch = Launch(launch.how, launch.path, launch.row, True)
            task = argument(call, 0, "coro") or argument(call, 0, "coro_or_future")
        elif called.name in _FUNCTION_RUNNERS:
            task = argument(call, *_FUNCTION_RUNNERS[called.name])
            launch = Launch(launch.how, launch.path, launch.row, launch.how == "submit")
        else:
            task = self._handed_on(called, call, depth)
        if task is not None:
            yield task, launch, scope

    def _handed_on(self, called: Symbol, call: ast.Call, depth: int) -> ast.expr | None:
        """The argument that a project function starts in the background."""
        function = called.function
        if function is None or depth >= _ROUNDS:
            return None
        parameters = [p.arg for p in function.parameters]
        bound = function.owner is not None and self.project.resolver.method_kind(function) != "static"
        for inner in function.calls:
            if last_name(inner.func) not in self.names.words or inner is call:
                continue
            for task, _, _ in self._launched(inner, function, depth + 1):
                run = task.func if isinstance(task, ast.Call) else task
                if isinstance(run, ast.Name) and run.id in parameters:
                    return argument(call, parameters.index(run.id) - bound, run.id)
        return None

    def _functions(self, task: ast.expr, scope: Scope, depth: int = 0) -> Iterator[Scope]:
        """The project functions that run when a callable is called, or a coroutine is awaited."""
        if depth > _ROUNDS:
            return
        if isinstance(task, ast.Call):
            called = self.project.resolve(task.func, scope)
            if called is not None and called.name in _WRAPPERS and task.args:
                yield from self._functions(task.args[0], scope, depth + 1)
                return
            if called is not None and called.function is not None and called.function.is_async:
                yield called.function
                return
        if isinstance(task, ast.Name):
            bindings = scope.names.bindings.get(task.id, []) if scope.is_function else []
            for binding in bindings:
                if binding.kind is BindingKind.VALUE and isinstance(binding.value, ast.Call):
                    yield from self._functions(binding.value, scope, depth + 1)
        function = function_behind(self.project, task, scope)
        if function is None:
            return
        yield function
        if isinstance(function.node, ast.Lambda) and isinstance(function.node.body, ast.Call):
            inner = self.project.resolve(function.node.body.func, function)
            if inner is not None and inner.function is not None:
                yield inner.function
