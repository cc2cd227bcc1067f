"""The pipeline for one file: screen, index, rules, findings. No I/O but what the project reads on demand."""

from __future__ import annotations

import ast
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from bglint.index.callers import last_name
from bglint.index.context import statement_of
from bglint.index.linking import any_between, calls_on, statements_in
from bglint.index.words import rows_calling, rows_naming
from bglint.model import Finding, Fix
from bglint.pieces import Piece, Unit, parse_piece, units, walk
from bglint.rules import all_rules
from bglint.rules.base import Candidate, Refused, Rewrite, Rule
from bglint.rules.context import RuleContext
from bglint.selectors import Selection, decided
from bglint.source import Source
from bglint.syntax import unparsable

if TYPE_CHECKING:
    from bglint.config import Settings
    from bglint.index.facts import Module
    from bglint.index.project import Project

# LibCST recurses about nine Python frames and a large C frame per level of nesting.
_COMFORTABLE_DEPTH = 60
_ABSURD_DEPTH = 2_000


def enabled_rules(settings: Settings) -> tuple[type[Rule], ...]:
    """The rules in force under these settings."""
    return _selected(settings.selection)


@lru_cache(maxsize=16)
def _selected(selection: tuple[Selection, ...]) -> tuple[type[Rule], ...]:
    return tuple(rule for rule in all_rules() if decided(selection, rule.code, rule.default))


def blocking_kinds(settings: Settings) -> frozenset[str]:
    """The kinds of blocking that enabled rules report."""
    kinds = (getattr(rule, "kind", None) for rule in enabled_rules(settings))
    return frozenset(kind for kind in kinds if kind)


def matter(source: Source, rules: Iterable[type[Rule]], project: Project) -> list[type[Rule]]:
    """The screen: the rules for which a file can matter at all, by its bytes."""
    data = source.data
    found: dict[str, bool] = {}

    def mentions(word: str) -> bool:
        if word not in found:
            found[word] = word.encode() in data
        return found[word]

    return [
        rule
        for rule in rules
        if (not rule.needs or any(map(mentions, rule.needs)))
        and (any(map(mentions, rule.triggers)) or rule.reaches(source.path, project))
    ]


def lint(source: Source, project: Project, settings: Settings, display_path: str) -> list[Finding]:
    """All findings in one file, noqa and per-file-ignores not yet considered, in order.

    A file that cannot be parsed gives one BGL000.
    """
    project.trim()
    ctx = RuleContext(source, project, settings, display_path)
    looks = Looks.of([rule(ctx) for rule in matter(source, enabled_rules(settings), project)], source, project)
    try:
        if not looks:
            project.check_syntax(source.path, source.text)
            return []
        module = project.add(source.path, source.text)
        module.outline.check()
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return [unparsable(display_path, error)] if settings.enabled("BGL000", True) else []
    found: list[Finding] = []
    with project.held_still():
        for piece, rules in _Wanted(module, source, looks).pieces():
            found.extend(_lint_piece(piece, rules, ctx))
    return sorted(found, key=lambda f: f.sort_key)


class Looks(NamedTuple):
    """What rules look for in a file: the names of calls, and the words near statements, that do stand in it.

    ``placing`` are the rules that know other places by themselves.
    """

    called: dict[Rule, list[str]]
    named: dict[Rule, list[str]]
    placing: list[Rule]

    @classmethod
    def of(cls, rules: Sequence[Rule], source: Source, project: Project) -> Looks | None:
        """What these rules look for; None where the file holds nothing of it."""
        called_here = project.callers.called(source.path)
        called: dict[Rule, list[str]] = {}
        named: dict[Rule, list[str]] = {}
        for rule in rules:
            words = sorted(rule.words(source))
            if rule.calls and (here := [word for word in words if word.encode() in called_here]):
                called[rule] = here
            if rule.statements and (here := [word for word in words if word in source.text]):
                named[rule] = here
        placing = [rule for rule in rules if rule.has_places(source)]
        return cls(called, named, placing) if called or named or placing else None


class _Wanted:
    """The pieces of a module that rules find worth LibCST's time."""

    def __init__(self, module: Module, source: Source, looks: Looks) -> None:
        self.module = module
        self.source = source
        self.rules: dict[ast.stmt, list[Rule]] = {}
        self.whole: set[ast.stmt] = set()
        self._texts: dict[ast.stmt, str] = {}  # of units, by their statement
        self._add_calls(looks.called)
        self._add_statements(looks.named)
        self._add_places(looks.placing)

    def _add_calls(self, words: Mapping[Rule, Iterable[str]]) -> None:
        """Add the statements with calls that match; ``words`` are the names to look for."""
        named: dict[int, set[str]] = {}  # row → the names that are called there
        asking: dict[str, list[Rule]] = {}
        for rule, interesting in words.items():
            for word in interesting:
                asking.setdefault(word, []).append(rule)
        for word in asking:
            for row in rows_calling(self.module.text, [word]):
                named.setdefault(row, set()).add(word)
        rows = sorted(named)
        for unit in units(self.module, rows):
            here = rows[bisect_left(rows, unit.first) : bisect_right(rows, unit.last)]
            names = frozenset().union(*(named[row] for row in here))
            rules = {name: [rule for rule in asking[name] if self._may_match(rule, unit)] for name in names}
            open_rows = [row for row in here if any(rules[name] for name in named[row])]
            for call, scope in calls_on(self.module, open_rows, (unit.statement, unit.scope)) if open_rows else ():
                for rule in rules.get(last_name(call.func), ()):
                    statement = statement_of(self.module, call)
                    if rule not in self.rules.get(statement, ()) and rule.matches(call, scope):
                        self.rules.setdefault(statement, []).append(rule)

    def _add_statements(self, words: Mapping[Rule, Iterable[str]]) -> None:
        """Add the statements that match, from the units that hold one of a rule's words."""
        rows = {rule: rows_naming(self.module.text, interesting) for rule, interesting in words.items()}
        for unit in units(self.module, sorted(set().union(*rows.values()))):
            near = [rule for rule in rows if any_between(rows[rule], unit.first, unit.last)]
            asking = [rule for rule in near if self._may_match(rule, unit)]
            if isinstance(unit.statement, ast.ClassDef) or not asking:
                continue  # a header holds no statement
            for node, scope in statements_in(unit.statement, unit.scope):
                for rule in asking:
                    if isinstance(node, rule.statements) and rule.matches_statement(node, scope):
                        self.whole.add(node)
                        if rule not in self.rules.setdefault(node, []):
                            self.rules[node].append(rule)

    def _add_places(self, rules: Iterable[Rule]) -> None:
        """Add the statements with other expressions that rules have found by themselves."""
        for rule in rules:
            for place in rule.places():
                asking = self.rules.setdefault(statement_of(self.module, place), [])
                if rule not in asking:
                    asking.append(rule)

    def _may_match(self, rule: Rule, unit: Unit) -> bool:
        """Whether a unit holds one of the words that a rule needs there."""
        if not rule.piece_needs:
            return True
        if unit.statement not in self._texts:
            self._texts[unit.statement] = "".join(self.source.lines[unit.first - 1 : unit.last])
        return any(word in self._texts[unit.statement] for word in rule.piece_needs)

    def pieces(self) -> Iterator[tuple[Piece, list[Rule]]]:
        """The pieces, each with the rules that asked for it, in source order."""
        for statement in sorted(self.rules, key=lambda node: (node.lineno, node.col_offset)):
            yield Piece(statement, statement in self.whole), self.rules[statement]


def _lint_piece(piece: Piece, rules: Sequence[Rule], ctx: RuleContext) -> list[Finding]:
    """The findings in one piece; a piece that LibCST cannot take is a BGL000, the rest of the file is linted."""
    import libcst as cst

    depth = nesting(piece.statement, ctx.text)
    try:
        if depth > _ABSURD_DEPTH:
            raise RecursionError
        if depth > _COMFORTABLE_DEPTH:
            return with_large_stack(lambda: _visit(piece, rules, ctx), depth)
        return _visit(piece, rules, ctx)
    except cst.ParserSyntaxError as error:
        from importlib.metadata import version

        refused: BaseException = ValueError(f"LibCST {version('libcst')}: {error.message}")
    except (RecursionError, cst.CSTValidationError) as error:
        refused = error
    if not ctx.settings.enabled("BGL000", True):
        return []
    return [unparsable(ctx.display_path, refused, piece.statement.lineno)]


def _visit(piece: Piece, rules: Sequence[Rule], ctx: RuleContext) -> list[Finding]:
    tree, positions = parse_piece(ctx.source, piece)
    ctx.enter(piece.nodes(), positions)
    walk(tree, rules, ctx)
    found: list[Finding] = []
    for rule, candidate in ctx.take_candidates():
        finding = rule.judge(candidate, ctx.project)
        if finding is not None:
            found.append(_with_fix(rule, candidate, finding, ctx.project))
    return found


def _with_fix(rule: Rule, candidate: Candidate, finding: Finding, project: Project) -> Finding:
    from dataclasses import replace

    answer = rule.rewrite(candidate, project)
    if isinstance(answer, Rewrite):
        return replace(finding, fix=Fix(answer.applicability, answer.message, answer.edits))
    return replace(finding, fix_refused=answer.reason) if isinstance(answer, Refused) else finding


def nesting(statement: ast.AST, text: Callable[[ast.expr], str]) -> int:
    """How deep LibCST nests the nodes of a statement; counted without recursion. ``text`` gives a node's source.

    LibCST nests what ``ast`` keeps flat: chains of ``and`` and comparisons, and strings written side by side.
    """
    deepest = 0
    stack: list[tuple[ast.AST, int]] = [(statement, 1)]
    while stack:
        node, depth = stack.pop()
        if isinstance(node, ast.BoolOp):
            depth += len(node.values)
        elif isinstance(node, ast.Compare):
            depth += len(node.ops)
        elif isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno != node.lineno:
            depth += _side_by_side(text(node))
        deepest = max(deepest, depth)
        stack.extend((child, depth + 1) for child in ast.iter_child_nodes(node))
    return deepest


def _side_by_side(literal: str) -> int:
    """How many string literals stand side by side in the source of one; may be too many, never too few."""
    quotes = literal.count('"') + literal.count("'")
    if quotes // 2 <= _ABSURD_DEPTH:
        return quotes // 2
    import tokenize

    lines = iter(f"({literal})".splitlines(keepends=True))
    return sum(token.type == tokenize.STRING for token in tokenize.generate_tokens(lambda: next(lines, "")))


def with_large_stack(work: Callable[[], list[Finding]], depth: int) -> list[Finding]:
    """Run ``work`` in a thread whose stack and recursion limit suffice for ``depth`` levels of LibCST."""
    import threading

    result: list[list[Finding]] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:
            failure.append(error)

    limit, size = sys.getrecursionlimit(), threading.stack_size()
    sys.setrecursionlimit(max(limit, depth * 40 + 2_000))
    threading.stack_size(512 * 1024 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)
    if failure:
        raise failure[0]
    return result[0]
