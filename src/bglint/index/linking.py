"""Where the nodes of a module stand: the node around each of them, and the calls that scopes make.

Nothing is walked that no question is about: a whole function for ``link``, single statements for ``calls_on``.
"""

from __future__ import annotations

import ast
import weakref
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bglint.index.compact import with_compact
from bglint.index.outline import BLOCKS, FUNCTION_TYPES

if TYPE_CHECKING:
    from bglint.index.facts import Module, Scope

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_SCOPE_TYPES = FUNCTION_TYPES | with_compact({ast.Lambda, ast.ClassDef})
_LEAVES = with_compact({
    ast.Name, ast.Constant, ast.Pass, ast.Break, ast.Continue, ast.Import, ast.ImportFrom, ast.alias, ast.Global,
    ast.Nonlocal, ast.MatchSingleton,
})  # fmt: skip
_NOTED = with_compact({ast.Call, ast.Return, ast.Yield, ast.YieldFrom})
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# Fields that hold no nodes, or operators and contexts, which are one object for a whole tree.
_NO_NODES = frozenset({
    "arg", "asname", "attr", "conversion", "ctx", "id", "is_async", "kind", "kwd_attrs", "level", "module", "op",
    "ops", "rest", "simple", "str", "tag", "type_comment", "type_ignores",
})  # fmt: skip


class _Fields(dict[type, tuple[str, ...]]):
    """Node class → its fields that hold nodes worth a visit."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        # A name is a text everywhere but in a type alias.
        skipped = _NO_NODES if kind.__name__ == "TypeAlias" else _NO_NODES | {"name"}
        self[kind] = () if kind in _LEAVES else tuple(name for name in kind._fields if name not in skipped)
        return self[kind]


_FIELDS = _Fields()
# Those that are evaluated where a function is defined; its body may not have been parsed yet.
_HEADER = tuple(name for name in _FIELDS[ast.FunctionDef] if name != "body")


class Parents(dict[ast.AST, ast.AST]):
    """Node → the node around it. Where a node has not been met yet, the function that it stands in is linked."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self._module = weakref.ref(module)

    def __missing__(self, node: ast.AST) -> ast.AST:
        module = self._module()
        if module is None:
            raise KeyError(node)
        for scope in _scopes_at(module, _row_of(node)) if node is not module.tree else ():
            link(module, scope)
            found = super().get(node)
            if found is not None:
                return found
        raise KeyError(node)

    def get(self, node: Any, default: Any = None) -> Any:
        """The node around ``node``; ``default`` for the module, and for what is not of its tree."""
        try:
            return self[node]
        except KeyError:
            return default


def _row_of(node: ast.AST) -> int:
    """The row of a node, or of what stands in it first: ``comprehension`` and ``withitem`` have none of their own."""
    return next((row for inner in ast.walk(node) if (row := getattr(inner, "lineno", None)) is not None), 0)


def _scopes_at(module: Module, row: int) -> list[Scope]:
    """The scopes whose linking covers a row: the outermost function there, then the classes and the module around."""
    around: list[Scope] = [module]
    body: Sequence[ast.stmt] = module.tree.body
    while statement := next((s for s in body if first_row(s) <= row <= (s.end_lineno or s.lineno)), None):
        body = ()
        for inner in scopes_within(around[-1], statement):
            node = inner.node
            assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            if first_row(node) <= row <= (node.end_lineno or node.lineno):
                around.append(inner)
                body = () if inner.is_function else node.body
                break
    return around[::-1]


def first_row(node: ast.stmt) -> int:
    """The row a statement starts on, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min(node.lineno, decorators[0].lineno) if decorators else node.lineno


def scopes_within(scope: Scope, statement: ast.AST) -> Iterator[Scope]:
    """Every class and function scope that a statement of ``scope`` opens, outer ones first."""
    pending: list[tuple[ast.AST, Scope]] = [(statement, scope)]
    while pending:
        node, owner = pending.pop()
        if isinstance(node, SCOPES):
            inner = owner.child(node)
            yield inner
            if inner.is_function:
                continue
            owner = inner
        for name in BLOCKS:
            pending.extend((child, owner) for child in getattr(node, name, ()))


def link(module: Module, scope: Scope) -> list[tuple[ast.Call, Scope]]:
    """Note parents, calls, returns and yields of all nodes of the outermost function around ``scope``.

    For a module or class scope: of its own statements, functions left out. Returns the calls and their scopes.
    """
    root = scope.outermost_function
    if root.node not in module.linked:
        module.linked[root.node] = []
        module.linked[root.node] = _link(module, root)
    return module.linked[root.node]


def _link(module: Module, root: Scope) -> list[tuple[ast.Call, Scope]]:
    # The way up to the module, so that ancestors() ends there.
    for scope in root.walk_up():
        if scope.parent is not None:
            module.parents.setdefault(scope.node, scope.parent.node)
    calls: list[tuple[ast.Call, Scope]] = []
    for node, scope in _walk(module, [(root.node, root)], root):
        if isinstance(node, ast.Call):
            calls.append((node, scope))
            module.calls_of.setdefault(scope, []).append(node)
        elif isinstance(node, ast.Return):
            module.returns_of.setdefault(scope, []).append(node.value)
        else:
            module.yields_of.setdefault(scope, []).append(node)  # type: ignore[arg-type]
    return calls


def _walk(module: Module, stack: list[tuple[ast.AST, Scope]], root: Scope) -> list[tuple[ast.AST, Scope]]:
    """Note the parents of what is below the nodes of ``stack``; the calls, returns and yields there, in source order.

    Each node comes with the scope that evaluates it. Functions are entered where ``root`` is one.
    """
    parents = module.parents
    found: list[tuple[ast.AST, Scope]] = []
    while stack:
        node, scope = stack.pop()
        kind = type(node)
        if kind in _NOTED:
            found.append((node, scope))
        is_entered = root.is_function or node is root.node or kind not in FUNCTION_TYPES
        children: list[ast.AST] = []
        for name in _FIELDS[kind] if is_entered else _HEADER:
            value = getattr(node, name)
            if value is None:
                continue
            if type(value) is list:
                children += value if None not in value else [child for child in value if child is not None]
            else:
                children.append(value)
        for child in children:
            parents[child] = node
        children.reverse()
        if kind in _SCOPE_TYPES or node is root.node:
            stack.extend([(child, owner) for child in children if (owner := _owner(child, node, scope, root))])
        else:
            stack.extend([(child, scope) for child in children if type(child) not in _LEAVES])
    return found


def _owner(child: ast.AST, node: ast.AST, scope: Scope, root: Scope) -> Scope | None:
    """The scope that evaluates a child of a ``def``, ``class``, ``lambda`` or module; None where it is not walked."""
    outside = not isinstance(node, ast.Module) and evaluated_outside(node, child)
    if node is root.node:
        return None if outside else scope  # decorators and defaults of the root belong to the scope around it
    if outside:
        return scope
    return scope.child(node) if root.is_function or isinstance(node, ast.Lambda) else None  # type: ignore[arg-type]


def evaluated_outside(scope: ast.AST, child: ast.AST) -> bool:
    """Whether ``child`` of a ``def``/``class``/``lambda`` node is evaluated where the definition stands."""
    if isinstance(scope, ast.Lambda):
        return child is not scope.body
    return not isinstance(child, ast.stmt)


def calls_on(
    module: Module, rows: Sequence[int], within: tuple[ast.stmt, Scope] | None = None
) -> Iterator[tuple[ast.Call, Scope]]:
    """The calls in the statements that hold any of the sorted ``rows``, with the scopes that make them.

    Of a compound statement, those in its header. There may be others among them. For ``within``, see
    ``statements_on``.
    """
    for statement, scope in statements_on(module, rows, within):
        if statement not in module.headers:
            module.headers[statement] = _header_calls(module, statement, scope)
        yield from module.headers[statement]


def statements_on(
    module: Module, rows: Sequence[int], within: tuple[ast.stmt, Scope] | None = None
) -> Iterator[tuple[ast.stmt, Scope]]:
    """The statements that hold any of the sorted ``rows``, outer ones first, and the scopes they stand in.

    ``within`` is a statement of a module's or class's body, and that scope, to look no further than there.
    """
    parents = module.parents
    around = within[1] if within is not None else module
    for scope in around.walk_up():
        if scope.parent is not None:
            parents.setdefault(scope.node, scope.parent.node)
    body = module.tree.body if within is None else [within[0]]
    pending: list[tuple[ast.stmt, Scope, ast.AST]] = [(s, around, around.node) for s in reversed(body)]
    while pending:
        statement, scope, parent = pending.pop()
        if not any_between(rows, first_row(statement), statement.end_lineno or statement.lineno):
            continue
        parents[statement] = parent
        yield statement, scope
        inner = scope.child(statement) if isinstance(statement, _DEFINITIONS) else scope
        for name in reversed(BLOCKS):
            for part in reversed(getattr(statement, name, ())):
                if isinstance(part, ast.stmt):
                    pending.append((part, inner, statement))
                else:
                    parents[part] = statement
                    pending.extend((s, inner, part) for s in reversed(part.body))


def function_at(module: Module, row: int, column: int) -> Scope | None:
    """The function or lambda that starts there, ``column`` in bytes; None where none does."""
    statements = list(statements_on(module, [row]))[::-1]  # the innermost first
    for statement, scope in statements:
        if isinstance(statement, _DEFINITIONS) and (statement.lineno, statement.col_offset) == (row, column):
            return scope.child(statement)
    for node in (node for statement, _ in statements for node in ast.walk(statement) if isinstance(node, ast.Lambda)):
        if (node.lineno, node.col_offset) == (row, column):
            return module.scope_of(node).child(node)
    return None


def statements_in(statement: ast.stmt, scope: Scope) -> Iterator[tuple[ast.stmt, Scope]]:
    """A statement of ``scope`` and all statements in it, each with the scope it stands in, in no special order."""
    pending: list[tuple[ast.stmt, Scope]] = [(statement, scope)]
    while pending:
        node, owner = pending.pop()
        yield node, owner
        inner = owner.child(node) if isinstance(node, _DEFINITIONS) else owner
        for name in BLOCKS:
            for part in getattr(node, name, ()):
                pending.extend([(part, inner)] if isinstance(part, ast.stmt) else [(s, inner) for s in part.body])


def names_read(node: ast.AST) -> frozenset[str]:
    """Every name that is read anywhere inside ``node``, nested functions included."""
    found: set[str] = set()
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            if type(node.ctx) is ast.Load:
                found.add(node.id)
            continue
        for field in _FIELDS[type(node)]:
            value = getattr(node, field)
            if type(value) is list:
                stack.extend([child for child in value if child is not None])
            elif value is not None:
                stack.append(value)
    return frozenset(found)


def any_between(rows: Sequence[int], first: int, last: int) -> bool:
    """Whether any of the sorted rows lies from ``first`` to ``last``."""
    position = bisect_left(rows, first)
    return position < len(rows) and rows[position] <= last


def _header_calls(module: Module, statement: ast.stmt, scope: Scope) -> list[tuple[ast.Call, Scope]]:
    """The calls in a simple statement, or in the header of a compound one; handlers and cases have headers, too."""
    stack: list[tuple[ast.AST, Scope]] = []
    holders: list[ast.AST] = [statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]
    for holder in holders:
        for child in _header_nodes(holder):
            module.parents[child] = holder
            stack.append((child, scope))
    return [(node, owner) for node, owner in _walk(module, stack[::-1], scope) if isinstance(node, ast.Call)]


def _header_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes right below one, those of its blocks left out."""
    for name in _FIELDS[type(node)]:
        if name not in BLOCKS:
            value = getattr(node, name)
            yield from value if type(value) is list else () if value is None else (value,)
