"""What one module holds: its scopes, what each name in them is bound to, and which calls stand where.

Everything here is a pure function of one file's text. Scopes collect their bindings when first asked, so a
function that no question reaches costs nothing but its parse.
"""

from __future__ import annotations

import ast
import enum
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from bglint.index.compact import ByKind
from bglint.index.linking import SCOPES, Parents, any_between, evaluated_outside, link, names_read, scopes_within
from bglint.index.outline import FUNCTION_TYPES, Outline
from bglint.index.places import Owner, Place
from bglint.index.words import rows_naming, words_in

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
ScopeNode: TypeAlias = FunctionNode | ast.ClassDef | ast.Module

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


# What `global` is followed by; a backslash continues a row.
_LISTED = re.compile(r"(?:[^\r\n;#\\]|\\(?:\r\n|\r|\n))*")
_WORD = re.compile(r"\w+")

# Decorators after which reading the attribute calls the function.
PROPERTIES = frozenset({"cached_property", "property"})


class BindingKind(enum.Enum):
    """How a name got its value."""

    IMPORT = "import"
    FUNCTION = "function"
    CLASS = "class"
    VALUE = "value"
    PARAMETER = "parameter"
    WITH = "with"
    FOR = "for"
    OTHER = "other"


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """One place where a name is bound.

    ``value`` is the expression bound, entered (WITH) or iterated over (FOR); ``path`` leads from it to this name
    through tuple unpacking (``(1,)`` is the second element). ``target`` is the absolute dotted name of an import.
    """

    kind: BindingKind
    node: ast.AST
    value: ast.expr | None = None
    path: tuple[int, ...] = ()
    annotation: ast.expr | None = None
    target: str = ""
    scope: Scope | None = None

    @property
    def row(self) -> int:
        """The row on which the name is bound."""
        return getattr(self.node, "lineno", 0)


@dataclass(slots=True)
class Names:
    """What the statements of one scope bind, collected in source order."""

    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    attributes: dict[tuple[str, str], list[Binding]] = field(default_factory=dict)
    items: dict[str, list[ast.expr]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    globals: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)


class Scope:
    """A module, class, function or lambda, and the names it binds."""

    __slots__ = ("__dict__", "module", "name", "node", "parent")

    def __init__(self, module: Module, node: ScopeNode, name: str, parent: Scope | None) -> None:
        self.module = module
        self.node = node
        self.name = name
        self.parent = parent

    def __repr__(self) -> str:
        return f"<Scope {self.full_name}>"

    @property
    def is_function(self) -> bool:
        """Whether calling this scope runs its body (functions and lambdas)."""
        return isinstance(self.node, _FUNCTIONS)

    @property
    def is_async(self) -> bool:
        """Whether this is an ``async def``."""
        return isinstance(self.node, ast.AsyncFunctionDef)

    @property
    def is_class(self) -> bool:
        """Whether this is a class body."""
        return isinstance(self.node, ast.ClassDef)

    @property
    def row(self) -> int:
        """The row of the ``def`` or ``class`` (1 for a module)."""
        return getattr(self.node, "lineno", 1)

    @cached_property
    def qualname(self) -> str:
        """The dotted path inside the module; empty for the module itself."""
        if self.parent is None:
            return ""
        return f"{self.parent.qualname}.{self.name}" if self.parent.qualname else self.name

    @cached_property
    def full_name(self) -> str:
        """The dotted name with the module in front."""
        return f"{self.module.name}.{self.qualname}" if self.qualname else self.module.name

    @property
    def owner(self) -> Scope | None:
        """The class whose body holds this function directly, if any."""
        return self.parent if self.parent is not None and self.parent.is_class else None

    @cached_property
    def place(self) -> Place:
        """Where this function stands, for when its module is dropped."""
        owner = Owner.of(self.owner) if self.owner is not None else None
        return Place(self.module.path, owner, self.full_name, self.row, getattr(self.node, "col_offset", 0))

    @property
    def decorators(self) -> list[ast.expr]:
        """The decorator expressions, outermost first."""
        return getattr(self.node, "decorator_list", [])

    @cached_property
    def parameters(self) -> list[ast.arg]:
        """The parameters in call order: positional-only, positional, *args, keyword-only, **kwargs."""
        if not isinstance(self.node, _FUNCTIONS):
            return []
        a = self.node.args
        star = [a.vararg] if a.vararg else []
        double = [a.kwarg] if a.kwarg else []
        return [*a.posonlyargs, *a.args, *star, *a.kwonlyargs, *double]

    @cached_property
    def defaults(self) -> dict[str, ast.expr]:
        """Parameter name to its default."""
        if not isinstance(self.node, _FUNCTIONS):
            return {}
        a = self.node.args
        positional = [*a.posonlyargs, *a.args]
        tail = positional[len(positional) - len(a.defaults) :]
        found = {arg.arg: default for arg, default in zip(tail, a.defaults, strict=True)}
        found.update({p.arg: d for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True) if d is not None})
        return found

    @cached_property
    def body(self) -> list[ast.stmt]:
        """The statements of the scope; a lambda's expression counts as a return."""
        if isinstance(self.node, ast.Lambda):
            expression = ast.Return(value=self.node.body)
            return [ast.copy_location(expression, self.node.body)]
        return self.node.body

    @cached_property
    def names(self) -> Names:
        """What this scope's own statements bind (nested scopes are not entered)."""
        names = Names()
        for argument in self.parameters:
            binding = Binding(BindingKind.PARAMETER, argument, annotation=argument.annotation)
            names.bindings.setdefault(argument.arg, []).append(binding)
        _Collector(self, names).statements(self.body)
        return names

    @cached_property
    def children(self) -> dict[ast.AST, Scope]:
        """Scopes made by this scope's own ``def``, ``class`` and ``lambda``, by their node."""
        return {}

    def child(self, node: FunctionNode | ast.ClassDef) -> Scope:
        """The one Scope object for a ``def``, ``class`` or ``lambda`` that stands directly in this scope."""
        if node not in self.children:
            self.children[node] = Scope(self.module, node, getattr(node, "name", "<lambda>"), self)
        return self.children[node]

    @cached_property
    def calls(self) -> list[ast.Call]:
        """The calls made when this scope runs, in source order, those of nested scopes left out."""
        self.module.link(self)
        return self.module.calls_of.get(self, [])

    @cached_property
    def returns(self) -> list[ast.expr | None]:
        """The values of its ``return`` statements."""
        if not self.may_hold("return"):
            return []
        self.module.link(self)
        return self.module.returns_of.get(self, [])

    def may_hold(self, word: str) -> bool:
        """Whether a word can stand in its body: a look at the text, which parses nothing."""
        return self.module.outline.may_hold(self.node, word)

    @cached_property
    def reads(self) -> frozenset[str]:
        """Every name that is read anywhere inside it, nested functions included."""
        return names_read(self.node)

    @cached_property
    def yields(self) -> list[ast.Yield | ast.YieldFrom]:
        """Its ``yield`` expressions; a function with any is a generator."""
        if not self.may_hold("yield"):
            return []
        self.module.link(self)
        return self.module.yields_of.get(self, [])

    def nonlocal_writes(self, name: str) -> Iterator[tuple[Binding, Scope]]:
        """The bindings of this function's ``name`` made through ``nonlocal`` in the functions inside it."""
        for child in list(self.children.values()):
            if child.is_function and (name in child.names.nonlocals or name not in child.names.bindings):
                if name in child.names.nonlocals:
                    yield from ((binding, child) for binding in child.names.bindings.get(name, ()))
                yield from child.nonlocal_writes(name)

    def methods(self) -> Iterator[Scope]:
        """The functions bound in a class body."""
        for bindings in self.names.bindings.values():
            for binding in bindings:
                if binding.kind is BindingKind.FUNCTION and binding.scope is not None:
                    yield binding.scope

    def walk_up(self) -> Iterator[Scope]:
        """This scope, then the ones around it, the module last."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    @property
    def outermost_function(self) -> Scope:
        """The outermost function around (or at) this scope that no other function encloses."""
        found = self
        for scope in self.walk_up():
            if scope.is_function:
                found = scope
        return found


class Module(Scope):
    """One parsed file. ``name`` is its dotted import name, ``path`` where it lies, ``root`` where that name starts.

    ``uses`` counts how often other modules asked for it.
    """

    __slots__ = (
        "__weakref__",
        "calls_of",
        "has_walrus",
        "headers",
        "is_package",
        "linked",
        "outline",
        "parents",
        "path",
        "returns_of",
        "root",
        "text",
        "tree",
        "uses",
        "yields_of",
    )

    def __init__(self, name: str, path: Path, outline: Outline, root: str = "") -> None:
        self.path = path
        self.root = root
        self.outline = outline
        self.text = outline.text
        self.tree = outline.tree()
        self.uses = 0
        self.is_package = path.stem == "__init__"
        self.has_walrus = ":=" in self.text
        self.parents = Parents(self)
        self.headers: dict[ast.stmt, list[tuple[ast.Call, Scope]]] = {}
        self.calls_of: dict[Scope, list[ast.Call]] = {}
        self.returns_of: dict[Scope, list[ast.expr | None]] = {}
        self.yields_of: dict[Scope, list[ast.Yield | ast.YieldFrom]] = {}
        self.linked: dict[ast.AST, list[tuple[ast.Call, Scope]]] = {}
        self.node = self.tree
        self.name = name
        self.parent = None

    @property
    def module(self) -> Module:  # type: ignore[override]
        """This module: kept nowhere, so that it is gone when nobody needs it."""
        return self

    def forget(self) -> None:
        """Drop what was found out about this file and can be again: nothing refers back to it then."""
        pending: list[Scope] = [self]
        while pending:
            scope = pending.pop()
            pending += scope.__dict__.get("children", {}).values()
            scope.__dict__.clear()
        for known in (self.parents, self.headers, self.calls_of, self.returns_of, self.yields_of, self.linked):
            known.clear()

    @cached_property
    def full_name(self) -> str:
        """The module's dotted name."""
        return self.name

    def global_writes(self, name: str) -> list[tuple[Binding, Scope]]:
        """The bindings of one of the module's names that functions make through ``global``."""
        if name not in self._global_rows:
            return []
        if name not in self._global_writes:
            self._global_writes[name] = list(self._find_global_writes(name, self._global_rows[name]))
        return self._global_writes[name]

    @cached_property
    def _global_writes(self) -> dict[str, list[tuple[Binding, Scope]]]:
        return {}

    def _find_global_writes(self, name: str, rows: list[int]) -> Iterator[tuple[Binding, Scope]]:
        pending = [inner for statement in self.tree.body for inner in scopes_within(self, statement)]
        while pending:
            function = pending.pop(0)
            if function.is_function and any_between(rows, function.row, getattr(function.node, "end_lineno", 0)):
                if name in function.names.globals:
                    yield from ((binding, function) for binding in function.names.bindings.get(name, ()))
                pending.extend(child for child in function.children.values() if child.is_function)

    @cached_property
    def _global_rows(self) -> dict[str, list[int]]:
        """The words behind ``global``, and the rows where that stands."""
        found: dict[str, list[int]] = {}
        if "global" in self.text:
            places = sorted(words_in(self.text, ["global"]))
            for (_, end), row in zip(places, rows_naming(self.text, ["global"]), strict=True):
                for name in _WORD.findall(_LISTED.match(self.text, end)[0]):  # type: ignore[index]
                    found.setdefault(name, []).append(row)
        return found

    @cached_property
    def has_nonlocals(self) -> bool:
        """Whether any function binds a name of the function around it."""
        return "nonlocal " in self.text

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    def link(self, scope: Scope) -> list[tuple[ast.Call, Scope]]:
        """The calls in the outermost function around ``scope``, and their scopes; see ``linking.link``."""
        return link(self, scope)

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a linked node, innermost first."""
        parents = self.parents
        while True:
            try:
                node = parents[node]
            except KeyError:
                return
            yield node

    def scope_of(self, node: ast.AST) -> Scope:
        """The scope that evaluates a linked node: defaults and decorators belong to the outer one."""
        path: list[ast.AST] = []
        child = node
        for parent in self.ancestors(node):
            if isinstance(parent, SCOPES) and not evaluated_outside(parent, child):
                path.append(parent)
            child = parent
        scope: Scope = self
        for owner in reversed(path):
            scope = scope.child(owner)  # type: ignore[arg-type]
        return scope


class _Collector:
    """Walks the statements of one scope, not those of nested ones, and notes what they bind."""

    def __init__(self, scope: Scope, names: Names) -> None:
        self.scope = scope
        self.names = names

    def statements(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            handler = _HANDLERS[type(statement)]
            if handler is not None:
                handler(self, statement)

    def bind(self, name: str, binding: Binding) -> None:
        self.names.bindings.setdefault(name, []).append(binding)

    def target(
        self,
        target: ast.expr,
        kind: BindingKind,
        node: ast.AST,
        value: ast.expr | None,
        path: tuple[int, ...] = (),
        annotation: ast.expr | None = None,
    ) -> None:
        if isinstance(target, ast.Name):
            self.bind(target.id, Binding(kind, node, value, path, annotation))
        elif isinstance(target, ast.Attribute):
            if isinstance(target.value, ast.Name):
                key = (target.value.id, target.attr)
                binding = Binding(kind, node, value, path, annotation)
                self.names.attributes.setdefault(key, []).append(binding)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for position, element in enumerate(target.elts):
                self.target(element, kind, node, value, (*path, position))
        elif isinstance(target, ast.Starred):
            self.target(target.value, BindingKind.OTHER, node, None)
        elif isinstance(target, ast.Subscript) and isinstance(target.value, (ast.Name, ast.Attribute)):
            key_text = dotted_text(target.value)
            if key_text and value is not None and not path:
                self.names.items.setdefault(key_text, []).append(value)

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.bind(node.name, Binding(BindingKind.FUNCTION, node, scope=self.scope.child(node)))

    def class_(self, node: ast.ClassDef) -> None:
        self.bind(node.name, Binding(BindingKind.CLASS, node, scope=self.scope.child(node)))

    def import_(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname:
                self.bind(alias.asname, Binding(BindingKind.IMPORT, node, target=alias.name))
            else:
                top = alias.name.partition(".")[0]
                self.bind(top, Binding(BindingKind.IMPORT, node, target=top))

    def import_from(self, node: ast.ImportFrom) -> None:
        base = absolute_module(self.scope.module, node)
        if base is None:
            for alias in node.names:
                self.bind(alias.asname or alias.name, Binding(BindingKind.OTHER, node))
            return
        for alias in node.names:
            if alias.name == "*":
                self.names.stars.append(base)
            else:
                target = f"{base}.{alias.name}" if base else alias.name
                self.bind(alias.asname or alias.name, Binding(BindingKind.IMPORT, node, target=target))

    def assign(self, node: ast.Assign) -> None:
        self.walrus(node.value)
        for target in node.targets:
            self.target(target, BindingKind.VALUE, node, node.value)

    def annotated(self, node: ast.AnnAssign) -> None:
        self.target(node.target, BindingKind.VALUE, node, node.value, annotation=node.annotation)

    def augmented(self, node: ast.AugAssign) -> None:
        # ``x += y`` keeps what x is, unless x is only known from here.
        if isinstance(node.target, ast.Name) and node.target.id not in self.names.bindings:
            self.bind(node.target.id, Binding(BindingKind.OTHER, node))

    def for_(self, node: ast.For | ast.AsyncFor) -> None:
        self.target(node.target, BindingKind.FOR, node, node.iter)
        self.statements(node.body)
        self.statements(node.orelse)

    def with_(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            if item.optional_vars is not None:
                self.target(item.optional_vars, BindingKind.WITH, node, item.context_expr)
        self.statements(node.body)

    def try_(self, node: ast.Try) -> None:
        self.statements(node.body)
        for handler in node.handlers:
            if handler.name:
                self.bind(handler.name, Binding(BindingKind.OTHER, handler, annotation=handler.type))
            self.statements(handler.body)
        self.statements(node.orelse)
        self.statements(node.finalbody)

    def branch(self, node: ast.If | ast.While) -> None:
        self.walrus(node.test)
        self.statements(node.body)
        self.statements(node.orelse)

    def match(self, node: ast.Match) -> None:
        for case in node.cases:
            for part in ast.walk(case.pattern):
                name = getattr(part, "name", None) or getattr(part, "rest", None)
                inner = getattr(part, "pattern", None)
                kind = inner.cls if isinstance(inner, ast.MatchClass) else None
                if isinstance(name, str):
                    self.bind(name, Binding(BindingKind.OTHER, part, annotation=kind))
            self.statements(case.body)

    def expression(self, node: ast.Expr | ast.Return) -> None:
        if node.value is not None:
            self.walrus(node.value)

    def type_alias(self, node: Any) -> None:
        self.target(node.name, BindingKind.VALUE, node, node.value)

    def global_(self, node: ast.Global) -> None:
        self.names.globals.update(node.names)

    def nonlocal_(self, node: ast.Nonlocal) -> None:
        self.names.nonlocals.update(node.names)

    def walrus(self, value: ast.expr) -> None:
        if self.scope.module.has_walrus and not isinstance(value, (ast.Name, ast.Constant)):
            pending: list[ast.AST] = [value]
            while pending:
                node = pending.pop()
                if isinstance(node, ast.NamedExpr):
                    self.target(node.target, BindingKind.VALUE, node, node.value)
                if not isinstance(node, ast.Lambda):
                    pending.extend(ast.iter_child_nodes(node))


_HANDLERS: ByKind[Callable[[_Collector, Any], None]] = ByKind(
    {
        **dict.fromkeys(FUNCTION_TYPES, _Collector.function),
        ast.ClassDef: _Collector.class_,
        ast.Import: _Collector.import_,
        ast.ImportFrom: _Collector.import_from,
        ast.Assign: _Collector.assign,
        ast.AnnAssign: _Collector.annotated,
        ast.AugAssign: _Collector.augmented,
        ast.For: _Collector.for_,
        ast.AsyncFor: _Collector.for_,
        ast.With: _Collector.with_,
        ast.AsyncWith: _Collector.with_,
        ast.Try: _Collector.try_,
        ast.If: _Collector.branch,
        ast.While: _Collector.branch,
        ast.Match: _Collector.match,
        ast.Expr: _Collector.expression,
        ast.Return: _Collector.expression,
        ast.Global: _Collector.global_,
        ast.Nonlocal: _Collector.nonlocal_,
    }
)
if hasattr(ast, "TryStar"):
    _HANDLERS[ast.TryStar] = _Collector.try_
if sys.version_info >= (3, 12):
    _HANDLERS[ast.TypeAlias] = _Collector.type_alias


def absolute_module(module: Module, node: ast.ImportFrom) -> str | None:
    """The absolute name of the module that ``from ... import`` names; None when it climbs out of the tree."""
    if not node.level:
        return node.module or ""
    parts = module.package.split(".") if module.package else []
    up = node.level - 1
    if up > len(parts):
        return None
    base = parts[: len(parts) - up]
    if node.module:
        base.append(node.module)
    return ".".join(base) if base else None


def dotted_text(node: ast.expr) -> str:
    """``a.b.c`` for a chain of names, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted_text(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""
