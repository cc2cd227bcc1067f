"""Plans the imports that a fix needs: reuses what is there, else adds one line where a person would add it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, count, groupby

from bglint.fix.layout import Layout, Line, Place, layout
from bglint.model import Edit

_GLOBAL = re.compile(r"\bglobal\b((?:[\w, \t]|\\\r?\n)+)")
_WORD = re.compile(r"\w+")
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """How to write the imported thing at the site, and the edit that imports it if nothing usable does yet."""

    name: str
    edit: Edit | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A module (``name`` is None), or ``name`` from it."""

    module: str
    name: str | None = None

    @property
    def bound(self) -> str:
        """The name that its plain import binds."""
        return self.name or self.module.partition(".")[0]

    @property
    def origin(self) -> str:
        """What that name then stands for, as a dotted path."""
        return f"{self.module}.{self.name}" if self.name else self.bound

    @property
    def is_standard(self) -> bool:
        """Whether it is of the standard library."""
        return self.module.partition(".")[0] in sys.stdlib_module_names


def import_module(
    tree: ast.Module, text: str, module: str, *, avoid: Container[str], before: int | None = None
) -> ImportPlan:
    """Plan how a site can use ``module``, as ``import module`` does.

    ``avoid`` holds the names that mean something else at the site, ``before`` is the row that the import must
    stand above (the site's, if it runs at import time); by default that of the first function or class.
    """
    return _plan(tree, text, Wanted(module), avoid, before)


def import_from(
    tree: ast.Module, text: str, module: str, name: str, *, avoid: Container[str], before: int | None = None
) -> ImportPlan:
    """Plan how a site can use ``name`` of ``module``, as ``from module import name`` does; see import_module."""
    return _plan(tree, text, Wanted(module, name), avoid, before)


def plan_imports(
    tree: ast.Module, text: str, wanted: Sequence[Wanted], avoid: Container[str], before: int | None = None
) -> tuple[list[str], list[Edit]]:
    """Plan several imports at once; return how to write each, and edits that add what is missing, sorted."""
    top = layout(tree, text)
    limit = top.limit(before)
    names = []
    added: dict[Place, list[tuple[tuple[bool, str], str]]] = {}
    for want in wanted:
        existing = _existing(tree, text, want, avoid, limit)
        names.append(existing or _fresh(tree, text, want, avoid))
        if existing is None:
            order = (want.name is not None, want.module.lower())
            added.setdefault(_place(top, want, limit), []).append((order, _statement(want, names[-1])))
    edits = [top.edit(place, [line for _, line in sorted(lines)]) for place, lines in added.items()]
    return names, sorted(edits)


def _plan(tree: ast.Module, text: str, want: Wanted, avoid: Container[str], before: int | None) -> ImportPlan:
    names, edits = plan_imports(tree, text, [want], avoid, before)
    return ImportPlan(names[0], edits[0] if edits else None)


def _statement(want: Wanted, name: str) -> str:
    if want.name is not None:
        return f"from {want.module} import {want.name}" + (f" as {name}" if name != want.name else "")
    return f"import {want.module}" + (f" as {name}" if name != want.module else "")


# -- names --------------------------------------------------------------------------------------------------------


def _existing(tree: ast.Module, text: str, want: Wanted, avoid: Container[str], limit: int) -> str | None:
    """Return how an import that always runs, above row ``limit``, lets the site write what is wanted."""
    bindings = module_bindings(tree, text)
    for statement in tree.body:
        if (statement.end_lineno or statement.lineno) >= limit:
            break
        for written in _ways_to_write(statement, want):
            bound = written.partition(".")[0]
            if bound not in avoid and len(bindings[bound]) == 1:
                return written
    return None


def _ways_to_write(statement: ast.stmt, want: Wanted) -> Iterator[str]:
    if isinstance(statement, ast.Import) and want.name is None:
        for alias in statement.names:
            if alias.name == want.module:
                yield alias.asname or alias.name
            elif alias.asname is None and alias.name.startswith(f"{want.module}."):
                yield want.module  # importing a submodule imports its package too
    elif isinstance(statement, ast.ImportFrom) and not statement.level:
        path = f"{want.module}.{want.name}" if want.name else want.module
        for alias in statement.names:
            if f"{statement.module}.{alias.name}" == path:
                yield alias.asname or alias.name


def _fresh(tree: ast.Module, text: str, want: Wanted, avoid: Container[str]) -> str:
    """Return how to write what a new import brings, under another name where its own is taken."""
    if want.bound not in avoid and module_bindings(tree, text).get(want.bound, {want.origin}) == {want.origin}:
        return want.name or want.module
    last = (want.name or want.module.rpartition(".")[2]).lstrip("_")
    return _free_name(tree, text, f"_{last}", avoid)


def _free_name(tree: ast.Module, text: str, name: str, avoid: Container[str]) -> str:
    """Return ``name``, or with the first number from 2 on, such that nothing in the module is called so."""
    candidates = chain([name], (f"{name}{number}" for number in count(2)))
    return next(name for name in candidates if name not in avoid and not is_taken(name, tree, text))


def is_taken(name: str, tree: ast.Module, text: str) -> bool:
    """Tell whether anything in the module is called so. Most names are nowhere in its text, which is quick to see."""
    return name in text and name in identifiers(tree, text)


@lru_cache(maxsize=2)
def module_bindings(tree: ast.Module, text: str) -> dict[str, set[str]]:
    """Return what each name may stand for at module level: a dotted path for imports, "?" for anything else."""
    bindings: dict[str, set[str]] = {}

    def bind(name: str | None, origin: str = "?") -> None:
        if name is not None:
            bindings.setdefault(name, set()).add(origin)

    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                bind(alias.asname or root, alias.name if alias.asname else root)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                bind(alias.asname or alias.name, f"{'.' * node.level}{node.module or ''}.{alias.name}")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bind(node.name)
        elif isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                bind(node.id)
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
            bind(node.name)
        elif isinstance(node, ast.MatchMapping):
            bind(node.rest)
        todo.extend(_inside_module_scope(node))
    # Seen in the text: bodies of functions need not be parsed for it, and to take a name too many for bound is safe.
    for names in _GLOBAL.findall(text):
        for name in _WORD.findall(names):
            bind(name)
    return bindings


def _inside_module_scope(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the children of ``node`` that bind names where ``node`` stands."""
    if isinstance(node, _COMPREHENSIONS):
        # Its loop variables are its own, but `:=` reaches outside.
        yield from (inner.target for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield from node.decorator_list
    elif not isinstance(node, ast.Lambda):
        yield from ast.iter_child_nodes(node)


@lru_cache(maxsize=2)
def identifiers(tree: ast.Module, text: str) -> frozenset[str]:
    """Return every name that is bound or read anywhere in the module."""
    found: set[str] = set(module_bindings(tree, text))
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
            continue
        if not isinstance(node, (ast.Attribute, ast.Constant, ast.Call)):
            names = (getattr(node, field, None) for field in ("arg", "name", "asname", "rest"))
            found.update(name.partition(".")[0] for name in names if isinstance(name, str))
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                pending.extend(child for child in value if isinstance(child, ast.AST))
            elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                pending.append(value)
    return frozenset(found)


# -- places -------------------------------------------------------------------------------------------------------


def _place(top: Layout, want: Wanted, limit: int) -> Place:
    runs = top.runs(limit)
    if not runs:
        return top.front(limit)
    run = next((run for run in runs if any(_suits(line, want) for line in run)), runs[0])
    sections = top.sections(run)
    section = _best_section(sections, want)
    if section is not None:
        return _in_section(section, want)
    # The standard library comes first, everything else after it: a section of its own.
    if want.is_standard:
        return top.above(top.lines.index(run[0]))
    end = run[-1].last
    return Place(end + 1, 1, 0 if top.is_blank(end + 1) else 1)


def _suits(line: Line, want: Wanted) -> bool:
    """Tell whether the line imports from the same kind of package and in the same form, with or without from."""
    return _is_from(line) == (want.name is not None) and _is_standard(line) == want.is_standard


def _best_section(sections: Sequence[list[Line]], want: Wanted) -> list[Line] | None:
    root = want.module.partition(".")[0]
    lines = [(line, section) for section in sections for line in section]
    ranked = chain(
        (section for line, section in lines if not want.is_standard and _module(line).partition(".")[0] == root),
        (section for line, section in lines if _suits(line, want)),
        (section for line, section in lines if _is_standard(line) == want.is_standard),
    )
    return next(ranked, None)


def _in_section(section: Sequence[Line], want: Wanted) -> Place:
    is_from = want.name is not None
    kinds = [kind for kind, _ in groupby(section, key=_is_from)]
    # More than two stretches: `import x` and `from x import y` are sorted among each other here.
    peers = list(section) if len(kinds) > 2 else [line for line in section if _is_from(line) == is_from]
    if not peers:
        return Place(section[-1].last + 1) if is_from else Place(section[0].first)
    keys = [_module(line).lower() for line in peers]
    if keys == sorted(keys) and not any(_imports_several(line) for line in peers):
        later = next((line for line, key in zip(peers, keys, strict=True) if key > want.module.lower()), None)
        return _before(section, later) if later else Place(peers[-1].last + 1)
    same = [line for line in peers if _suits(line, want)]
    return Place((same or peers)[-1].last + 1)


def _before(section: Sequence[Line], line: Line) -> Place:
    """Return the place above ``line`` and above the comment that belongs to it."""
    index = section.index(line)
    return Place(section[index - 1].last + 1) if index else Place(line.first)


def _is_from(line: Line) -> bool:
    return isinstance(line.statements[0], ast.ImportFrom)


def _imports_several(line: Line) -> bool:
    """Tell whether several modules are imported on the line."""
    first = line.statements[0]
    return len(line.statements) > 1 or (isinstance(first, ast.Import) and len(first.names) > 1)


def _module(line: Line) -> str:
    """Return the first module that the line imports (from), with its dots if it is relative."""
    first = line.statements[0]
    if isinstance(first, ast.ImportFrom):
        return "." * first.level + (first.module or "")
    return first.names[0].name if isinstance(first, ast.Import) else ""


def _is_standard(line: Line) -> bool | None:
    """Tell whether the line imports from the standard library; None for a relative import."""
    module = _module(line)
    return None if module.startswith(".") else module.partition(".")[0] in sys.stdlib_module_names
