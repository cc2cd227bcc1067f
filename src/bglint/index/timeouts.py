"""Which calls wait without end: those that are given no timeout where the library has none by itself."""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from bglint.index import data
from bglint.index.context import argument, has_star
from bglint.index.facts import BindingKind, Module, Scope
from bglint.index.symbols import PARTIAL, Symbol

if TYPE_CHECKING:
    from bglint.index.project import Project

# An adapter or a wrapper that a session gets its default from.
_SESSION_DEFAULT = re.compile(
    r"\.(?:request|send|get|post)\s*=\s*(?:functools\.)?partial(?:method)?\(|\bTimeout\w*Adapter"
)
_MOUNT = re.compile(r"\.mount\(\s*[^,]+,\s*([\w.]+)")
_PLAIN_ADAPTERS = frozenset({"HTTPAdapter", "requests.adapters.HTTPAdapter", "adapters.HTTPAdapter"})


class Missing(enum.Enum):
    """How a call comes to wait without end."""

    NOT_GIVEN = "not given"
    NONE = "None"


def missing_timeout(call: ast.Call, scope: Scope, project: Project) -> tuple[str, Missing] | None:
    """The qualified name of what a call without end calls, and why it has none; None where it ends or may end."""
    symbol = project.resolve(call.func, scope)
    if symbol is None or (symbol.instance and symbol.name == PARTIAL):
        return None
    entry = calls().get(symbol.name)
    if entry is None or symbol.scope is not None or has_star(call):
        return None
    given = argument(call, entry.get("position"), "timeout")
    if given is not None:
        is_none = isinstance(given, ast.Constant) and given.value is None
        return (symbol.name, Missing.NONE) if is_none else None
    if entry["default"] == "some" or (entry.get("instance") and has_own_default(call, scope, project)):
        return None
    if entry.get("socket") and _has_socket_default(project):
        return None
    return symbol.name, Missing.NOT_GIVEN


def has_own_default(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether the session a method is called on may carry a timeout: by its class, an adapter or a wrapper."""
    if not isinstance(call.func, ast.Attribute):
        return False
    session = project.resolve(call.func.value, scope)
    if session is not None and session.class_ is not None:
        return _is_about_timeouts(session, project)
    homes = {scope.module, *_homes(call.func.value, scope, project)}
    return any(_sets_session_default(module.text) for module in homes)


def _is_about_timeouts(session: Symbol, project: Project) -> bool:
    """Whether a project's own subclass of Session says anything about timeouts."""
    assert session.class_ is not None
    return any(
        "timeout" in (ast.get_source_segment(base.class_.module.text, base.class_.node) or "")
        for base in project.resolver.mro(session.class_)
        if base.class_ is not None
    )


def _homes(node: ast.expr, scope: Scope, project: Project) -> list[Module]:
    """The modules in which a session that is used here may have been made."""
    if isinstance(node, ast.Name):
        for owner in scope.walk_up():
            for binding in owner.names.bindings.get(node.id, ()):
                if binding.kind is BindingKind.IMPORT:
                    module = project.module(binding.target.rpartition(".")[0])
                    return [module] if module is not None else []
                if isinstance(binding.value, ast.Call):
                    maker = project.resolve(binding.value.func, owner)
                    return [maker.scope.module] if maker is not None and maker.scope is not None else []
        return []
    if isinstance(node, ast.Attribute):
        holder = project.resolve(node.value, scope)
        return [holder.scope.module] if holder is not None and holder.scope is not None else []
    if isinstance(node, ast.Call):
        maker = project.resolve(node.func, scope)
        return [maker.scope.module] if maker is not None and maker.scope is not None else []
    return []


def _sets_session_default(text: str) -> bool:
    if _SESSION_DEFAULT.search(text) is not None:
        return True
    return any(adapter not in _PLAIN_ADAPTERS for adapter in _MOUNT.findall(text))


def _has_socket_default(project: Project) -> bool:
    return any(b"setdefaulttimeout" in project.callers.data(path) for path in project.callers.files)


@cache
def calls() -> Mapping[str, Mapping[str, Any]]:
    """Qualified name → what is known of its timeout."""
    table: Mapping[str, Mapping[str, Any]] = data.load("timeouts.toml")["calls"]
    return table
