"""The body of a request: who reads it in a background task, and whether it has been read before."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.background import function_behind, queues, task_of
from bglint.index.callers import last_name
from bglint.rules.background._shared import given_to_parameters

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

# Methods that read it, and those after which it is kept.
_READING = frozenset({"body", "form", "json", "stream"})
# Types and defaults of parameters that FastAPI finds elsewhere than in the body.
_NOT_IN_BODY = frozenset(
    {
        "BackgroundTasks", "Request", "Response", "UUID", "bool", "date", "datetime", "float", "int", "str",
        "Path", "Query", "Header", "Cookie",
    }
)  # fmt: skip
_DEPTH = 3


def body_reader(project: Project, call: ast.Call, name: str, endpoint: Scope) -> Scope | None:
    """The function that reads the body of the request ``name`` in the task that ``call`` starts.

    None where nothing is proven to, or where FastAPI or the endpoint itself may have read it before.
    """
    if _reads(endpoint, name) or any(not _is_elsewhere(parameter, endpoint) for parameter in endpoint.parameters):
        return None
    if any(isinstance(d, ast.Call) and where.argument(d, None, "dependencies") for d in endpoint.decorators):
        return None
    made = call.args[0] if call.args else None
    if queues(project, call, endpoint):
        task = task_of(project, call, endpoint)
        function = function_behind(project, task, endpoint) if task is not None else None
        # What is queued takes the arguments behind itself.
        made = ast.Call(task or call.func, call.args[1:], call.keywords) if task is made else None
    else:
        symbol = project.resolve(made.func, endpoint) if isinstance(made, ast.Call) else None
        function = symbol.function if symbol is not None else None
    if function is None or not isinstance(made, ast.Call):
        return None
    return _reader(project, made, name, function, 0)


def _reader(project: Project, call: ast.Call, name: str, function: Scope, depth: int) -> Scope | None:
    """The function, or one that it hands the request on to, that reads the body of what ``call`` gives it."""
    for parameter, given in given_to_parameters(project, call, function):
        if not (isinstance(given, ast.Name) and given.id == name):
            continue
        if _reads(function, parameter):
            return function
        for inner in function.calls if depth < _DEPTH else ():
            symbol = project.resolve(inner.func, function)
            if symbol is not None and symbol.function is not None:
                found = _reader(project, inner, parameter, symbol.function, depth + 1)
                if found is not None:
                    return found
    return None


def _reads(function: Scope, name: str) -> bool:
    """Whether a function reads the body of the request that it knows as ``name``."""
    return any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr in _READING
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == name
        for call in function.calls
    )


def _is_elsewhere(parameter: ast.arg, endpoint: Scope) -> bool:
    """Whether a parameter is surely not taken from the body."""
    default = endpoint.defaults.get(parameter.arg)
    if isinstance(default, ast.Call):
        return last_name(default.func) in _NOT_IN_BODY
    annotation = parameter.annotation
    if annotation is None:
        return True
    names = {part.id for part in ast.walk(annotation) if isinstance(part, ast.Name)}
    names |= {part.attr for part in ast.walk(annotation) if isinstance(part, ast.Attribute)}
    return names <= _NOT_IN_BODY | {"Annotated", "Optional", "None", "fastapi", "typing"}
