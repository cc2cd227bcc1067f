"""What runs methods without calling them: reading a property, subscripts, operators, ``with``, ``for``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from bglint.index.callers import statements_at
from bglint.index.context import FUNCTIONS, used_through
from bglint.index.facts import PROPERTIES, Module, Scope, dotted_text
from bglint.index.words import rows_naming

_BINARY: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.MatMult: "matmul", ast.Div: "truediv", ast.Mod: "mod",
    ast.Pow: "pow", ast.FloorDiv: "floordiv", ast.LShift: "lshift", ast.RShift: "rshift", ast.BitOr: "or",
    ast.BitXor: "xor", ast.BitAnd: "and",
}  # fmt: skip
_UNARY: dict[type[ast.AST], str] = {ast.USub: "__neg__", ast.UAdd: "__pos__", ast.Invert: "__invert__"}
_COMPARED: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Eq: ("__eq__",), ast.NotEq: ("__ne__",), ast.Lt: ("__lt__",), ast.LtE: ("__le__",), ast.Gt: ("__gt__",),
    ast.GtE: ("__ge__",), ast.In: ("__contains__",), ast.NotIn: ("__contains__",),
}  # fmt: skip
_ITEMS: dict[type[ast.AST], str] = {ast.Load: "__getitem__", ast.Store: "__setitem__", ast.Del: "__delitem__"}
# Methods that run where an object is used in some way other than by a call.
OPERATORS = frozenset(
    {f"__{kind}{name}__" for name in _BINARY.values() for kind in ("", "r", "i")}
    | {*_UNARY.values(), *_ITEMS.values(), *(name for names in _COMPARED.values() for name in names)}
    | {"__enter__", "__exit__", "__iter__", "__next__"}
)


@dataclass(frozen=True, slots=True)
class Operation:
    """An expression, ``node``, that runs those ``methods`` of the class of ``object`` that there are.

    ``is_property`` where it reads or (``is_store``) sets an attribute, and the one method is a property's.
    """

    node: ast.expr
    object: ast.expr
    methods: tuple[str, ...]
    is_property: bool = False
    is_store: bool = False


def runs_by_operation(function: Scope) -> bool:
    """Whether other expressions than calls run a method: a property, or one of the operators."""
    decorators = {dotted_text(d).rpartition(".")[2] for d in function.decorators}
    return function.name in OPERATORS or not decorators.isdisjoint(("setter", *PROPERTIES))


def operations_in(
    module: Module, names: frozenset[str], rows: list[int] | None = None
) -> Iterator[tuple[Operation, Scope]]:
    """The operations in a module that may run a method or property of these names, in order, each with its scope.

    With ``rows``, only those in functions that stand there.
    """
    if not rows:
        is_named = names.isdisjoint(OPERATORS)
        rows = rows_naming(module.text, names) if is_named else list(range(1, module.text.count("\n") + 2))
    for statement, _ in statements_at(module, rows):
        found = [operation for node in ast.walk(statement) for operation in operations_at(module, node, names)]
        for operation in sorted(found, key=lambda operation: (operation.node.lineno, operation.node.col_offset)):
            yield operation, module.scope_of(operation.node)


def operations_of(function: Scope, names: frozenset[str]) -> Iterator[Operation]:
    """Those in one function, the functions inside it left out."""
    module = function.module
    module.link(function)
    pending: list[ast.AST] = [*function.body]
    while pending:
        node = pending.pop()
        yield from operations_at(module, node, names)
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))


def operations_at(module: Module, node: ast.AST, names: frozenset[str]) -> Iterator[Operation]:
    """The operations that a node of a linked function is, those that can run none of these names left out."""
    if isinstance(node, ast.Attribute):
        if node.attr in names and not isinstance(node.ctx, ast.Del):
            yield Operation(node, node.value, (node.attr,), True, isinstance(node.ctx, ast.Store))
    for operation in _by_operator(node):
        if not names.isdisjoint(operation.methods):
            yield operation
    if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Load):
        methods = used_through(module, node)
        if not names.isdisjoint(methods):
            yield Operation(node, node, methods)


def _by_operator(node: ast.AST) -> Iterator[Operation]:
    if isinstance(node, ast.Subscript):
        yield Operation(node, node.value, (_ITEMS[type(node.ctx)],))
    elif isinstance(node, ast.BinOp):
        name = _BINARY[type(node.op)]
        yield Operation(node, node.left, (f"__{name}__",))
        if isinstance(node.left, ast.Constant):  # else the left side may do it
            yield Operation(node, node.right, (f"__r{name}__",))
    elif isinstance(node, ast.AugAssign):
        name = _BINARY[type(node.op)]
        yield Operation(node.target, node.target, (f"__i{name}__",))
    elif isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        yield Operation(node, node.operand, (_UNARY[type(node.op)],))
    elif isinstance(node, ast.Compare):
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            if isinstance(operator, (ast.In, ast.NotIn)):
                left, right = right, left
            yield Operation(node, left, _COMPARED.get(type(operator), ()))
