"""What the rules of the 1xx family share: which calls queue a background task, and what is queued behind it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.background import QUEUERS
from bglint.index.background import queues as queues
from bglint.index.plain_results import is_plainly_decorated as is_plainly_decorated
from bglint.rules.base import CallRule, Candidate

if TYPE_CHECKING:
    from pathlib import Path

    from bglint.config import Settings
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.model import Finding
    from bglint.source import Source

# Each starts with a literal, which the regular expression engine finds without trying every word of the file.
_IMPORTED_AS = re.compile(r"BackgroundTask[ \t]+as[ \t]+(\w+)")
_METHOD = re.compile(r"\.add_task\b(?![ \t]*\()")
_BOUND_TO = re.compile(r"(\w+)[ \t]*=[ \t]*[\w.]+$")

# What may come to light once a task is queued that never was: it runs now, and it may fail, block or never end.
REVEALED_BY_QUEUEING = frozenset(
    {"BGL101", "BGL103", "BGL104", "BGL105", "BGL107", "BGL108", "BGL109", "BGL110", "BGL111", "BGL112", "BGL113"}
) | frozenset({"BGL209", "BGL306", "BGL501", "BGL502", "BGL503"})


class QueueingRule(CallRule):
    """Judges the calls that queue a background task, one by one."""

    triggers = QUEUERS

    def words(self, source: Source) -> frozenset[str]:
        """The two names, and what this file calls them."""
        text = source.text
        imported = _IMPORTED_AS.findall(text)
        before = (text[text.rfind("\n", 0, m.start()) + 1 : m.start()] for m in _METHOD.finditer(text))
        bound = [match[1] for line in before if (match := _BOUND_TO.search(line))]
        return self.triggers.union(imported, bound)


class HarmfulQueueingRule(QueueingRule):
    """Reports calls that queue a background task for what ``harm`` says of them."""

    def harm(self, call: ast.Call, scope: Scope) -> str | None:
        """What is wrong with a call that queues a task; None unless it is proven."""
        raise NotImplementedError

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call does harm."""
        return self.harm(call, scope) is not None

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it."""
        assert isinstance(candidate.site, ast.Call)
        message = self.harm(candidate.site, candidate.scope)
        return self.finding(candidate, message) if message is not None else None


def dependency_calls(project: Project, function: Scope) -> Iterator[ast.Call]:
    """The ``Depends(function)`` and ``Security(function)`` of a project."""
    for call, scope in project.request_path.handed_over(function):
        symbol = project.resolve(call.func, scope)
        if symbol is not None and symbol.name in ("fastapi.Depends", "fastapi.Security"):
            yield call


def fastapi_before(settings: Settings, version: str) -> bool:
    """Whether the project's FastAPI is known, and older than ``version``."""
    from packaging.version import InvalidVersion, Version  # slow to import

    try:
        return settings.fastapi_version is not None and Version(settings.fastapi_version) < Version(version)
    except InvalidVersion:
        return False


def ends_dependencies_early(settings: Settings) -> bool:
    """Whether the project's FastAPI is known to end dependencies before it sends the response: 0.106 to 0.117."""
    return fastapi_before(settings, "0.118") and not fastapi_before(settings, "0.106")


@dataclass(frozen=True, slots=True)
class Queue:
    """What a function queues behind a task: how many tasks surely, and whether there may be more."""

    sure: int
    more: bool


def queued_after(call: ast.Call, scope: Scope) -> Queue:
    """The tasks that the same function queues behind ``call`` on the same object, or that the same list holds."""
    module = scope.module
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "add_task":
        parent = module.parents.get(call)
        behind = parent.elts[parent.elts.index(call) + 1 :] if isinstance(parent, (ast.List, ast.Tuple)) else []
        return Queue(len(behind), any(isinstance(element, ast.Starred) for element in behind))
    receiver = ast.dump(call.func.value)
    sure, more = 0, where.in_loop(module, call)
    for other in scope.calls:
        func = other.func
        if not isinstance(func, ast.Attribute) or func.attr != "add_task" or ast.dump(func.value) != receiver:
            continue
        if _position(other) <= _position(call):
            continue
        after = where.runs_after(module, call, other)
        if after and _leaves_between(scope, call, other):
            after = None
        sure, more = sure + (after is True), more or after is None
    return Queue(sure, more)


def _position(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or 0, node.end_col_offset or 0


def _leaves_between(scope: Scope, first: ast.Call, second: ast.Call) -> bool:
    """Whether the function may end, or a loop go on, between two calls."""
    module = scope.module
    return any(
        isinstance(node, (ast.Return, ast.Raise, ast.Break, ast.Continue))
        and first.lineno <= node.lineno <= second.lineno
        and module.scope_of(node) is scope
        and where.runs_after(module, first, node) is not False
        for node in ast.walk(scope.node)
    )


def given_to_parameters(project: Project, call: ast.Call, function: Scope) -> Iterator[tuple[str, ast.expr]]:
    """The parameters of a project function that a call of it gives a value, each with what it gives."""
    bound = function.owner is not None and project.resolver.method_kind(function) != "static"
    for position, parameter in enumerate(function.parameters):
        given = where.argument(call, position - bound if position >= bound else None, parameter.arg)
        if given is not None:
            yield parameter.arg, given


def helpers_called(project: Project, path: Path) -> frozenset[str]:
    """The names of the functions that a file calls and that may start or queue work for it."""
    called = project.callers.called(path) & project.traits.starting
    return frozenset(name.decode("utf-8", "replace") for name in called)
