"""Where a node stands: awaited, dropped, in a loop, under a ``try``. Pure questions over a linked module."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bglint.index.facts import Module, dotted_text
from bglint.index.linking import names_read as names_read

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
LOOPS = (ast.For, ast.AsyncFor, ast.While)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
TRIES: tuple[type[ast.AST], ...] = (ast.Try, *((ast.TryStar,) if hasattr(ast, "TryStar") else ()))


def statement_of(module: Module, node: ast.AST) -> ast.stmt:
    """The innermost statement that holds ``node`` (or is it)."""
    if isinstance(node, ast.stmt):
        return node
    return next(a for a in module.ancestors(node) if isinstance(a, ast.stmt))


def within_function(module: Module, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """(child, parent) pairs upwards from ``node``, ending at the innermost function, lambda or class."""
    child = node
    for parent in module.ancestors(node):
        if isinstance(parent, (*FUNCTIONS, ast.ClassDef)):
            return
        yield child, parent
        child = parent


def is_awaited(module: Module, node: ast.AST) -> bool:
    """Whether ``node`` is what an ``await`` waits for."""
    return isinstance(module.parents.get(node), ast.Await)


def is_dropped(module: Module, node: ast.AST) -> bool:
    """Whether the value of ``node`` is a statement of its own, used by nobody."""
    return isinstance(module.parents.get(node), ast.Expr)


def in_loop(module: Module, node: ast.AST) -> bool:
    """Whether ``node`` runs repeatedly: in a loop's body or a comprehension's element, in its own function."""
    for child, parent in within_function(module, node):
        if isinstance(parent, LOOPS) and child in parent.body:
            return True
        if isinstance(parent, COMPREHENSIONS) and not isinstance(child, ast.comprehension):
            return True
    return False


def tries_around(module: Module, node: ast.AST) -> Iterator[ast.Try]:
    """The ``try`` statements whose body (not handlers, else or finally) holds ``node``, innermost first."""
    for child, parent in within_function(module, node):
        if isinstance(parent, TRIES) and child in parent.body:  # type: ignore[attr-defined]
            yield parent  # type: ignore[misc]


def withs_around(module: Module, node: ast.AST) -> Iterator[ast.With | ast.AsyncWith]:
    """The ``with`` statements whose body holds ``node``, innermost first."""
    for child, parent in within_function(module, node):
        if isinstance(parent, (ast.With, ast.AsyncWith)) and child in parent.body:
            yield parent


def argument(call: ast.Call, position: int | None, name: str) -> ast.expr | None:
    """The argument given by position or keyword; None also where a star could hide it (see ``has_star``)."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is None or any(isinstance(a, ast.Starred) for a in call.args[: position + 1]):
        return None
    return call.args[position] if position < len(call.args) else None


def has_star(call: ast.Call) -> bool:
    """Whether ``*args`` or ``**kwargs`` are passed."""
    return any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords)


def hands_on(parent: ast.AST, child: ast.AST) -> bool:
    """Whether the value of ``parent`` is that of ``child``, or a container that holds it."""
    if isinstance(parent, ast.IfExp):
        return child is not parent.test
    if isinstance(parent, ast.BoolOp):
        return isinstance(parent.op, ast.Or) or child is parent.values[-1]
    if isinstance(parent, (ast.ListComp, ast.SetComp)):
        return child is parent.elt
    if isinstance(parent, ast.DictComp):
        return child is parent.value
    return isinstance(parent, (ast.Tuple, ast.List, ast.Set, ast.Dict, ast.Starred, ast.NamedExpr))


def runs_after(module: Module, first: ast.AST, second: ast.AST) -> bool | None:
    """Whether ``second``, further down in the same function, runs once ``first`` has: None means perhaps."""
    above = [first, *module.ancestors(first)]
    outer = second
    certain = True
    for parent in module.ancestors(second):
        if parent in above:
            return _follows(parent, above[above.index(parent) - 1], outer) and (certain or None)
        if isinstance(parent, _BRANCHING) and not _runs_always(parent, outer):
            certain = False
        outer = parent
    return None


_BRANCHING = (ast.If, ast.IfExp, ast.BoolOp, ast.ExceptHandler, ast.match_case, *LOOPS, *COMPREHENSIONS, *TRIES)


def _runs_always(node: ast.AST, child: ast.AST) -> bool:
    """Whether this part of a branching node runs whenever the node does."""
    if isinstance(node, (ast.If, ast.IfExp, ast.While)):
        return child is node.test
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return child is node.iter
    if isinstance(node, TRIES):
        return child in node.body or child in node.finalbody  # type: ignore[attr-defined]
    return False


def _follows(node: ast.AST, first: ast.AST, second: ast.AST) -> bool | None:
    """The same for two parts of one node: the branches of a condition exclude each other."""
    if isinstance(node, ast.IfExp):
        return first is node.test and None
    if isinstance(node, ast.Match):
        return first is node.subject and None
    blocks = [block for name in ("body", "orelse", "finalbody") if isinstance(block := getattr(node, name, None), list)]
    one, other = (next((b for b in blocks if part in b), None) for part in (first, second))
    if one is other and one is not None:
        return True
    if isinstance(node, ast.If):
        return None if first is node.test else False
    if isinstance(node, TRIES):
        if other is node.finalbody:  # type: ignore[attr-defined]
            return True
        return None if one is node.body else False  # type: ignore[attr-defined]
    return None if isinstance(node, _BRANCHING) else True


_CONSUMERS = {"all", "any", "dict", "frozenset", "list", "max", "min", "next", "set", "sorted", "sum", "tuple"}


def is_consumed(module: Module, node: ast.AST) -> bool:
    """Whether what ``node`` gives is iterated over, or entered, on the spot."""
    parent = module.parents.get(node)
    if isinstance(parent, (ast.For, ast.comprehension)):
        return parent.iter is node and not getattr(parent, "is_async", False)
    if isinstance(parent, ast.Call):
        if isinstance(parent.func, ast.Attribute):
            return parent.func.attr == "enter_context" and node in parent.args
        return isinstance(parent.func, ast.Name) and parent.func.id in _CONSUMERS and node in parent.args
    return isinstance(parent, (ast.withitem, ast.Starred, ast.YieldFrom))


def used_through(module: Module, node: ast.AST) -> tuple[str, ...]:
    """The methods that run because ``node`` is entered by a ``with``, or iterated over, on the spot."""
    parent = module.parents.get(node)
    if isinstance(parent, ast.withitem):
        return ("__enter__", "__exit__") if isinstance(module.parents.get(parent), ast.With) else ()
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute):
        return ("__enter__",) if is_consumed(module, node) else ()  # when a stack is left, nobody knows
    return ("__iter__", "__next__") if is_consumed(module, node) else ()


def await_obstacle(module: Module, node: ast.AST, target: tuple[int, int]) -> str | None:
    """Why ``await`` cannot take the place of ``node`` in code for Python ``target``; None where it can."""
    inner: ast.AST = node
    child: ast.AST = node
    comprehensions = 0
    for parent in module.ancestors(node):
        if isinstance(parent, ast.AsyncFunctionDef):
            return None if child in parent.body else "a default or decorator cannot await"
        if isinstance(parent, ast.FunctionDef):
            return "the function around it is not async" if child in parent.body else "a default cannot await"
        if isinstance(parent, ast.Lambda):
            return "a lambda cannot await"
        if isinstance(parent, ast.ClassDef):
            return "a class body cannot await"
        if isinstance(parent, COMPREHENSIONS):
            # The first iterable is evaluated outside, before the comprehension starts.
            if not (child is parent.generators[0] and inner is parent.generators[0].iter):
                if isinstance(parent, ast.GeneratorExp):
                    return "a generator expression cannot await without becoming async"
                comprehensions += 1
        if comprehensions > 1 and target < (3, 11):
            return "nested comprehensions can await from Python 3.11 on"
        inner, child = child, parent
    return "there is no function around it"


def leaves_work_to_wait_for(module: Module, manager: ast.Call) -> bool:
    """Whether leaving the ``with`` of a thread or process pool waits: jobs were started in it, and nothing in its
    body waited for them before.
    """
    item = module.parents.get(manager)
    statement = module.parents.get(item) if isinstance(item, ast.withitem) else None
    if not isinstance(statement, ast.With):
        return False
    started = False
    for node in _own_nodes(statement.body):
        if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            return False
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if name in _WAITERS or (name == "map" and is_consumed(module, node)):
                return False
            started = started or (name in ("map", "submit") and isinstance(node.func, ast.Attribute))
    return started


_WAITERS = frozenset({"as_completed", "result", "wait"})


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Everything in some statements, nested functions left out."""
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))


def is_settled(module: Module, call: ast.Call, future: ast.expr) -> bool:
    """Whether a future is known to be done where ``call`` asks for its result: it comes from ``as_completed`` or the
    ``done`` set of ``wait``, or ``done()`` or ``cancelled()`` was asked right around, or it was waited for before, if
    only by leaving the ``with`` of its executor.
    """
    text = dotted_text(future)
    if not text:
        return False
    child: ast.AST = call
    for parent in module.ancestors(call):
        if any(_waits_for(statement, text) for statement in before(parent, child)):
            return True
        if isinstance(parent, (*FUNCTIONS, ast.ClassDef)):
            return False
        if isinstance(parent, (ast.If, ast.IfExp, ast.While)) and child is not parent.test:
            if any(_asks_done(node, text) for node in ast.walk(parent.test)):
                in_body = child is parent.body or (isinstance(parent.body, list) and child in parent.body)
                return in_body is not _is_negative(parent.test)
        elif isinstance(parent, ast.For) and dotted_text(parent.target) == text and child in parent.body:
            return _gives_done(parent.iter)
        elif isinstance(parent, COMPREHENSIONS):
            for generator in parent.generators:
                if dotted_text(generator.target) == text:
                    return _gives_done(generator.iter) or any(
                        _asks_done(node, text) for test in generator.ifs for node in ast.walk(test)
                    )
        child = parent
    return False


def _gives_done(iterable: ast.expr) -> bool:
    names = [dotted_text(node) for node in ast.walk(iterable) if isinstance(node, (ast.Name, ast.Attribute))]
    return any(name.rpartition(".")[2] in ("as_completed", "done") for name in names)


def _asks_done(node: ast.AST, text: str) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in ("done", "cancelled") and dotted_text(node.func.value) == text


def before(parent: ast.AST, child: ast.AST) -> list[ast.stmt]:
    """The statements that run before ``child`` in the same block of ``parent``."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and child in block:
            return block[: block.index(child)]
    return []


def _waits_for(statement: ast.stmt, text: str) -> bool:
    """Whether a statement awaits the future, loops until it is done, or jumps away unless it is done."""
    if isinstance(statement, ast.While) or (isinstance(statement, ast.If) and isinstance(statement.body[-1], JUMPS)):
        test = statement.test
        return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and _asks_done(test.operand, text)
    if isinstance(statement, (ast.Expr, ast.Assign)) and isinstance(statement.value, ast.Await):
        return any(
            dotted_text(n) == text for n in ast.walk(statement.value) if isinstance(n, (ast.Name, ast.Attribute))
        )
    return isinstance(statement, ast.With) and _leaves_pool_of(statement, text)


def _leaves_pool_of(statement: ast.With, text: str) -> bool:
    """Whether a ``with`` ends an executor, to which its body has submitted the job of the future ``text``."""
    pools = {
        dotted_text(item.optional_vars)
        for item in statement.items
        if isinstance(item.context_expr, ast.Call)
        and item.optional_vars is not None
        and dotted_text(item.context_expr.func).endswith(("ThreadPoolExecutor", "ProcessPoolExecutor"))
    } - {""}
    return any(
        isinstance(inner, ast.Assign)
        and [dotted_text(target) for target in inner.targets] == [text]
        and isinstance(inner.value, ast.Call)
        and isinstance(inner.value.func, ast.Attribute)
        and inner.value.func.attr == "submit"
        and dotted_text(inner.value.func.value) in pools
        for inner in statement.body
    )


JUMPS = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def runs_without_loop(module: Module, node: ast.AST) -> bool:
    """Whether ``node`` only runs where no event loop does: in ``except RuntimeError`` after ``get_running_loop()``, or
    in the branch of a condition that found none.
    """
    for child, parent in within_function(module, node):
        if isinstance(parent, ast.ExceptHandler):
            statement = module.parents.get(parent)
            caught = ast.walk(parent.type) if parent.type is not None else ()
            is_for_it = any(isinstance(n, ast.Name) and n.id == "RuntimeError" for n in caught)
            if is_for_it and any(_asks_for_loop(n) for s in getattr(statement, "body", ()) for n in ast.walk(s)):
                return True
        elif isinstance(parent, (ast.If, ast.IfExp)) and any(map(_asks_for_loop, ast.walk(parent.test))):
            without = parent.body if _is_negative(parent.test) else parent.orelse
            if child is without or (isinstance(without, list) and child in without):
                return True
    return False


def _asks_for_loop(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = dotted_text(node.func).rpartition(".")[2]
    return name.endswith("running_loop") or name in ("get_event_loop", "is_running", "in_async_context")


def _is_negative(test: ast.expr) -> bool:
    if isinstance(test, ast.Compare):
        return isinstance(test.ops[0], (ast.Is, ast.Eq))
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def is_fresh(module: Module, node: ast.expr, statement: ast.stmt) -> bool:
    """Whether a name is bound to a new object by the statement right before ``statement``."""
    block = before(module.parents[statement], statement)
    made = block[-1] if block else None
    if not isinstance(made, ast.Assign) or not isinstance(made.value, ast.Call):
        return False
    return bool(dotted_text(node)) and dotted_text(node) in map(dotted_text, made.targets)
