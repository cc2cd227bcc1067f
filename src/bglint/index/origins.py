"""Where a value was made: the calls that a name, an element of a container or an attribute goes back to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from bglint.index.callers import last_name
from bglint.index.facts import Binding, BindingKind, Scope, dotted_text

if TYPE_CHECKING:
    from bglint.index.project import Project

_DEPTH = 12
_GROWERS = frozenset({"add", "append", "appendleft", "insert", "put", "put_nowait"})
_TAKERS = frozenset({"get", "pop", "popleft"})
# What they give holds, or is, what their first argument holds.
_SAME_ELEMENTS = frozenset(
    {"as_completed", "copy", "deepcopy", "deque", "frozenset", "iter", "list", "next", "reversed", "set", "sorted"}
    | {"tqdm", "tuple", "wait"}
)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


class Origin(NamedTuple):
    """A call that made a value, and the scope that makes the call."""

    call: ast.Call
    scope: Scope


def origins(project: Project, node: ast.expr, scope: Scope) -> tuple[Origin, ...] | None:
    """The calls that can have made the value of ``node``; None where one of the ways to it cannot be followed."""
    search = _Search(project)
    found = tuple(dict.fromkeys(search.value(node, scope)))
    return found if found and not search.lost else None


class _Search:
    """One question: yields what is found, and notes in ``lost`` that something was not."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.lost = False
        self._seen: set[tuple[ast.AST, bool]] = set()
        self._depth = 0

    def _lose(self) -> Iterator[Origin]:
        self.lost = True
        return iter(())

    def value(self, node: ast.expr, scope: Scope) -> Iterator[Origin]:
        """What made the value of an expression."""
        yield from self._guarded(node, scope, elements=False)

    def elements(self, node: ast.expr, scope: Scope, values: bool = False) -> Iterator[Origin]:
        """What made the elements of a container (with ``values``: the values of a mapping)."""
        yield from self._guarded(node, scope, elements=True, values=values)

    def _guarded(self, node: ast.expr, scope: Scope, elements: bool, values: bool = False) -> Iterator[Origin]:
        if (node, elements) in self._seen:
            return
        if self._depth >= _DEPTH:
            self.lost = True
            return
        self._seen.add((node, elements))
        self._depth += 1
        found = list(self._elements(node, scope, values) if elements else self._value(node, scope))
        self._depth -= 1
        yield from found

    def _value(self, node: ast.expr, scope: Scope) -> Iterator[Origin]:
        if isinstance(node, ast.NamedExpr):
            return self.value(node.value, scope)
        if isinstance(node, ast.IfExp):
            return self._all([node.body, node.orelse], scope)
        if isinstance(node, ast.Constant) and node.value is None:
            return iter(())
        if isinstance(node, ast.Subscript):
            return self._subscripted(node, scope)
        if isinstance(node, ast.Call):
            return self._call(node, scope)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._named(node, scope, elements=False, values=False)
        return self._lose()

    def _all(self, nodes: list[ast.expr], scope: Scope) -> Iterator[Origin]:
        for node in nodes:
            yield from self.value(node, scope)

    def _subscripted(self, node: ast.Subscript, scope: Scope) -> Iterator[Origin]:
        base = self.project.resolve(node.value, scope)
        return self.elements(node.value, scope, values=base is not None and base.value is not None)

    def _call(self, node: ast.Call, scope: Scope) -> Iterator[Origin]:
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr in _TAKERS:
            base = self.project.resolve(func.value, scope)
            if base is not None and (base.item is not None or base.value is not None):
                return self.elements(func.value, scope, values=base.value is not None)
        if last_name(func) == "next" and node.args:
            return self.elements(node.args[0], scope)
        symbol = self.project.resolve(func, scope)
        if symbol is not None and symbol.function is not None:
            return self._all([value for value in symbol.function.returns if value is not None], symbol.function)
        return iter([Origin(node, scope)])

    def _elements(self, node: ast.expr, scope: Scope, values: bool) -> Iterator[Origin]:
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
            return self.value(node.elt, scope)
        if isinstance(node, ast.DictComp):
            return self.value(node.value if values else node.key, scope)
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return self._listed(node.elts, scope)
        if isinstance(node, ast.Dict):
            return self._all(node.values if values else [key for key in node.keys if key is not None], scope)
        if isinstance(node, ast.BinOp):
            return self._both(node, scope)
        if isinstance(node, ast.Subscript):
            return self.elements(node.value, scope, values)
        if isinstance(node, ast.Call):
            return self._elements_of_call(node, scope, values)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._named(node, scope, elements=True, values=values)
        return self._lose()

    def _listed(self, nodes: list[ast.expr], scope: Scope) -> Iterator[Origin]:
        for node in nodes:
            if isinstance(node, ast.Starred):
                yield from self.elements(node.value, scope)
            else:
                yield from self.value(node, scope)

    def _both(self, node: ast.BinOp, scope: Scope) -> Iterator[Origin]:
        yield from self.elements(node.left, scope)
        yield from self.elements(node.right, scope)

    def _elements_of_call(self, node: ast.Call, scope: Scope, values: bool) -> Iterator[Origin]:
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr in ("copy", "keys", "values") and not node.args:
            return self.elements(func.value, scope, values or func.attr == "values")
        if last_name(func) in ("defaultdict", "deque", "dict", "list", "set", "tuple") and not node.args:
            return iter(())
        if last_name(func) in _SAME_ELEMENTS and node.args:
            return self.elements(node.args[0], scope, values)
        symbol = self.project.resolve(func, scope)
        if symbol is not None and symbol.function is not None:
            function = symbol.function
            return (o for value in function.returns if value is not None for o in self.elements(value, function))
        return self._lose()

    # -- names ---------------------------------------------------------------------------------------------------

    def _named(self, node: ast.expr, scope: Scope, elements: bool, values: bool) -> Iterator[Origin]:
        if isinstance(node, ast.Attribute) and node.attr in ("done", "not_done") and elements:
            yield from self.elements(node.value, scope)
            return
        within = list(self._comprehension(node, scope)) if isinstance(node, ast.Name) else []
        found = within or list(self._bindings(node, scope))
        if not found:
            self.lost = True
        for binding, owner in found:
            yield from self._bound(binding, owner, elements, values)
        if elements:
            for value, owner in self._added(dotted_text(node), scope):
                yield from self.value(value, owner)

    def _comprehension(self, node: ast.Name, scope: Scope) -> Iterator[tuple[Binding, Scope]]:
        """How a comprehension around ``node`` binds it, if one does."""
        for parent in scope.module.ancestors(node):
            if isinstance(parent, (ast.stmt, ast.Lambda)):
                return
            for generator in parent.generators if isinstance(parent, _COMPREHENSIONS) else ():
                for path in _paths(generator.target, node.id):
                    yield Binding(BindingKind.FOR, parent, generator.iter, path), scope
                    return

    def _bindings(self, node: ast.expr, scope: Scope) -> Iterator[tuple[Binding, Scope]]:
        """Everything that binds a name, or an attribute of ``self``."""
        if isinstance(node, ast.Name):
            for position, owner in enumerate(scope.walk_up()):
                bindings = owner.names.bindings.get(node.id)
                if bindings and not (owner.is_class and position):
                    yield from ((b, owner) for b in bindings)
                    return
        elif isinstance(node, ast.Attribute):
            base = self.project.resolve(node.value, scope)
            if base is not None and base.class_ is not None:
                for method in base.class_.methods():
                    if method.parameters and method.may_hold(node.attr):
                        key = (method.parameters[0].arg, node.attr)
                        yield from ((b, method) for b in method.names.attributes.get(key, ()))

    def _bound(self, binding: Binding, owner: Scope, elements: bool, values: bool) -> Iterator[Origin]:
        value, path = binding.value, binding.path
        if binding.kind is BindingKind.FOR and value is not None and not elements:
            yield from self._iterated(value, owner, path)
        elif binding.kind is BindingKind.WITH and value is not None and not path and self._enters_itself(value, owner):
            yield from self.value(value, owner)
        elif binding.kind is not BindingKind.VALUE or value is None:
            self.lost = self.lost or not (binding.annotation is not None and value is None)
        elif path:
            yield from self._unpacked(value, owner, path, elements)
        elif elements:
            yield from self.elements(value, owner, values)
        else:
            yield from self.value(value, owner)

    def _enters_itself(self, manager: ast.expr, scope: Scope) -> bool:
        """Whether a context manager from outside the project gives what it is, as far as its class tells."""
        symbol = self.project.resolve(manager, scope)
        return symbol is not None and symbol.instance and self.project.resolver.entered(manager, scope) is symbol

    def _iterated(self, value: ast.expr, owner: Scope, path: tuple[int, ...]) -> Iterator[Origin]:
        called = last_name(value.func) if isinstance(value, ast.Call) else ""
        if isinstance(value, ast.Call) and path:
            if called == "enumerate" and value.args and path == (1,):
                return self.elements(value.args[0], owner)
            if called == "zip" and len(path) == 1 and path[0] < len(value.args):
                return self.elements(value.args[path[0]], owner)
            if called == "items" and isinstance(value.func, ast.Attribute) and len(path) == 1:
                return self.elements(value.func.value, owner, values=path[0] == 1)
        return self._lose() if path else self.elements(value, owner)

    def _unpacked(self, value: ast.expr, owner: Scope, path: tuple[int, ...], elements: bool) -> Iterator[Origin]:
        if isinstance(value, (ast.Tuple, ast.List)) and len(path) == 1 and path[0] < len(value.elts):
            part = value.elts[path[0]]
            return self.elements(part, owner) if elements else self.value(part, owner)
        if elements and isinstance(value, ast.Call) and last_name(value.func) == "wait":
            return self.elements(value, owner)
        return self._lose()

    def _added(self, text: str, scope: Scope) -> Iterator[tuple[ast.expr, Scope]]:
        """What is put into the container ``text``, here or, for ``self.x``, in the methods of the class."""
        owner = next((s.owner for s in scope.walk_up() if s.is_function and s.owner is not None), None)
        scopes = [scope, *(owner.methods() if owner is not None and "." in text else ())]
        for place in dict.fromkeys(scopes):
            if not place.may_hold(text.rpartition(".")[2]):
                continue
            for call in place.calls:
                func = call.func
                if isinstance(func, ast.Attribute) and func.attr in _GROWERS and call.args:
                    if dotted_text(func.value) == text:
                        yield call.args[-1], place
            yield from ((value, place) for value in place.names.items.get(text, ()))


def _paths(target: ast.expr, name: str) -> Iterator[tuple[int, ...]]:
    """Where in an unpacking target ``name`` stands."""
    if isinstance(target, ast.Name) and target.id == name:
        yield ()
    elif isinstance(target, (ast.Tuple, ast.List)):
        for position, element in enumerate(target.elts):
            yield from ((position, *rest) for rest in _paths(element, name))
