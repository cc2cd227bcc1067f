"""The pipeline for one file: screen, index, rules, findings. No I/O but what the project reads on demand."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from bglint.index.callers import last_name, words_in
from bglint.index.context import statement_of, statements_within
from bglint.model import Finding, Fix
from bglint.pieces import Piece, Unit, parse_piece, units, walk
from bglint.rules import all_rules
from bglint.rules.base import Candidate, Refused, Rewrite, Rule
from bglint.source import Source
from bglint.syntax import check_syntax, unparsable

if TYPE_CHECKING:
    from bglint.config import Settings
    from bglint.index.facts import Module
    from bglint.index.project import Project
    from bglint.rules.context import RuleContext

# LibCST recurses about nine Python frames and a large C frame per level of nesting.
_COMFORTABLE_DEPTH = 60
_ABSURD_DEPTH = 2_000


def enabled_rules(settings: Settings) -> list[type[Rule]]:
    """The rules in force under these settings."""
    return [rule for rule in all_rules() if settings.enabled(rule.code, rule.default)]


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
    rules = matter(source, enabled_rules(settings), project)
    try:
        if not rules:
            check_syntax(source.text)
            return []
        module = project.add(source.path, source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return [unparsable(display_path, error)] if settings.enabled("BGL000", True) else []
    with project.held_still():
        return sorted(_findings(module, source, rules, project, settings, display_path), key=lambda f: f.sort_key)


def _findings(
    module: Module,
    source: Source,
    rules: Sequence[type[Rule]],
    project: Project,
    settings: Settings,
    display_path: str,
) -> list[Finding]:
    from bglint.rules.context import RuleContext

    ctx = RuleContext(module, source, project, settings, display_path)
    active = [rule(ctx) for rule in rules]
    words = {rule: rule.words(source) for rule in active}
    rows = word_rows(source, frozenset().union(*words.values()))
    found: list[Finding] = []
    for unit in units(module, rows):
        for piece, wanted in _wanted(module, unit, words, source):
            found.extend(_lint_piece(piece, wanted, ctx))
    return found


def word_rows(source: Source, words: Iterable[str]) -> list[int]:
    """The rows on which any of the words stands by itself."""
    text, row, last, rows = source.text, 1, 0, []
    for at, _ in sorted(words_in(text, words)):
        # Counting line ends between matches is cheaper than a table of them; \r alone is rare and counted apart.
        between = text[last:at]
        row += between.count("\n") + (between.count("\r") - between.count("\r\n") if "\r" in between else 0)
        last = at
        rows.append(row)
    return rows


def _wanted(
    module: Module, unit: Unit, words: dict[Rule, frozenset[str]], source: Source
) -> Iterator[tuple[Piece, list[Rule]]]:
    """The pieces of a unit that rules find worth LibCST's time, each with these rules, in source order."""
    text = "".join(source.lines[unit.first - 1 : unit.last])
    open_rules = {
        rule: interesting
        for rule, interesting in words.items()
        if not rule.piece_needs or any(word in text for word in rule.piece_needs)
    }
    if not open_rules:
        return
    hits: dict[ast.stmt, list[Rule]] = {}
    whole: set[ast.stmt] = set()
    for call, scope in module.link_statement(unit.statement, unit.scope):
        name = last_name(call.func)
        for rule, interesting in open_rules.items():
            if name in interesting:
                statement = statement_of(module, call)
                if rule not in hits.get(statement, ()) and rule.matches(call, scope):
                    hits.setdefault(statement, []).append(rule)
    kinds = {rule: rule.statements for rule in open_rules if rule.statements}
    for node in statements_within(unit.statement) if kinds else ():
        for rule, wanted in kinds.items():
            if isinstance(node, wanted) and rule.matches_statement(node, module.scope_of(node)):
                whole.add(node)
                if rule not in hits.setdefault(node, []):
                    hits[node].append(rule)
    for statement in sorted(hits, key=lambda node: (node.lineno, node.col_offset)):
        yield Piece(statement, statement in whole), hits[statement]


def _lint_piece(piece: Piece, rules: Sequence[Rule], ctx: RuleContext) -> list[Finding]:
    """The findings in one piece; a piece that LibCST cannot take is a BGL000, the rest of the file is linted."""
    from importlib.metadata import version

    import libcst as cst

    depth = nesting(piece.statement, ctx.text)
    try:
        if depth > _ABSURD_DEPTH:
            raise RecursionError
        if depth > _COMFORTABLE_DEPTH:
            return with_large_stack(lambda: _visit(piece, rules, ctx), depth)
        return _visit(piece, rules, ctx)
    except cst.ParserSyntaxError as error:
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
