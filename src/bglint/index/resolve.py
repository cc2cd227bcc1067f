"""The one resolver: what an expression is, by qualified name, from the index alone.

``resolve`` answers for an expression in its scope; everything a rule knows about names comes from here. What is
not proven is None: unknown stays unknown.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeGuard

from bglint.index import data
from bglint.index.compact import ByKind
from bglint.index.context import argument
from bglint.index.facts import PROPERTIES, Binding, BindingKind, Module, Scope, dotted_text
from bglint.index.symbols import COROUTINE, PARTIAL, Symbol, agree

if TYPE_CHECKING:
    from bglint.index.project import Project

_DEPTH = 60
_LIST, _DICT, _TUPLE = "builtins.list", "builtins.dict", "builtins.tuple"
_GROWERS = {"append", "add", "appendleft", "insert", "put", "put_nowait"}
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_NOTHING = object()
_UNKNOWN = "?"
_PATH = "pathlib.Path"
_SUPER = "builtins.super"
_TYPE_VARIABLES = ("typing.TypeVar", "typing_extensions.TypeVar")
_AWAITABLES = frozenset(
    f"{module}.{name}" for module in ("typing", "collections.abc") for name in ("Awaitable", "Coroutine")
)
# Annotations that leave the type to the value.
_SAYS_NOTHING = frozenset(
    {
        "builtins.None", "builtins.object", "typing.Any", "typing.ClassVar", "typing.Final", "typing.TypeAlias",
        "typing_extensions.TypeAlias",
    }
)  # fmt: skip


class Resolver:
    """Answers for one project; remembers its answers."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[tuple[ast.AST, Scope], Symbol | None] = {}
        self._known_bindings: dict[Binding, Symbol | None] = {}
        self._orders: dict[Scope, tuple[Symbol, ...]] = {}
        self._listed: dict[Module, frozenset[str] | None] = {}
        self._busy: set[object] = set()
        self._cuts = 0
        self._depth = 0

    # -- expressions ---------------------------------------------------------------------------------------------

    def resolve(self, node: ast.expr, scope: Scope) -> Symbol | None:
        """What the expression ``node``, evaluated in ``scope``, is; None when that is not proven."""
        key = (node, scope)
        if key in self._known:
            return self._known[key]
        if key in self._busy or self._depth > _DEPTH:
            self._cuts += 1
            return None
        handler = _EXPRESSIONS[type(node)]
        if handler is None:
            return None
        self._busy.add(key)
        self._depth += 1
        cuts = self._cuts
        try:
            found = handler(self, node, scope)
        finally:
            self._depth -= 1
            self._busy.discard(key)
        if found is not None or cuts == self._cuts:  # a cut answer may be another one from elsewhere
            self._known[key] = found
        return found

    def _name(self, node: ast.Name, scope: Scope) -> Symbol | None:
        bound = self._comprehension_target(node, scope)
        if bound is not _NOTHING:
            return bound  # type: ignore[return-value]
        found = self.lookup(node.id, scope, node)
        return self._narrowed(node, scope) if found is None and "isinstance" in scope.module.text else found

    def _narrowed(self, node: ast.Name, scope: Scope) -> Symbol | None:
        """What an ``if isinstance(name, C)`` around ``node`` says of it, where nothing binds the name in between."""
        child: ast.AST = node
        for parent in scope.module.ancestors(node):
            if isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
                break
            if isinstance(parent, ast.If) and child in parent.body:
                if any(parent.lineno < b.row <= node.lineno for b in scope.names.bindings.get(node.id, ())):
                    break
                tests = parent.test.values if _is_and(parent.test) else [parent.test]  # type: ignore[attr-defined]
                for test in tests:
                    if _asks_for_type(test, node.id):
                        return self.annotation(test.args[1], scope)
            child = parent
        return None

    def _comprehension_target(self, node: ast.Name, scope: Scope) -> object:
        """What a comprehension around ``node`` binds its name to."""
        child: ast.AST = node
        for parent in scope.module.ancestors(node):
            if isinstance(parent, (ast.stmt, ast.Lambda)):
                break
            if isinstance(parent, _COMPREHENSIONS):
                for generator in parent.generators:
                    if generator is child and node in ast.walk(generator.iter):
                        break
                    path = _path_to(generator.target, node.id)
                    if path is not None:
                        item = self.iterated(generator.iter, scope, path)
                        return item
            child = parent
        return _NOTHING

    def lookup(self, name: str, scope: Scope, at: ast.AST | None = None) -> Symbol | None:
        """What ``name`` means when it is read in ``scope``."""
        for position, owner in enumerate(scope.walk_up()):
            if owner.is_class and position:
                continue  # class bodies are invisible from the functions inside them
            names = owner.names
            if name in names.globals:
                return self.module_member(owner.module, name)
            bindings = names.bindings.get(name)
            if bindings and name not in names.nonlocals:
                written = self._written_elsewhere(owner, name)
                if written:
                    return self._any_of([*((b, owner) for b in bindings), *written], owner, name)
                return self.bound(bindings, owner, name, at if position == 0 else None)
        for star in scope.module.names.stars:
            found = self.exported(star, name, scope.module.root)
            if found is not None:
                return found
        if hasattr(builtins, name):
            return Symbol(f"builtins.{name}")
        return None

    def bound(self, bindings: list[Binding], owner: Scope, name: str, at: ast.AST | None) -> Symbol | None:
        """What several bindings of one name agree on; a definite binding right before the use decides alone."""
        if len(bindings) > 1:
            kept = [b for b in bindings if not _is_placeholder(b)]
            bindings = _reaching(kept or bindings, at, owner.module)
        if len(bindings) == 1:
            return self.binding(bindings[0], owner, name)
        # Several, each of which may lead back to this name: once around is enough.
        key = ("several", owner, name)
        if key in self._busy:
            self._cuts += 1
            return None
        self._busy.add(key)
        try:
            answers = (self.binding(b, owner, name) for b in bindings)
            if all(b.kind is BindingKind.IMPORT for b in bindings):
                # try: import fast as x / except ImportError: import slow as x
                return self._first_certain(answers)
            return agree(answers)
        finally:
            self._busy.discard(key)

    def _first_certain(self, answers: Iterable[Symbol | None]) -> Symbol | None:
        """The first answer there is; None where one before it was cut short, and may be another one from elsewhere."""
        cuts = self._cuts
        for answer in answers:
            if answer is not None or cuts != self._cuts:
                return answer
        return None

    def _written_elsewhere(self, owner: Scope, name: str) -> list[tuple[Binding, Scope]]:
        """The bindings of a name of ``owner`` that other functions make: through ``global`` or ``nonlocal``."""
        if isinstance(owner, Module):
            return owner.global_writes(name)
        return list(owner.nonlocal_writes(name)) if owner.is_function and owner.module.has_nonlocals else []

    def _any_of(self, bindings: list[tuple[Binding, Scope]], owner: Scope, name: str) -> Symbol | None:
        """What bindings in several scopes agree on, those that say nothing left out."""
        telling = [(b, s) for b, s in bindings if not _is_placeholder(b)]
        key = ("several", owner, name)
        if key in self._busy:
            self._cuts += 1
            return None
        self._busy.add(key)
        try:
            return agree(self.binding(b, s, name) for b, s in telling)
        finally:
            self._busy.discard(key)

    def binding(self, binding: Binding, owner: Scope, name: str) -> Symbol | None:
        """What one binding gives its name, which is ``self.x`` for an attribute: what fills a list is found by it."""
        if binding in self._known_bindings:
            return self._known_bindings[binding]
        if binding in self._busy:
            self._cuts += 1
            return None
        self._busy.add(binding)
        cuts = self._cuts
        try:
            found = self._binding(binding, owner, name)
        finally:
            self._busy.discard(binding)
        if found is not None or cuts == self._cuts:
            self._known_bindings[binding] = found
        return found

    def _binding(self, binding: Binding, owner: Scope, name: str) -> Symbol | None:
        kind = binding.kind
        if kind is BindingKind.IMPORT:
            return self.absolute(binding.target, owner.module.root)
        if kind in (BindingKind.FUNCTION, BindingKind.CLASS):
            assert binding.scope is not None
            return Symbol(binding.scope.full_name, scope=binding.scope)
        if kind is BindingKind.PARAMETER:
            return self.parameter(binding.node, owner)  # type: ignore[arg-type]
        if binding.annotation is not None:
            annotated = self.annotation(binding.annotation, owner)
            if annotated is not None:
                return annotated
        if binding.value is None:
            return None
        if kind is BindingKind.WITH:
            entered = self.entered(binding.value, owner)
            return entered if not binding.path else None
        if kind is BindingKind.FOR:
            return self.iterated(binding.value, owner, binding.path)
        if binding.path:
            return self._unpacked(binding.value, owner, binding.path)
        found = self.resolve(binding.value, owner)
        if found is not None and found.item is None and found.name in (_LIST, "builtins.set", "collections.deque"):
            return self._grown(found, owner, name)
        if found is not None and found.value is None and found.name in (_DICT, "collections.defaultdict"):
            return self._filled(found, owner, name)
        return found

    def _unpacked(self, value: ast.expr, scope: Scope, path: tuple[int, ...]) -> Symbol | None:
        for taken, position in enumerate(path):
            if isinstance(value, (ast.Tuple, ast.List)) and position < len(value.elts):
                value = value.elts[position]
            else:
                return self._element(self.resolve(value, scope), path[taken:])
        return self.resolve(value, scope)

    def _element(self, found: Symbol | None, path: tuple[int, ...]) -> Symbol | None:
        """What unpacking gives at the end of a path: an element of a tuple of known or equal ones."""
        for taken, position in enumerate(path):
            if found is None or not found.instance:
                return None
            if found.class_ is not None:
                found = self._field(found, position)
            elif found.arguments:
                found = found.arguments[position] if found.name == _TUPLE and position < len(found.arguments) else None
            else:
                found = found.item if found.name == _TUPLE and len(path) == taken + 1 else None
        return found

    def _field(self, base: Symbol, position: int) -> Symbol | None:
        """The field of a named tuple at a position."""
        assert base.class_ is not None
        written = (self.resolve(b, base.class_) for b in getattr(base.class_.node, "bases", ()))
        if not any(b is not None and b.name == "typing.NamedTuple" for b in written):
            return None
        names = [name for name, bindings in base.class_.names.bindings.items() if bindings[0].annotation is not None]
        return self.class_member(base, names[position]) if position < len(names) else None

    def _grown(self, container: Symbol, owner: Scope, name: str) -> Symbol:
        """A list that starts empty holds what the same scope (for a class: its methods) appends to it."""
        added: list[Symbol | None] = []
        for scope, text in _places(owner, name):
            for call in scope.calls:
                func = call.func
                if isinstance(func, ast.Attribute) and func.attr in _GROWERS and call.args:
                    if dotted_text(func.value) == text:
                        added.append(self.resolve(call.args[-1], scope))
        return replace(container, item=agree(added)) if added else container

    def _filled(self, container: Symbol, owner: Scope, name: str) -> Symbol:
        values = [
            self.resolve(value, scope)
            for scope, text in _places(owner, name)
            for value in scope.names.items.get(text, ())
        ]
        return replace(container, value=agree(values)) if values else container

    # -- parameters, annotations ---------------------------------------------------------------------------------

    def parameter(self, argument: ast.arg, function: Scope) -> Symbol | None:
        """What a parameter is: by annotation, as self/cls, or by its dependency."""
        if argument.annotation is not None:
            found = self.annotation(argument.annotation, function.parent or function)
            if found is not None:
                args = function.node.args  # type: ignore[union-attr]
                if argument is args.vararg:
                    return Symbol(_TUPLE, instance=True, item=found)
                return Symbol(_DICT, instance=True, value=found) if argument is args.kwarg else found
        owner = function.owner
        if owner is not None and function.parameters and argument is function.parameters[0]:
            kind = self.method_kind(function)
            if kind == "class":
                return Symbol(owner.full_name, scope=owner)
            if kind == "instance":
                return Symbol(owner.full_name, scope=owner, instance=True)
        default = function.defaults.get(argument.arg)
        if isinstance(default, ast.Call):
            return self.dependency(default, function.parent or function)
        return None

    def method_kind(self, function: Scope) -> str:
        """How a function in a class body gets its first argument: "instance", "class" or "static"."""
        for decorator in function.decorators:
            text = dotted_text(decorator)
            if text == "staticmethod":
                return "static"
            if text == "classmethod":
                return "class"
        return "class" if function.name in ("__new__", "__init_subclass__", "__class_getitem__") else "instance"

    def dependency(self, call: ast.Call, scope: Scope) -> Symbol | None:
        """What ``Depends(f)`` gives: what f returns, or yields."""
        func = self.resolve(call.func, scope)
        given = argument(call, 0, "dependency")
        if func is None or func.name not in ("fastapi.Depends", "fastapi.Security") or given is None:
            return None
        provider = self.resolve(given, scope)
        if provider is None:
            return None
        if provider.function is not None:
            return self.produced(provider.function)
        if provider.scope is None:
            return self.returned(provider)
        return provider.made() if provider.class_ is not None and not provider.instance else None

    def produced(self, function: Scope) -> Symbol | None:
        """What a dependency or context manager function hands out: its yielded or returned value."""
        annotation = getattr(function.node, "returns", None)
        if annotation is not None:
            declared = self.annotation(annotation, function.parent or function)
            if declared is not None:
                return declared.item if function.yields else declared
        if function.yields:
            values = [y.value for y in function.yields if isinstance(y, ast.Yield) and y.value is not None]
            return agree(self.resolve(v, function) for v in values)
        return self._returned_value(function)

    def annotation(self, node: ast.expr, scope: Scope, through: Symbol | None = None) -> Symbol | None:
        """The instance that an annotation promises; Optional is looked through.

        ``through`` is the class or instance that an annotation of a member was reached through: it says what the
        type variables of its generic classes, and Self, stand for.
        """
        if self._depth > _DEPTH:
            self._cuts += 1
            return None
        self._depth += 1
        try:
            return self._annotation(node, scope, through)
        finally:
            self._depth -= 1

    def _annotation(self, node: ast.expr, scope: Scope, through: Symbol | None) -> Symbol | None:
        if isinstance(node, ast.Constant):
            if not isinstance(node.value, str):
                return None
            try:
                return self.annotation(ast.parse(node.value, mode="eval").body, scope, through)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            sides = [s for s in (node.left, node.right) if not _is_none(s)]
            return agree(self.annotation(s, scope, through) for s in sides)
        if isinstance(node, ast.Subscript):
            return self._generic(node, scope, through)
        if not isinstance(node, (ast.Name, ast.Attribute)):
            return None
        alias = self._alias(node, scope)
        if alias is not None:
            return alias
        found = self.resolve(node, scope)
        if found is None or (found.instance and found.name in _TYPE_VARIABLES):
            return self._type_variable(node, scope, through)
        if found.instance or found.function is not None or found.module is not None:
            return None
        if found.name in ("typing.Self", "typing_extensions.Self"):
            owner = next((s for s in scope.walk_up() if s.is_class), None)
            if owner is not None and through is not None and through.class_ is not None:
                return through.made()
            return Symbol(owner.full_name, scope=owner, instance=True) if owner else None
        return None if found.name in _SAYS_NOTHING else found.made()

    def _type_variable(self, node: ast.expr, scope: Scope, through: Symbol | None) -> Symbol | None:
        """What a type variable stands for where it was reached, else its bound."""
        if not isinstance(node, ast.Name):
            return None
        owner = next((s for s in scope.walk_up() if s.is_class), None)
        if through is not None and owner is not None:
            given = self._arguments(through, owner, frozenset()).get(node.id)
            if given is not None:
                return given
        place = self.place(node, scope)
        value = place[0].value if place is not None else None
        bound = argument(value, None, "bound") if isinstance(value, ast.Call) else None
        return self.annotation(bound, place[1]) if bound is not None and place is not None else None

    def _arguments(self, base: Symbol, owner: Scope, seen: frozenset[Scope]) -> dict[str, Symbol | None]:
        """What the type variables of the class ``owner`` stand for in ``base``, whose class is it or inherits it."""
        class_ = base.class_
        if class_ is None or class_ in seen:
            return {}
        if class_ is owner:
            return dict(zip(self._variables(class_), base.arguments, strict=False))
        for node in getattr(class_.node, "bases", ()):
            parent = self.resolve(node.value if isinstance(node, ast.Subscript) else node, class_.parent or class_)
            if parent is not None and parent.class_ is not None:
                given: tuple[Symbol | None, ...] = ()
                if isinstance(node, ast.Subscript):
                    given = tuple(self.annotation(a, class_, base) for a in _elements(node.slice))
                found = self._arguments(replace(parent, arguments=given), owner, seen | {class_})
                if found:
                    return found
        return {}

    def _variables(self, class_: Scope) -> list[str]:
        """The names of a class's type variables: those listed for Generic or Protocol, else all that its bases name."""
        own = [parameter.name for parameter in getattr(class_.node, "type_params", ())]
        bases = [b for b in getattr(class_.node, "bases", ()) if isinstance(b, ast.Subscript)]
        listed = [b for b in bases if dotted_text(b.value).rpartition(".")[2] in ("Generic", "Protocol")]
        names = [e.id for b in listed or bases for e in _elements(b.slice) if isinstance(e, ast.Name)]
        found = ((name, self.lookup(name, class_.parent or class_)) for name in dict.fromkeys(names))
        return own or [name for name, symbol in found if symbol is not None and symbol.name in _TYPE_VARIABLES]

    def _generic(self, node: ast.Subscript, scope: Scope, through: Symbol | None) -> Symbol | None:
        base = self.resolve(node.value, scope)
        if base is None:
            return None
        arguments = _elements(node.slice)
        if not arguments:
            return None
        short = base.last
        if base.name.startswith(("typing.", "typing_extensions.")):
            if short == "Annotated":
                return self._annotated(arguments, scope, through)
            if short in ("Optional", "ClassVar", "Final", "Required", "NotRequired"):
                return self.annotation(arguments[0], scope, through)
            if short == "Union":
                return agree(self.annotation(a, scope, through) for a in arguments if not _is_none(a))
        if base.name in _AWAITABLES:
            return Symbol(COROUTINE, instance=True, item=self.annotation(arguments[-1], scope, through))
        if base.name in ("builtins.type", "typing.Type"):
            made = self.annotation(arguments[0], scope, through)
            return replace(made, instance=False) if made else None
        if base.name in data.mappings():
            value = self.annotation(arguments[-1], scope, through)
            return Symbol(_DICT, instance=True, item=self.annotation(arguments[0], scope, through), value=value)
        if base.name in (_TUPLE, "typing.Tuple"):
            plain = [a for a in arguments if not (isinstance(a, ast.Constant) and a.value is ...)]
            elements = tuple(self.annotation(a, scope, through) for a in plain)
            alike = agree(elements)
            return Symbol(_TUPLE, True, item=alike, arguments=elements if len(plain) == len(arguments) else ())
        if base.name in data.containers():
            return Symbol(_LIST, instance=True, item=self.annotation(arguments[0], scope, through))
        if base.instance or base.function is not None:
            return None
        if base.class_ is not None or base.name in data.factories():
            return replace(base.made(), arguments=tuple(self.annotation(a, scope, through) for a in arguments))
        return base.made()

    def _annotated(self, arguments: list[ast.expr], scope: Scope, through: Symbol | None) -> Symbol | None:
        declared = self.annotation(arguments[0], scope, through)
        if declared is not None:
            return declared
        for extra in arguments[1:]:
            if isinstance(extra, ast.Call) and (given := self.dependency(extra, scope)) is not None:
                return given
        return None

    def _alias(self, node: ast.expr, scope: Scope) -> Symbol | None:
        """A type alias: a module-level name (here or elsewhere) whose value is itself an annotation."""
        place = self.place(node, scope)
        return self.aliased(*place) if place is not None else None

    def aliased(self, binding: Binding, owner: Scope) -> Symbol | None:
        """The instance that an annotation promises by naming a binding of ``owner`` that is a type alias."""
        value = binding.value
        if binding.kind is not BindingKind.VALUE or value is None:
            return None
        if isinstance(value, (ast.Subscript, ast.BinOp)) or not isinstance(binding.node, (ast.Assign, ast.AnnAssign)):
            return self.annotation(value, owner)
        if binding.annotation is not None and dotted_text(binding.annotation).endswith("TypeAlias"):
            return self.annotation(value, owner)
        return None

    def place(self, node: ast.expr, scope: Scope) -> tuple[Binding, Scope] | None:
        """The single binding that a name or ``module.name`` goes back to, through imports."""
        if isinstance(node, ast.Name):
            for owner in scope.walk_up():
                bindings = owner.names.bindings.get(node.id)
                if bindings:
                    return self._through_import(bindings[-1], owner)
        elif isinstance(node, ast.Attribute):
            base = self.resolve(node.value, scope)
            if base is not None and base.module is not None:
                bindings = base.module.names.bindings.get(node.attr)
                if bindings:
                    return self._through_import(bindings[-1], base.module)
        return None

    def _through_import(self, binding: Binding, owner: Scope) -> tuple[Binding, Scope] | None:
        for _ in range(10):
            if binding.kind is not BindingKind.IMPORT:
                return binding, owner
            base, _, name = binding.target.rpartition(".")
            module = self.project.module(base, owner.module.root) if base else None
            bindings = module.names.bindings.get(name) if module is not None else None
            if module is None or not bindings:
                return None
            binding, owner = bindings[-1], module
        return None

    # -- attributes ----------------------------------------------------------------------------------------------

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Symbol | None:
        base = self.resolve(node.value, scope)
        return self.member(base, node.attr) if base is not None else None

    def member(self, base: Symbol, name: str) -> Symbol | None:
        """``base.name``."""
        if base.module is not None:
            return self.module_member(base.module, name)
        if base.class_ is not None:
            return self.class_member(base, name)
        if base.function is not None:
            return None
        if base.name == _SUPER:
            return self._above(base, name)
        if base.instance and base.name == PARTIAL and name == "func":
            return base.item
        if base.instance and base.name == _TUPLE and name in ("done", "not_done"):
            return base.item
        if base.instance and base.name == _PATH and name == "parent":
            return base
        if base.name in (_LIST, _DICT, _TUPLE, "builtins.set", "collections.deque") and base.instance:
            return replace(base, name=f"{base.name}.{name}", instance=False)
        if not base.instance and self.project.owns(base.name) and self.project.is_folder(base.name):
            return self.absolute(f"{base.name}.{name}")
        dotted = f"{base.name}.{name}"
        if not base.instance and self.project.find(dotted) is not None:  # below folders that hold no code themselves
            return self.absolute(dotted)
        return Symbol(data.canonical(dotted))

    def absolute(self, dotted: str, root: str = "") -> Symbol | None:
        """The symbol an absolute import of ``dotted`` gives: of the project where it has such a module.

        ``root`` is where the import name of the file that imports it starts.
        """
        if not dotted:
            return None
        module = self.project.module(dotted, root)
        if module is not None:
            return Symbol(module.name, scope=module)
        base, _, name = dotted.rpartition(".")
        if base:
            parent = self.project.module(base, root)
            if parent is not None:
                return self.module_member(parent, name)
        if self.project.owns(dotted):
            # Of this project: a package without __init__.py, or not to be found.
            return Symbol(dotted) if self.project.is_folder(dotted) else None
        return Symbol(data.canonical(dotted))

    def module_member(self, module: Module, name: str) -> Symbol | None:
        """What a project module's attribute is: bound in it, star-imported by it, or a submodule."""
        bindings = module.names.bindings.get(name, [])
        written = self._written_elsewhere(module, name)
        if written:
            return self._any_of([*((b, module) for b in bindings), *written], module, name)
        if bindings:
            return self.bound(bindings, module, name, None)
        for star in module.names.stars:
            found = self.exported(star, name, module.root)
            if found is not None:
                return found
        submodule = self.project.module(f"{module.name}.{name}", module.root)
        return Symbol(submodule.name, scope=submodule) if submodule is not None else None

    def exported(self, module_name: str, name: str, root: str = "") -> Symbol | None:
        """What ``from module_name import *`` brings under ``name``, in a file whose import name starts at ``root``."""
        module = self.project.module(module_name, root)
        if module is None:
            return None
        key = ("*", module, name)
        if key in self._busy:
            self._cuts += 1
            return None
        listed = self._listed[module] if module in self._listed else _dunder_all(module)
        self._listed[module] = listed
        if (listed is not None and name not in listed) or (listed is None and name.startswith("_")):
            return None
        self._busy.add(key)
        try:
            return self.module_member(module, name)
        finally:
            self._busy.discard(key)

    def class_member(self, base: Symbol, name: str) -> Symbol | None:
        """An attribute of a project class or its instance, through its bases."""
        assert base.class_ is not None
        return self._first_member(self.mro(base.class_), base, name)

    def _first_member(self, classes: Iterable[Symbol], base: Symbol, name: str) -> Symbol | None:
        for ancestor in classes:
            if ancestor.class_ is None:
                if ancestor.name == "builtins.object":
                    continue
                if ancestor.instance or ancestor.name == _UNKNOWN:
                    return None  # a base class that nobody knows may have anything
                return Symbol(data.canonical(f"{ancestor.name}.{name}"))
            found = self._own_member(ancestor.class_, base, name)
            if found is not _NOTHING:
                return found  # type: ignore[return-value]
        return None

    def _above(self, base: Symbol, name: str) -> Symbol | None:
        """``super().name``: a member of a class that comes after the one around ``super``."""
        return self._first_member(self._classes_above(base), base.item, name) if base.item is not None else None

    def _classes_above(self, base: Symbol) -> list[Symbol]:
        """The classes in which ``super()`` looks, in order."""
        inside, below = base.receiver, base.item
        if inside is None or below is None or below.class_ is None:
            return []
        order = list(self.mro(below.class_))
        position = next((i for i, ancestor in enumerate(order) if ancestor.class_ is inside), -1)
        return order[position + 1 :]

    def _own_member(self, owner: Scope, base: Symbol, name: str) -> object:
        bindings = owner.names.bindings.get(name)
        if bindings and not (len(bindings) == 1 and _is_placeholder(bindings[0]) and base.instance):
            chosen = bindings[-1]
            if chosen.kind is BindingKind.FUNCTION and chosen.scope is not None:
                return self._method(_accessor_in(bindings) or chosen.scope, base)
            if chosen.annotation is not None and self._is_generic(owner):
                return self.annotation(chosen.annotation, owner, base)
            found = self.bound(bindings, owner, name, None)
            if chosen.kind is BindingKind.VALUE and chosen.annotation is None and self._is_enum(owner):
                return Symbol(owner.full_name, scope=owner, instance=True)
            return found
        assigned: list[tuple[Binding, Scope]] = []
        for method in owner.methods():
            if method.parameters and method.may_hold(name):
                key = (method.parameters[0].arg, name)
                assigned.extend((b, method) for b in method.names.attributes.get(key, ()))
        assigned = [(b, m) for b, m in assigned if not _is_placeholder(b)] or assigned
        if not assigned:
            return None if bindings else _NOTHING
        return agree(self.binding(b, m, f"{m.parameters[0].arg}.{name}") for b, m in assigned)

    def accessor(self, base: Symbol, name: str, is_store: bool = False) -> Scope | None:
        """The function that reading (or setting) an attribute of a project class's instance runs: a property's."""
        classes = self.mro(base.class_) if base.class_ is not None else self._classes_above(base)
        for ancestor in classes:
            if ancestor.class_ is None:
                if ancestor.name != "builtins.object":
                    return None
            elif bindings := ancestor.class_.names.bindings.get(name):
                return _accessor_in(bindings, "setter" if is_store else "")
        return None

    def _method(self, function: Scope, base: Symbol) -> Symbol | None:
        texts = {dotted_text(d).rpartition(".")[2] for d in function.decorators}
        method = Symbol(function.full_name, scope=function, receiver=base.class_, base=base)
        return self.returned(method) if base.instance and texts & PROPERTIES else method

    def _is_enum(self, class_: Scope) -> bool:
        return any(a.class_ is None and a.name.startswith("enum.") for a in self.mro(class_))

    def _is_generic(self, class_: Scope) -> bool:
        """Whether a class has type variables."""
        node = class_.node
        bases = getattr(node, "bases", ())
        generic = getattr(node, "type_params", ()) or any(isinstance(base, ast.Subscript) for base in bases)
        return bool(generic and self._variables(class_))

    def mro(self, class_: Scope) -> tuple[Symbol, ...]:
        """The class and its bases in Python's order; bases from outside the project end as plain names.

        Where Python would refuse the order, and where the bases are not settled yet: depth first.
        """
        known = self._orders.get(class_)
        if known is None:
            cuts = self._cuts
            known = self._mro(class_, ())
            if cuts == self._cuts:
                self._orders[class_] = known
        return known

    def _mro(self, class_: Scope, below: tuple[Scope, ...]) -> tuple[Symbol, ...]:
        this = Symbol(class_.full_name, scope=class_)
        if class_ in below or len(below) > _DEPTH:
            self._cuts += 1
            return ()
        bases: list[Symbol] = []
        for node in getattr(class_.node, "bases", []):
            plain = node.value if isinstance(node, ast.Subscript) else node
            base = self.resolve(plain, class_.parent or class_) or Symbol(_UNKNOWN)
            if not base.name.startswith(("typing.", "abc.")):
                bases.append(base)
        orders = [
            list(self._mro(base.class_, (*below, class_))) if base.class_ is not None else [base] for base in bases
        ]
        return (this, *_merged([order for order in [*orders, bases] if order]))

    # -- calls ---------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call, scope: Scope) -> Symbol | None:
        func = node.func
        if isinstance(func, ast.Name) and func.id == "super":
            return self._super(node, scope)
        called = self.resolve(func, scope)
        if called is None:
            return None
        if called.name in data.PASS_THROUGH and node.args:
            return self.resolve(node.args[0], scope)
        if called.name in data.ENTERING and node.args:
            return self.entered(node.args[0], scope)
        if called.name == data.ENTERING_ASYNC and node.args:
            return Symbol(COROUTINE, instance=True, item=self.entered(node.args[0], scope))
        if called.name == "typing.cast" and len(node.args) == 2:
            declared = self.annotation(node.args[0], scope)
            # Of a callable a type says less than the callable itself.
            vague = declared is None or declared.name in ("collections.abc.Callable", "typing.Callable")
            return (self.resolve(node.args[1], scope) if vague else None) or declared
        if called.name in data.SEQUENCE_MAKERS:
            item = self.iterated(node.args[0], scope, ()) if node.args else None
            return Symbol(_LIST, instance=True, item=item)
        if called.name in (PARTIAL, "functools.partialmethod") and node.args:
            return Symbol(PARTIAL, instance=True, item=self.resolve(node.args[0], scope))
        if called.name in data.FIELD_MAKERS:
            return self._field_value(node, scope)
        product = argument(node, None, data.factories().get(called.name, ""))
        if product is not None:
            made = self.resolve(product, scope)
            return replace(called, instance=True, item=made.made()) if made is not None else None
        return self.returned(called)

    def _field_value(self, node: ast.Call, scope: Scope) -> Symbol | None:
        """What a field of a dataclass starts as."""
        factory = argument(node, None, "default_factory") or argument(node, None, "factory")
        if factory is not None:
            made = self.resolve(factory, scope)
            return self.returned(made) if made is not None else None
        default = argument(node, None, "default")
        return self.resolve(default, scope) if default is not None else None

    def _super(self, node: ast.Call, scope: Scope) -> Symbol | None:
        """``super()``, ``super(C, self)``: ``item`` is what it stands for, ``receiver`` the class it starts after."""
        owner = next((s for s in scope.walk_up() if s.is_class), None)
        if node.args:
            named = self.resolve(node.args[0], scope)
            if named is None or named.class_ is not owner:
                return None
        if owner is None:
            return None
        method = next((s for s in scope.walk_up() if s.owner is owner), None)
        of_class = method is not None and self.method_kind(method) == "class"
        here = Symbol(owner.full_name, scope=owner, instance=not of_class)
        return Symbol(_SUPER, instance=True, item=here, receiver=owner)

    def returned(self, called: Symbol) -> Symbol | None:
        """What calling ``called`` gives."""
        if called.class_ is not None:
            if not called.instance:
                return called.made()
            method = self.class_member(called, "__call__")
            return self.returned(method) if method is not None else None
        if called.function is not None:
            return self._function_result(called.function, called.base)
        if called.instance:
            if called.name == PARTIAL:
                return self.returned(called.item) if called.item is not None else None
            if called.name in data.factories() and (product := called.item or next(iter(called.arguments), None)):
                return product
            known = data.returns().get(f"{called.name}.__call__")
            return Symbol(known, instance=True) if known is not None else None
        return self._external_result(called)

    def _external_result(self, called: Symbol) -> Symbol | None:
        base, _, method = called.name.rpartition(".")
        if base in (_LIST, _DICT, _TUPLE, "builtins.set", "collections.deque"):
            return _container_method(called, base, method)
        item = data.items().get(called.name)
        if item is not None:
            return Symbol(_LIST, instance=True, item=Symbol(item, instance=True))
        if called.name == "concurrent.futures.wait":  # a named tuple of two sets
            futures = Symbol("builtins.set", instance=True, item=Symbol("concurrent.futures.Future", instance=True))
            return Symbol(_TUPLE, instance=True, item=futures)
        known = data.returns().get(called.name)
        if known is not None:
            return Symbol(known, instance=True)
        if data.is_class_name(called.name):
            return called.made()
        if base in data.fluent():
            return Symbol(base, instance=True)
        return Symbol(f"{called.name}()", instance=True)

    def _function_result(self, function: Scope, base: Symbol | None) -> Symbol | None:
        if function.yields:
            managed = self.is_context_manager(function)
            item = self.produced(function)
            return Symbol("contextlib.contextmanager", True, item=item) if managed else Symbol(_LIST, True, item=item)
        if function.is_async:
            return Symbol(COROUTINE, instance=True, item=self._plain_result(function, base))
        return self._plain_result(function, base)

    def is_context_manager(self, function: Scope) -> bool:
        """Whether a generator function is decorated to be one."""
        names = {dotted_text(d).rpartition(".")[2] for d in function.decorators}
        return bool(names & {"contextmanager", "asynccontextmanager"})

    def _plain_result(self, function: Scope, base: Symbol | None = None) -> Symbol | None:
        annotation = getattr(function.node, "returns", None)
        if annotation is not None:
            declared = self.annotation(annotation, function.parent or function, base)
            if declared is not None:
                return declared
        if base is not None and base.class_ is not None and base.class_ is not function.owner and _gives_self(function):
            return base.made()
        return self._returned_value(function)

    def _returned_value(self, function: Scope) -> Symbol | None:
        key = ("return", function)
        if key in self._busy:
            self._cuts += 1
            return None
        self._busy.add(key)
        try:
            values = [v for v in function.returns if v is not None and not _is_none(v)]
            return agree(self.resolve(v, function) for v in values)
        finally:
            self._busy.discard(key)

    def _await(self, node: ast.Await, scope: Scope) -> Symbol | None:
        awaited = self.resolve(node.value, scope)
        if awaited is None or not awaited.instance:
            return None
        if awaited.name == COROUTINE:
            return awaited.item
        if awaited.name in ("asyncio.Task", "asyncio.Future"):
            return None
        return awaited if awaited.name.endswith("()") else None

    # -- other expressions ---------------------------------------------------------------------------------------

    def entered(self, value: ast.expr, scope: Scope) -> Symbol | None:
        """What ``with value as x`` binds x to."""
        manager = self.resolve(value, scope)
        if manager is None:
            return None
        if manager.name == "contextlib.contextmanager":
            return manager.item
        if manager.name.startswith("contextlib.closing"):
            return self.resolve(value.args[0], scope) if isinstance(value, ast.Call) and value.args else None
        if manager.class_ is not None:
            for name in ("__enter__", "__aenter__"):
                enter = self.class_member(manager, name)
                if enter is not None and enter.function is not None:
                    given = self._plain_result(enter.function, manager)
                    return given if given is not None else None
            return next((a.made() for a in self.mro(manager.class_) if a.class_ is None), None)
        return manager

    def iterated(self, iterable: ast.expr, scope: Scope, path: tuple[int, ...]) -> Symbol | None:
        """What a ``for`` target is bound to; ``path`` leads through tuple unpacking."""
        if isinstance(iterable, ast.Call):
            name = dotted_text(iterable.func)
            if name == "enumerate" and iterable.args:
                return self.iterated(iterable.args[0], scope, path[1:]) if path[:1] == (1,) else None
            if name == "zip" and path and path[0] < len(iterable.args):
                return self.iterated(iterable.args[path[0]], scope, path[1:])
            if isinstance(iterable.func, ast.Attribute) and iterable.func.attr == "items" and len(path) == 1:
                mapping = self.resolve(iterable.func.value, scope)
                return (mapping.item, mapping.value)[path[0] > 0] if mapping is not None else None
            if name in ("list", "tuple", "set", "sorted", "reversed", "iter") and iterable.args:
                return self.iterated(iterable.args[0], scope, path)
        found = self.resolve(iterable, scope)
        item = found.item if found is not None and found.name not in (COROUTINE, PARTIAL, _SUPER) else None
        return self._element(item, path) if path else item

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Symbol | None:
        base = self.resolve(node.value, scope)
        if base is None:
            return None
        if base.scope is None and (known := data.subscripted(base.name)) is not None:
            return Symbol(known, instance=True)
        if not base.instance:
            if base.class_ is not None:
                return replace(base, arguments=tuple(self.annotation(a, scope) for a in _elements(node.slice)))
            return base if data.is_class_name(base.name) else None
        if base.class_ is not None:
            getter = self.class_member(base, "__getitem__")
            return self.returned(getter) if getter is not None and getter.function is not None else None
        if base.arguments and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
            position = node.slice.value
            return base.arguments[position] if position < len(base.arguments) else None
        if base.name == _DICT or base.value is not None:
            return base.value
        if isinstance(node.slice, ast.Slice):
            return base if base.item is not None else None
        return base.item

    def _sequence(self, node: ast.List | ast.Set | ast.Tuple, scope: Scope) -> Symbol | None:
        name = _TUPLE if isinstance(node, ast.Tuple) else _LIST
        items: list[Symbol | None] = [
            self.iterated(e.value, scope, ()) if isinstance(e, ast.Starred) else self.resolve(e, scope)
            for e in node.elts[:50]
        ]
        elements = () if name == _LIST or any(isinstance(e, ast.Starred) for e in node.elts) else tuple(items)
        return Symbol(name, instance=True, item=agree(items), arguments=elements)

    def _dict(self, node: ast.Dict, scope: Scope) -> Symbol | None:
        keys = [self.resolve(k, scope) for k in node.keys[:50] if k is not None]
        return Symbol(
            _DICT,
            instance=True,
            item=agree(keys),
            value=agree([self.resolve(v, scope) for v in node.values[:50]]),
        )

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Symbol | None:
        return Symbol(_LIST, instance=True, item=self.resolve(node.elt, scope))

    def _dict_comprehension(self, node: ast.DictComp, scope: Scope) -> Symbol | None:
        return Symbol(_DICT, instance=True, item=self.resolve(node.key, scope), value=self.resolve(node.value, scope))

    def _either(self, node: ast.IfExp, scope: Scope) -> Symbol | None:
        sides = [s for s in (node.body, node.orelse) if not _is_none(s)]
        return agree(self.resolve(s, scope) for s in sides)

    def _or(self, node: ast.BoolOp, scope: Scope) -> Symbol | None:
        values = node.values if isinstance(node.op, ast.Or) else node.values[-1:]
        return agree(self.resolve(v, scope) for v in values if not _is_none(v))

    def _walrus(self, node: ast.NamedExpr, scope: Scope) -> Symbol | None:
        return self.resolve(node.value, scope)

    def _constant(self, node: ast.Constant, scope: Scope) -> Symbol | None:
        if node.value is None or node.value is ...:
            return None
        return Symbol(f"builtins.{type(node.value).__name__}", instance=True)

    def _joined_path(self, node: ast.BinOp, scope: Scope) -> Symbol | None:
        left = self.resolve(node.left, scope) if isinstance(node.op, ast.Div) else None
        return Symbol(_PATH, instance=True) if left is not None and left.name.startswith(_PATH) else None

    def _string(self, node: ast.JoinedStr, scope: Scope) -> Symbol | None:
        return Symbol("builtins.str", instance=True)

    def _lambda(self, node: ast.Lambda, scope: Scope) -> Symbol | None:
        function = scope.child(node)
        return Symbol(function.full_name, scope=function)


_EXPRESSIONS: ByKind[Callable[[Resolver, Any, Scope], Symbol | None]] = ByKind(
    {
        ast.Name: Resolver._name,
        ast.Attribute: Resolver._attribute,
        ast.Call: Resolver._call,
        ast.Await: Resolver._await,
        ast.Subscript: Resolver._subscript,
        ast.List: Resolver._sequence,
        ast.Set: Resolver._sequence,
        ast.Tuple: Resolver._sequence,
        ast.Dict: Resolver._dict,
        ast.ListComp: Resolver._comprehension,
        ast.SetComp: Resolver._comprehension,
        ast.GeneratorExp: Resolver._comprehension,
        ast.DictComp: Resolver._dict_comprehension,
        ast.IfExp: Resolver._either,
        ast.BinOp: Resolver._joined_path,
        ast.BoolOp: Resolver._or,
        ast.NamedExpr: Resolver._walrus,
        ast.Constant: Resolver._constant,
        ast.JoinedStr: Resolver._string,
        ast.Lambda: Resolver._lambda,
    }
)


def is_accessor(decorator: ast.expr) -> bool:
    """``@x.setter`` and its like."""
    return isinstance(decorator, ast.Attribute) and decorator.attr in ("setter", "getter", "deleter")


def _accessor_in(bindings: list[Binding], kind: str = "") -> Scope | None:
    """The function among a class's bindings of one name that makes it a property, or gives that its setter."""
    wanted = frozenset({kind}) if kind else PROPERTIES
    for binding in reversed(bindings):
        if binding.scope is not None and binding.scope.is_function:
            if any(dotted_text(d).rpartition(".")[2] in wanted for d in binding.scope.decorators):
                return binding.scope
    return None


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_placeholder(binding: Binding) -> bool:
    """A binding that says nothing about the type: ``x = None`` or a bare ``x: T`` beside a real one."""
    if binding.kind is not BindingKind.VALUE or binding.annotation is not None:
        return False
    return binding.value is not None and _is_none(binding.value)


def _path_to(target: ast.expr, name: str) -> tuple[int, ...] | None:
    """Where in an unpacking target ``name`` stands."""
    if isinstance(target, ast.Name):
        return () if target.id == name else None
    if isinstance(target, (ast.Tuple, ast.List)):
        for position, element in enumerate(target.elts):
            inner = _path_to(element, name)
            if inner is not None:
                return (position, *inner)
    return None


def _reaching(bindings: list[Binding], at: ast.AST | None, module: Module) -> list[Binding]:
    """The bindings that may decide ``at``: the last one that surely came before it, and any inside what lies between.

    Without such a one (all bound in branches, loops, nested scopes) all of them may.
    """
    if at is None or len(bindings) < 2:
        return bindings
    parents = module.parents
    child: ast.AST = at
    end = _row(at)  # behind it nothing counts, but for what a loop around brings back
    for parent in module.ancestors(at):
        if isinstance(parent, ast.stmt):
            held = next((b for b in bindings if b.node is parent and b.kind in _HELD), None)
            if held is not None and child in parent.body:  # type: ignore[attr-defined]
                return [held, *_between(bindings, parent, end)]
        if isinstance(parent, ast.ExceptHandler):
            caught = next((b for b in bindings if b.node is parent), None)
            if caught is not None:
                return [caught, *_between(bindings, parent, end)]
        block = next((block for block in _blocks(parent) if child in block), None)
        if block is not None:
            before = [b for b in bindings if parents.get(b.node) is parent and b.row < _row(child) and b.node in block]
            if before:
                return [before[-1], *_between(bindings, before[-1].node, end)]
        if isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            break
        if isinstance(parent, (ast.For, ast.AsyncFor, ast.While)):
            end = max(end, parent.end_lineno or 0)
        child = parent
    return bindings


_HELD = (BindingKind.WITH, BindingKind.FOR)


def _between(bindings: list[Binding], first: ast.AST, end: int) -> list[Binding]:
    """The bindings after ``first``, up to the row ``end``."""
    return [b for b in bindings if _row(first) < b.row <= end and b.node is not first]


def _row(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _blocks(node: ast.AST) -> Iterator[list[ast.AST]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block


def _places(owner: Scope, name: str) -> Iterator[tuple[Scope, str]]:
    """Scopes that may fill the container ``name`` of ``owner``, with how they write it."""
    text = name
    if "." in name and owner.owner is not None:
        attribute = name.partition(".")[2]
        for method in owner.owner.methods():
            if method.parameters and method.may_hold(attribute):
                yield method, f"{method.parameters[0].arg}.{attribute}"
        return
    yield owner, text
    if owner.is_function:
        for child in list(owner.children.values()):
            if child.is_function and name not in child.names.bindings:
                yield child, text


def _container_method(called: Symbol, base: str, method: str) -> Symbol | None:
    """What a method of a list, set, dict or tuple gives; ``called`` carries its container's item and value."""
    if method in ("copy", "union", "intersection", "difference"):
        return replace(called, name=base, instance=True)
    if base == _DICT:
        if method in ("get", "pop", "setdefault"):
            return called.value
        if method == "values":
            return Symbol(_LIST, instance=True, item=called.value)
        if method == "keys":
            return Symbol(_LIST, instance=True, item=called.item)
        return None
    return called.item if method in ("pop", "popleft") else None


def _dunder_all(module: Module) -> frozenset[str] | None:
    """The names in a literal ``__all__``; None where there is none or it is computed."""
    if "__all__" not in module.text:
        return None
    names: list[str] = []
    parts = list(_all_parts(module))
    for value in parts:
        if not isinstance(value, (ast.List, ast.Tuple)):
            return None
        strings = [e.value for e in value.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
        if len(strings) < len(value.elts):
            return None
        names.extend(strings)
    return frozenset(names) if parts else None


def _all_parts(module: Module) -> Iterator[ast.expr | None]:
    """The lists that ``__all__`` is put together from, at the top level of a module."""
    for node in module.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
                value = node.value
                parts = [value.left, value.right] if isinstance(value, ast.BinOp) else [value]
                yield from (part for part in parts if dotted_text(part) != "__all__")  # type: ignore[arg-type]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = node.value
            if dotted_text(call.func) in ("__all__.extend", "__all__.append") and call.args:
                is_one = isinstance(call.func, ast.Attribute) and call.func.attr == "append"
                yield ast.List(elts=[call.args[0]], ctx=ast.Load()) if is_one else call.args[0]


def _is_and(test: ast.expr) -> bool:
    return isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And)


def _asks_for_type(test: ast.expr, name: str) -> TypeGuard[ast.Call]:
    """``isinstance(name, C)``."""
    if not isinstance(test, ast.Call) or len(test.args) != 2 or not isinstance(test.func, ast.Name):
        return False
    return test.func.id == "isinstance" and isinstance(test.args[0], ast.Name) and test.args[0].id == name


def _elements(node: ast.expr) -> list[ast.expr]:
    """The arguments of a subscript."""
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _gives_self(function: Scope) -> bool:
    """Whether a method returns nothing but the object it is called on, or new ones of the same class."""
    values = [v for v in function.returns if v is not None and not _is_none(v)]
    first = function.parameters[0].arg if function.parameters else ""
    own = {first, f"{first}()", f"{first}.__class__()", f"type({first})()"}
    return bool(values and first) and all(_shape(value) in own for value in values)


def _shape(node: ast.expr) -> str:
    """``cls()`` for any call of ``cls``, and so on: an expression with the arguments left out."""
    if isinstance(node, ast.Call):
        inside = dotted_text(node.args[0]) if isinstance(node.func, ast.Name) and node.func.id == "type" else ""
        return f"{_shape(node.func)}({inside})"
    return dotted_text(node)


def _merged(orders: list[list[Symbol]]) -> list[Symbol]:
    """Python's merge of the bases' orders; what is left one after the other where there is none."""
    merged: list[Symbol] = []
    while orders:
        tails = {_identity(symbol) for order in orders for symbol in order[1:]}
        chosen = next((order[0] for order in orders if _identity(order[0]) not in tails), orders[0][0])
        merged.append(chosen)
        same = _identity(chosen)
        orders = [rest for order in orders if (rest := [s for s in order if _identity(s) != same])]
    return merged


def _identity(symbol: Symbol) -> object:
    return symbol.scope or symbol.name
