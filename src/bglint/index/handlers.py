"""What an ``except`` clause does with the error it catches."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bglint.index.callers import last_name
from bglint.index.context import LOOPS, TRIES, within_function
from bglint.index.exposure import is_logger_call
from bglint.index.facts import Module, Scope, dotted_text
from bglint.index.flow import nodes_of

if TYPE_CHECKING:
    from bglint.index.project import Project

_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_LOUD_LEVELS = frozenset({"CRITICAL", "ERROR", "FATAL", "WARN", "WARNING"})
# Logger methods that say that something is wrong, by name.
LOUD = frozenset({"critical", "error", "fatal", "log", "warn", "warning"})
# Names that show that somebody looks at the whole exception: the traceback module's, sys.exc_info, error trackers'.
_KEEPERS = frozenset(
    {
        "__traceback__", "capture_exception", "exc_info", "exception", "format_exc", "format_exception",
        "format_exception_only", "format_tb", "print_exc", "print_exception", "print_tb", "record_exception",
        "set_exception", "traceback",
    }
)  # fmt: skip
# What only makes text of an exception, or asks what it is.
_DESCRIBERS = frozenset({"format", "getattr", "hasattr", "isinstance", "len", "print", "repr", "str", "type"})
_CONTAINERS = (ast.Dict, ast.List, ast.Set, ast.Tuple)
_CLOSERS = frozenset({"aclose", "cancel", "close", "disconnect", "kill", "shutdown", "terminate"})
_WAITERS = frozenset({"shield", "wait_for"})
_SLEEPS = frozenset({"anyio.sleep", "asyncio.sleep", "time.sleep", "trio.sleep"})


def handler_of(module: Module, node: ast.AST) -> ast.ExceptHandler | None:
    """The innermost ``except`` clause that holds ``node``, in the same function."""
    return next((p for _, p in within_function(module, node) if isinstance(p, ast.ExceptHandler)), None)


def is_loud(call: ast.Call) -> bool:
    """Whether a call logs at warning or above."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in LOUD or not is_logger_call(call):
        return False
    return call.func.attr != "log" or (bool(call.args) and _is_loud_level(call.args[0]))


def first_loud(module: Module, handler: ast.ExceptHandler) -> ast.Call | None:
    """The first call in an ``except`` clause, inner clauses left out, that logs at warning or above."""
    loud = [n for n in _own_nodes(handler.body) if isinstance(n, ast.Call) and is_loud(n)]
    own = [call for call in loud if handler_of(module, call) is handler]
    return min(own, key=lambda call: (call.lineno, call.col_offset), default=None)


def has_logged(exposed: ast.AST | None, function: Scope) -> bool:
    """Whether what leaves a function is raised by a handler that has logged the error."""
    if not isinstance(exposed, ast.Raise):
        return False
    handler = handler_of(function.module, exposed)
    calls = (node for node in ast.walk(handler) if isinstance(node, ast.Call)) if handler is not None else ()
    return any(map(is_logger_call, calls))


def _is_loud_level(level: ast.expr) -> bool:
    if isinstance(level, ast.Constant):
        return level.value in _LOUD_LEVELS or (isinstance(level.value, int) and level.value >= 30)
    return dotted_text(level).rpartition(".")[2] in _LOUD_LEVELS


def keeps_error(module: Module, handler: ast.ExceptHandler) -> bool:
    """Whether an ``except`` clause raises, records a traceback, or hands the exception itself on."""
    for node in _own_nodes(handler.body):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, (ast.Attribute, ast.Name)) and getattr(node, "attr", getattr(node, "id", "")) in _KEEPERS:
            return True
        if isinstance(node, ast.keyword) and node.arg in ("exc_info", "exception"):
            return True
        if isinstance(node, ast.Name) and node.id == handler.name and _hands_on(module, node):
            return True
    return False


def _hands_on(module: Module, error: ast.Name) -> bool:
    """Whether the value of a name goes anywhere but into a text or a question."""
    child: ast.AST = error
    for parent in module.ancestors(error):
        if isinstance(parent, ast.Call):
            if child is parent.func:
                return False
            return not is_logger_call(parent) and dotted_text(parent.func).rpartition(".")[2] not in _DESCRIBERS
        if isinstance(parent, (ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.Return, ast.Yield)):
            return True
        if not isinstance(parent, (*_CONTAINERS, ast.Starred, ast.keyword, ast.Await, ast.IfExp)):
            return False
        child = parent
    return False


def does_nothing(handler: ast.ExceptHandler, scope: Scope, project: Project) -> bool:
    """Whether an ``except`` clause goes on as if nothing had happened; pausing first is nothing."""
    return all(_is_nothing(statement, scope, project) for statement in handler.body)


def _is_nothing(statement: ast.stmt, scope: Scope, project: Project) -> bool:
    if isinstance(statement, (ast.Pass, ast.Continue, ast.Break)):
        return True
    if isinstance(statement, ast.Return):
        return statement.value is None or _is_plain(statement.value)
    if not isinstance(statement, ast.Expr):
        return False
    value = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
    if isinstance(value, ast.Call):
        called = project.resolve(value.func, scope)
        return called is not None and called.name in _SLEEPS
    return isinstance(value, ast.Constant)


def _is_plain(value: ast.expr) -> bool:
    """A constant, a name's negative, an empty container: nothing of the error."""
    if isinstance(value, ast.UnaryOp):
        return _is_plain(value.operand)
    if isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        return all(map(_is_plain, value.elts))
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Dict) and not value.keys)


def gives_value(handler: ast.ExceptHandler) -> bool:
    """Whether an ``except`` clause returns something that a caller could tell from success."""
    last = handler.body[-1]
    if not isinstance(last, ast.Return) or last.value is None:
        return False
    return not (isinstance(last.value, ast.Constant) and last.value.value is None)


def is_clean_up(module: Module, node: ast.AST) -> bool:
    """Whether a ``try`` or its handler stands in an ``except`` or ``finally`` block, or only closes something."""
    statement = module.parents.get(node) if isinstance(node, ast.ExceptHandler) else node
    if isinstance(statement, TRIES) and all(map(_closes, statement.body)):  # type: ignore[attr-defined]
        return True
    for child, parent in within_function(module, statement) if statement is not None else ():
        if isinstance(parent, ast.ExceptHandler) or child in getattr(parent, "finalbody", ()):
            return True
    return False


def _closes(statement: ast.stmt) -> bool:
    """Whether a statement is a call such as ``await connection.close()``, perhaps ``if connection:``."""
    if isinstance(statement, ast.If) and not statement.orelse:
        return all(map(_closes, statement.body))
    value = statement.value if isinstance(statement, ast.Expr) else None
    value = value.value if isinstance(value, ast.Await) else value
    called = dotted_text(value.func) if isinstance(value, ast.Call) else ""
    return "." in called and called.rpartition(".")[2] in _CLOSERS


def is_settled_later(module: Module, node: ast.AST) -> bool:
    """Whether the loop around ``node`` ends in a ``raise`` or a log: what a retry loop does after its last try."""
    for parent in module.ancestors(node):
        if isinstance(parent, LOOPS):
            after = [*parent.orelse, *_behind(module.parents[parent], parent)]
            return any(isinstance(n, ast.Raise) or _logs(n) for n in nodes_of(after))
        if isinstance(parent, _NESTED):
            break
    return False


def _behind(parent: ast.AST, child: ast.stmt) -> list[ast.stmt]:
    """The statements after ``child`` in its block."""
    block = _block_of(parent, child)
    return block[block.index(child) + 1 :] if block else []


def _before(parent: ast.AST, child: ast.stmt) -> list[ast.stmt]:
    """The statements before ``child`` in its block."""
    block = _block_of(parent, child)
    return block[: block.index(child)] if block else []


def _block_of(parent: ast.AST, child: ast.stmt) -> list[ast.stmt]:
    blocks = (getattr(parent, name, None) for name in ("body", "orelse", "finalbody"))
    return next((block for block in blocks if isinstance(block, list) and child in block), [])


def _logs(node: ast.AST) -> bool:
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    return is_logger_call(node.value) or last_name(node.value.func).startswith("log_")


def only_waits(module: Module, handler: ast.ExceptHandler, scope: Scope) -> bool:
    """Whether a handler's ``try`` only awaits what the function was given, or an attribute: others have started that,
    and see how it ends.
    """
    statement = module.parents.get(handler)
    body = statement.body if isinstance(statement, TRIES) else []  # type: ignore[attr-defined]
    return bool(body) and all(_waits_for_given(inner, scope) for inner in body)


def _waits_for_given(statement: ast.stmt, scope: Scope) -> bool:
    value = statement.value if isinstance(statement, (ast.Expr, ast.Assign)) else None
    given = value.value if isinstance(value, ast.Await) else None
    while isinstance(given, ast.Call) and last_name(given.func) in _WAITERS and given.args:
        given = given.args[0]
    if isinstance(given, ast.Name):
        return given.id in {parameter.arg for parameter in scope.parameters}
    return isinstance(given, ast.Attribute) and bool(dotted_text(given))


def has_default(module: Module, node: ast.AST) -> bool:
    """Whether a handler's ``try`` only looks for a better value than the one that stands right above: ``n = 0``."""
    statement = module.parents.get(node)
    if not isinstance(statement, ast.stmt) or not isinstance(statement, TRIES):
        return False
    body = list(nodes_of(statement.body))  # type: ignore[attr-defined]
    if not all(isinstance(inner, _LOOKING) for inner in body):
        return False
    above = _before(module.parents[statement], statement)[-1:]
    return bool(
        {name for inner in body for name in _assigned(inner)} & {n for inner in above for n in _assigned(inner)}
    )


_LOOKING = (ast.Assign, ast.AnnAssign, ast.If, ast.Import, ast.ImportFrom)


def _assigned(statement: ast.AST) -> Iterator[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    yield from (text for target in targets if isinstance(target, ast.expr) and (text := dotted_text(target)))


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Everything in some statements, nested functions left out."""
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, _NESTED):
            pending.extend(ast.iter_child_nodes(node))
