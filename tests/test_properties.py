"""Random programs: the linter never crashes on one, and no fix ever breaks one or leaves its place."""

from __future__ import annotations

import ast
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fixtures_variants as variants
import hypothesmith
import pytest
from fixtures_format import FixtureError, parse_fixture
from hypothesis import HealthCheck, assume, example, given, note, settings
from hypothesis import strategies as st

from bglint import api
from bglint.config import Options
from bglint.model import Applicability, Edit, Finding, Location

FIXTURES = Path(__file__).parent.parent / "fixtures"
EVERY_RULE = Options(select=("BGL",), isolated=True, target_version="py311")
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
    for unsafe in (False, True):
        check_fixed(text, findings, unsafe)


def check_fixed(text: str, findings: tuple[Finding, ...], unsafe: bool) -> None:
    """The fixed text compiles and is stable, and what was fixed is no longer found."""
    result = api.fix_source(text, EXAMPLE, options=EVERY_RULE, unsafe=unsafe)
    note(result.text)
    assert result.failure is None
    assert variants.parse(result.text) is not None
    again = api.fix_source(result.text, EXAMPLE, options=EVERY_RULE, unsafe=unsafe)
    assert (again.text, sum(again.applied.values())) == (result.text, 0)
    left = api.lint_source(result.text, EXAMPLE, options=EVERY_RULE)
    assert [finding for finding in left if applies(finding, unsafe)] == []
    refused = [finding for finding in findings if not applies(finding, unsafe)]
    assert codes(left) <= codes(refused)
    assert (result.text == text) == (len(refused) == len(findings))


def applies(finding: Finding, unsafe: bool) -> bool:
    return finding.fix is not None and (unsafe or finding.fix.applicability is Applicability.SAFE)


def codes(findings: tuple[Finding, ...] | list[Finding]) -> Counter[str]:
    return Counter(finding.code for finding in findings)


def stays_in_place(text: str, finding: Finding, edit: Edit) -> bool:
    """Whether an edit lies inside the reported statement, or inserts an import or helper between module statements."""
    at, end = edit.span.start, edit.span.end
    module_statements = (extent(node, text) for node in ast.parse(text).body)
    if finding.code == "BGL001":  # a comment belongs to no statement
        return at.row == end.row == finding.span.start.row
    if at == end and not any(first < at < last for first, last in module_statements):
        return True
    return any(first <= at and end <= last for first, last in reported_statement(text, finding.span.start))


def reported_statement(text: str, at: Location) -> Iterator[tuple[Location, Location]]:
    """The innermost statement around ``at``, and the whole lines that it stands on."""
    around = [
        (start, end)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt)
        for start, end in [extent(node, text)]
        if start <= at < end
    ]
    if around:
        start, end = max(around)
        yield start, end
        yield Location(start.row, 1), Location(end.row + 1, 1)


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


@dataclass(frozen=True)
class Snippet:
    """A single-file case of the spec, and the rows that it reports."""

    title: str
    text: str
    rows: tuple[int, ...]


def snippets() -> Iterator[Snippet]:
    for path in sorted(FIXTURES.glob("BGL*.md")) + sorted((FIXTURES / "proofs").glob("BGL*.md")):
        try:
            cases = parse_fixture(path.read_text("utf-8"), path.name).cases
        except FixtureError:
            continue  # test_fixtures.py reports it.
        for case in cases:
            if len(case.files) == 1 and case.reports and variants.parse(case.files[0].text):
                (file,) = case.files
                rows = tuple(sorted({expected.row for expected in file.expected}))
                yield Snippet(f"{path.stem}/{case.title}", file.text, rows)


SNIPPETS = tuple(snippets())
# Lines before and after a body, and how many levels the body moves to the right.
CONTEXTS = {
    "nested function": (["async def inner():"], ["return await inner()"]),
    "nested plain function": (["def inner():"], ["return inner()"]),
    "method": (["class Owner:", "    async def method(self, flag=None):"], []),
    "static method": (["class Owner:", "    @staticmethod", "    async def method():"], []),
    "async generator": (["async def numbers():", "    yield 1", "    if True:"], []),
    "if": (["if __debug__:"], []),
    "else": (["if not __debug__:", "    pass", "else:"], []),
    "for": (["for _ in range(2):"], []),
    "while": (["while True:"], ["    break"]),
    "try-except": (["try:"], ["except ValueError:", "    raise"]),
    "try-finally": (["try:"], ["finally:", "    print()"]),
    "handler": (["try:", "    print()", "except ValueError as error:"], []),
    "with": (["with open(__file__) as file:"], []),
    "match": (["match __name__:", "    case _:"], []),
    "before other code": (["if True:"], ["print('after')"]),
}
FLAVOURS = ("plain", "crlf", "tabs", "comments", "no final newline", "semicolons")


def wrap_body(text: str, row: int, context: str) -> str | None:
    """Put the body of the function around ``row`` (or the whole module) into a context."""
    tree = variants.parse(text)
    if tree is None:
        return None
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.body[0].lineno <= row
        if row <= (node.end_lineno or 0) and node.body[0].lineno > node.lineno
    ]
    body = max(functions, key=lambda node: node.lineno).body if functions else tree.body
    return wrap_rows(text, body[0].lineno, body[-1].end_lineno or 0, body[0].col_offset, context)


def wrap_module(text: str, context: str) -> str | None:
    """Put the whole module, imports included, into a context."""
    return wrap_rows(text, 1, text.count("\n"), 0, context)


def wrap_rows(text: str, first: int, last: int, column: int, context: str) -> str | None:
    lines = text.split("\n")
    before, after = CONTEXTS[context]
    depth = (len(before[-1]) - len(before[-1].lstrip(" "))) // 4 + 1
    moved = variants.moved_right(text, range(first, last + 1), depth)
    if moved is None:
        return None
    margin = " " * column
    result = [
        *lines[: first - 1],
        *(margin + line for line in before),
        *moved.split("\n")[first - 1 : last],
        *(margin + line for line in after),
        *lines[last:],
    ]
    return "\n".join(result)


def flavour(text: str, name: str) -> str | None:
    """The same program, written in another way."""
    match name:
        case "crlf":
            return variants.crlf(text)
        case "tabs":
            return variants.tabs(text)
        case "no final newline":
            return text.rstrip("\n")
        case "comments":
            for row in range(1, text.count("\n") + 1):
                text = variants.with_comment(text, row, "why: näher 名") or text
            return text
        case "semicolons":
            for row in range(1, text.count("\n") + 1):
                text = variants.with_statement_before(text, row) or text
            return text
    return text


def combined(snippet: Snippet, contexts: list[str], whole: bool, form: str) -> str | None:
    """The snippet in all contexts, the last one outermost, in one flavour."""
    text: str | None = snippet.text
    for context in contexts:
        if text is not None:
            text = wrap_module(text, context) if whole else wrap_body(text, row_in(text, snippet), context)
    return None if text is None else flavour(text, form)


def row_in(text: str, snippet: Snippet) -> int:
    """Where the snippet's first reported line went."""
    wanted = snippet.text.split("\n")[snippet.rows[0] - 1].strip()
    return next(row for row, line in enumerate(text.split("\n"), 1) if line.strip() == wanted)


@pytest.mark.skipif(not SNIPPETS, reason="the spec has no risky program yet")
@thorough
@given(
    snippet=st.sampled_from(SNIPPETS),
    contexts=st.lists(st.sampled_from(sorted(CONTEXTS)), max_size=3),
    whole=st.booleans(),
    form=st.sampled_from(FLAVOURS),
)
def test_a_risky_program_in_any_context_is_fixed_right_or_not_at_all(
    snippet: Snippet, contexts: list[str], whole: bool, form: str
) -> None:
    text = combined(snippet, contexts, whole, form)
    assume(text is not None)
    assert text is not None
    note(f"{snippet.title}: {contexts} {form}\n{text}")
    assume(variants.parse(text) is not None)
    check(text)


@pytest.mark.parametrize("context", sorted(CONTEXTS))
def test_every_context_is_a_program(context: str) -> None:
    text = wrap_body("async def page():\n    before()\n    risky()\n", 3, context)
    assert text is not None
    assert variants.parse(text) is not None
