"""Who looks at a task that is kept: every use of the name that keeps it, in all files that can know the name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bglint.index.callers import last_name, statements_at
from bglint.index.context import COMPREHENSIONS
from bglint.index.facts import Module, dotted_text
from bglint.index.words import rows_naming

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

# Methods of a task, or of a container of tasks, that tell nobody how the task ended.
_BLIND = frozenset(
    {
        "add", "append", "appendleft", "cancel", "cancelled", "cancelling", "clear", "discard", "done", "extend",
        "get_coro", "get_name", "get_stack", "insert", "print_stack", "remove", "set_name", "uncancel", "update",
    }
)  # fmt: skip
# Methods of containers that give a task, or all of them.
_TAKERS = frozenset({"get", "pop", "popleft", "popitem", "setdefault"})
_ALL = frozenset({"copy", "items", "values"})
# Functions that make another collection of the same tasks.
COPIES = frozenset({"frozenset", "list", "reversed", "set", "sorted", "tuple"})
_ASKERS = frozenset({"any", "all", "bool", "hasattr", "id", "isinstance", "len"})
# Methods that put one task into a container.
ADDERS = frozenset({"add", "append", "appendleft", "insert"})
_FORGETTERS = frozenset({"discard", "pop", "remove"})
_MOST_FILES = 60
_DEEPEST = 6


class Observers:
    """Answers for one project; remembers its answers."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[tuple[str, Path], bool] = {}
        self._called_back: dict[tuple[str, Path], bool] = {}

    def of_name(self, text: str, scope: Scope) -> bool:
        """Whether anybody may learn what becomes of the tasks that a global (``TASKS``) or attribute (``self.tasks``)
        keeps.
        """
        key = (text, scope.module.path)
        if key not in self._known:
            self._known[key] = self._search(text, scope)
        return self._known[key]

    def by_callback(self, keeper: ast.expr, scope: Scope) -> bool:
        """Whether a task that a global or attribute keeps gets a done-callback that does more than to forget it."""
        place = self.project.resolver.place(keeper, scope)
        if place is not None:
            scope = place[1]
        text = dotted_text(keeper)
        key = (text, scope.module.path)
        if key not in self._called_back:
            uses = self._all_uses(text, scope)
            self._called_back[key] = uses is None or any(_is_called_back(module, node) for module, node in uses)
        return self._called_back[key]

    def _search(self, text: str, scope: Scope) -> bool:
        uses = self._all_uses(text, scope)
        return uses is None or any(observes(module, node) for module, node in uses)

    def _all_uses(self, text: str, scope: Scope) -> Iterator[tuple[Module, ast.expr]] | None:
        """Every use of what a global or attribute keeps; None where too many files may have one."""
        name = text.rpartition(".")[2]
        files = self._files(name, scope)
        if len(files) > _MOST_FILES:
            return None
        # A plain name of the same spelling is no attribute; but a global is one of its module.
        kinds = (ast.Attribute,) if "." in text else (ast.Attribute, ast.Name)
        return ((module, node) for path in files for module, node in self._uses(path, name) if isinstance(node, kinds))

    def _files(self, name: str, scope: Scope) -> list[Path]:
        """The files that can get at what the module keeps: it, those that import it, and those of the base classes."""
        callers = self.project.callers
        near = {scope.module.path, *callers.reaching(scope.module.path)}
        owner = next((s for s in scope.walk_up() if s.is_class), None)
        bases = self.project.resolver.mro(owner) if owner is not None else ()
        near.update(base.class_.module.path for base in bases if base.class_ is not None)
        return sorted(path for path in near if callers.mentions(path, name))

    def _uses(self, path: Path, name: str) -> Iterator[tuple[Module, ast.expr]]:
        module = self.project.module_at(path)
        if module is None:
            return
        rows = rows_naming(module.text, [name])
        for statement, _ in statements_at(module, rows):
            for node in ast.walk(statement):
                if isinstance(node, (ast.Attribute, ast.Name)) and last_name(node) == name:
                    yield module, node


def observes(module: Module, node: ast.expr, depth: int = 0) -> bool:
    """Whether a use of a task, or of a container of tasks, may show somebody how the task ended."""
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return False
    parent = module.parents.get(node)
    if depth > _DEEPEST or parent is None:
        return True
    if isinstance(parent, (ast.Compare, ast.Expr, ast.FormattedValue, ast.Delete)):
        return False
    if isinstance(parent, ast.Attribute):
        return _method_observes(module, parent, depth)
    if isinstance(parent, ast.Subscript):
        return parent.value is node and observes(module, parent, depth + 1)
    if isinstance(parent, (ast.BoolOp, ast.NamedExpr)):
        inner = isinstance(parent, ast.NamedExpr) and _name_observes(module, parent.target, depth)
        return inner or observes(module, parent, depth + 1)
    if isinstance(parent, ast.UnaryOp):
        return not isinstance(parent.op, ast.Not)
    if isinstance(parent, (ast.If, ast.While, ast.Assert)):
        return False
    if isinstance(parent, ast.IfExp):
        return parent.test is not node and observes(module, parent, depth + 1)
    if isinstance(parent, ast.Assign):
        return any(_target_observes(module, target, parent.value, node, depth) for target in parent.targets)
    if isinstance(parent, (ast.For, ast.comprehension)):
        return _loop_observes(module, parent, node, depth)
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and node in parent.args:
        if parent.func.id in _ASKERS:
            return False
        return parent.func.id not in COPIES or observes(module, parent, depth + 1)
    if isinstance(parent, (ast.Tuple, ast.List)):
        around = module.parents.get(parent)
        if isinstance(around, ast.Assign):
            return any(_target_observes(module, target, parent, node, depth) for target in around.targets)
    return True


def _method_observes(module: Module, attribute: ast.Attribute, depth: int) -> bool:
    call = module.parents.get(attribute)
    if not isinstance(call, ast.Call) or call.func is not attribute:
        return attribute.attr not in _BLIND
    if attribute.attr == "add_done_callback":
        return not forgets(call)
    if attribute.attr in (_TAKERS | _ALL):
        return observes(module, call, depth + 1)
    return attribute.attr not in _BLIND


def _is_called_back(module: Module, keeper: ast.expr) -> bool:
    """Whether a task put into ``keeper`` here, under a local name, has a done-callback that may look at it."""
    parent: ast.AST | None = module.parents.get(keeper)
    if isinstance(parent, ast.Subscript):
        keeper, parent = parent, module.parents.get(parent)
    task: ast.expr | None = None
    if isinstance(parent, ast.Assign) and keeper in parent.targets:
        task = parent.value
    elif isinstance(parent, ast.Attribute):
        call = module.parents.get(parent)
        adds = isinstance(call, ast.Call) and call.func is parent and parent.attr in ADDERS
        task = call.args[-1] if adds and call.args else None
    if not isinstance(task, ast.Name):
        return False
    return any(
        dotted_text(call.func) == f"{task.id}.add_done_callback" and not forgets(call)
        for call in module.scope_of(task).calls
    )


def forgets(call: ast.Call) -> str | None:
    """The container from which a done-callback takes its task, where that is all it does: ``tasks.discard``."""
    given = call.args[0] if call.args else None
    if isinstance(given, ast.Lambda):
        return forgets_here(given.body) if isinstance(given.body, ast.Call) else None
    return _forgotten_by(given)


def forgets_here(call: ast.Call) -> str | None:
    """The container from which a call takes something: ``tasks.discard(task)``."""
    return _forgotten_by(call.func)


def _forgotten_by(method: ast.expr | None) -> str | None:
    if isinstance(method, ast.Attribute) and method.attr in _FORGETTERS:
        return dotted_text(method.value) or None
    return None


def _target_observes(module: Module, target: ast.expr, value: ast.expr, node: ast.expr, depth: int) -> bool:
    """Whether what an assignment binds ``node`` to is looked at."""
    if value is not node and isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)):
        if len(target.elts) != len(value.elts):
            return True
        target = target.elts[value.elts.index(node)]
    return not isinstance(target, ast.Name) or _name_observes(module, target, depth)


def _name_observes(module: Module, name: ast.Name, depth: int) -> bool:
    """Whether a local name for the task is looked at, anywhere in its function."""
    function = module.scope_of(name)
    if not function.is_function:
        return True
    return any(
        observes(module, other, depth + 1)
        for other in ast.walk(function.node)
        if isinstance(other, ast.Name) and other.id == name.id and isinstance(other.ctx, ast.Load)
    )


def _loop_observes(module: Module, loop: ast.For | ast.comprehension, node: ast.expr, depth: int) -> bool:
    """Whether a loop over tasks looks at one; of ``items()``, only the values are tasks."""
    if loop.iter is not node:
        return False
    targets = loop.target.elts if isinstance(loop.target, (ast.Tuple, ast.List)) else [loop.target]
    if not all(isinstance(target, ast.Name) for target in targets):
        return True
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    around = module.parents.get(loop) if isinstance(loop, ast.comprehension) else loop
    if around is None:
        return True
    inside = [n for n in ast.walk(around) if isinstance(n, ast.Name) and n.id in names and isinstance(n.ctx, ast.Load)]
    if isinstance(around, COMPREHENSIONS) and any(_is_kept(around, n) for n in inside):
        return observes(module, around, depth + 1)
    return any(observes(module, n, depth + 1) for n in inside)


def _is_kept(made: ast.AST, name: ast.Name) -> bool:
    """Whether a comprehension makes a list of the tasks themselves: ``[t for t in tasks if not t.done()]``."""
    return getattr(made, "elt", None) is name or getattr(made, "value", None) is name
