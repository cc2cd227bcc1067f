"""Random programs: the linter never crashes on one, and no fix ever breaks one or leaves its place."""

from __future__ import annotations

import ast
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeGuard

import fixtures_variants as variants
import hypothesmith
import pytest
from hypothesis import HealthCheck, assume, example, given, note, settings
from hypothesis import strategies as st
from risky_programs import CONTEXTS, EXPRESSIONS, FLAVOURS, SNIPPETS, Recipe, cook, wrap_body, wrap_expression

from bglint import api
from bglint.config import Options
from bglint.model import Applicability, Edit, Finding, Location
from bglint.rules import all_rules

EVERY_RULE = Options(select=("BGL",), isolated=True, target_version="py311")
# What a rule's repair may bring to light: a task that runs at last can fail.
REVEALS = {rule.code: rule.reveals for rule in all_rules()}
EXAMPLE = Path("example.py")
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"

thorough = settings(
    max_examples=5000 if NIGHTLY else 50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")


# What must hold for any program.


def check(text: str) -> None:
    """Lint and fix ``text``; every promise about fixes holds."""
    findings = api.lint_source(text, EXAMPLE, options=EVERY_RULE)
    if variants.parse(text) is None:
        return  # It must not crash the linter; nothing is promised about its fixes.
    for finding in findings:
        for edit in finding.fix.edits if finding.fix else ():
            note(f"{finding.code} {edit}")
            assert stays_in_place(text, finding, edit)
    left = check_fixed(text, findings, unsafe=False)
    if any(finding.fix for finding in left):  # else the unsafe fixes are none
        check_fixed(text, findings, unsafe=True)


def check_fixed(text: str, findings: Sequence[Finding], unsafe: bool) -> Sequence[Finding]:
    """The fixed text compiles and is stable, and what was fixed is no longer found; returns what is left."""
    result = api.fix_source(text, EXAMPLE, options=EVERY_RULE, unsafe=unsafe)
    note(result.text)
    assert result.failure is None
    assert variants.parse(result.text) is not None
    again = api.fix_source(result.text, EXAMPLE, options=EVERY_RULE, unsafe=unsafe)
    assert (again.text, sum(again.applied.values())) == (result.text, 0)
    left = again.remaining
    assert [finding for finding in left if applies(finding, unsafe)] == []
    refused = [finding for finding in findings if not applies(finding, unsafe)]
    revealed = frozenset().union(*(REVEALS[code] for code in result.applied))
    assert codes(finding for finding in left if finding.code not in revealed) <= codes(refused)
    assert (result.text == text) == (len(refused) == len(findings))
    return left


def applies(finding: Finding, unsafe: bool) -> bool:
    return finding.fix is not None and (unsafe or finding.fix.applicability is Applicability.SAFE)


def codes(findings: Iterable[Finding]) -> Counter[str]:
    return Counter(finding.code for finding in findings)


def stays_in_place(text: str, finding: Finding, edit: Edit) -> bool:
    """Whether an edit lies inside the reported statement, or inserts an import or helper between module statements."""
    at, end = edit.span.start, edit.span.end
    module_statements = (extent(node, text) for node in ast.parse(text).body)
    row = finding.span.start.row
    if finding.code == "BGL001":  # a comment belongs to no statement
        return at.row == row and end <= Location(row + 1, 1)
    if at == end and not any(first < at < last for first, last in module_statements):
        return True
    return any(first <= at and end <= last for first, last in reported_statements(text, finding))


def reported_statements(text: str, finding: Finding) -> Iterator[tuple[Location, Location]]:
    """The innermost statement around the report and the one whose noqa counts, each with its whole lines."""
    at = finding.span.start
    extents = [extent(node, text) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]
    around = [(start, end) for start, end in extents if start <= at < end]
    named = [(start, end) for start, end in around if start.row in finding.noqa_rows]
    for start, end in {*named, *([max(around)] if around else [])}:
        yield start, end
        yield Location(start.row, 1), Location(end.row + 1, 1)
    if finding.code == "BGL106":  # what was made in the body becomes a parameter
        yield from (header(node, text) for node in ast.walk(ast.parse(text)) if is_function_around(node, at.row))


def is_function_around(node: ast.AST, row: int) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno <= row <= (node.end_lineno or 0)


def header(node: ast.FunctionDef | ast.AsyncFunctionDef, text: str) -> tuple[Location, Location]:
    """From a function's name to its first statement."""
    return location(text, node.lineno, node.col_offset), extent(node.body[0], text)[0]


def extent(node: ast.stmt, text: str) -> tuple[Location, Location]:
    """Where a statement, with its decorators, starts and ends."""
    row = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
    end_row, end_column = node.end_lineno or row, node.end_col_offset or 0
    return location(text, row, node.col_offset), location(text, end_row, end_column)


def location(text: str, row: int, utf8_column: int) -> Location:
    """Python's tree counts columns in UTF-8 bytes and lines as the tokenizer does; the linter counts characters."""
    line = re.split(r"\r\n|\r|\n", text)[row - 1]
    return Location(row, len(line.encode("utf-8", "surrogatepass")[:utf8_column].decode("utf-8", "surrogatepass")) + 1)


# Any program that Python's grammar allows.


@thorough
@given(hypothesmith.from_grammar())
def test_programs_from_the_grammar(text: str) -> None:
    check(text)


@thorough
@given(hypothesmith.from_node())
def test_programs_from_syntax_nodes(text: str) -> None:
    check(text)


@thorough
@given(st.text() | st.binary())
@example("\x00")
@example("# -*- coding: nonsense -*-\n")
@example("async def f():\n\tawait gather(\n")
@example(b"\xff\xfe\x00")
def test_anything_at_all(content: str | bytes) -> None:
    findings = api.lint_source(content, EXAMPLE, options=EVERY_RULE)
    assert all(finding.path and finding.message for finding in findings)


# The risky programs of the spec, in places where nobody thought of them.

RECIPES = st.builds(
    Recipe,
    snippet=st.sampled_from(SNIPPETS),
    followers=st.lists(st.sampled_from(SNIPPETS), max_size=2),
    expressions=st.lists(st.tuples(st.sampled_from(sorted(EXPRESSIONS)), st.integers(0, 5)), max_size=2),
    contexts=st.lists(st.sampled_from(sorted(CONTEXTS)), max_size=3),
    whole=st.booleans(),
    flavours=st.frozensets(st.sampled_from(sorted(FLAVOURS)), max_size=3),
)


@pytest.mark.skipif(not SNIPPETS, reason="the spec has no risky program yet")
@thorough
@given(RECIPES)
def test_a_risky_program_in_any_context_is_fixed_right_or_not_at_all(recipe: Recipe) -> None:
    text = cook(recipe)
    assume(text is not None)
    assert text is not None
    note(text)
    check(text)


@pytest.mark.parametrize("context", sorted(CONTEXTS))
def test_every_context_is_a_program(context: str) -> None:
    text = wrap_body("async def page():\n    before()\n    risky()\n", 3, context)
    assert text is not None
    assert variants.parse(text) is not None


@pytest.mark.parametrize("form", sorted(EXPRESSIONS))
def test_every_expression_is_a_program(form: str) -> None:
    text = wrap_expression("async def page():\n    risky(1)\n", 2, form, 0)
    assert text is not None
    assert variants.parse(text) is not None


@pytest.mark.parametrize("flavour", sorted(FLAVOURS))
def test_every_flavour_is_the_same_program(flavour: str) -> None:
    before = "async def page():\n    risky(1, {2: 3})\n"
    after = FLAVOURS[flavour](before)
    assert after is not None
    assert after != before
    assert flavour == "semicolons" or variants.same_program(before, after)
