"""Fixes land together or not at all; what they do not name stays byte for byte; nothing is written that is odd."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bglint import __version__
from bglint.fix.apply import ImpossibleFixError, apply_fixes, fix_text
from bglint.model import Applicability, Edit, Finding, Fix, Level, Location, Span
from bglint.source import decode


def edit(text: str, start: int, end: int, content: str) -> Edit:
    source = decode(text.encode(), "app.py")
    return Edit(Span(source.location(start), source.location(end)), content)


def fix(*edits: Edit) -> Fix:
    return Fix(Applicability.SAFE, "repair", edits)


def applied(text: str, *fixes: Sequence[tuple[int, int, str]]) -> tuple[str, list[bool]]:
    return apply_fixes(text, [fix(*(edit(text, *each) for each in edits)) for edits in fixes])


# -- one pass -----------------------------------------------------------------------------------------------------


def test_fixes_apart_from_each_other_are_applied_together_in_any_order() -> None:
    assert applied("abcdef", [(4, 5, "E")], [(0, 2, "")], [(3, 3, "-")]) == ("c-dEf", [True, True, True])


def test_an_edit_that_fixes_share_is_applied_once() -> None:
    shared = (0, 0, "import asyncio\n\n")
    assert applied("a b", [shared, (0, 1, "A")], [shared, (2, 3, "B")]) == ("import asyncio\n\nA B", [True, True])


def test_a_fix_that_overlaps_an_accepted_one_is_left_out_with_all_its_edits() -> None:
    text, done = applied("abcdef", [(1, 3, "X")], [(0, 0, "import x\n"), (2, 4, "Y")], [(4, 5, "Z")])
    assert (text, done) == ("aXdZf", [True, False, True])


@pytest.mark.parametrize("insertion", [1, 2, 3])
def test_an_insertion_in_or_at_replaced_text_waits(insertion: int) -> None:
    assert applied("abcd", [(1, 3, "X")], [(insertion, insertion, "(")])[1] == [True, False]
    assert applied("abcd", [(insertion, insertion, "(")], [(1, 3, "X")])[1] == [True, False]


def test_replacements_that_only_touch_are_both_applied() -> None:
    assert applied("abcd", [(2, 3, "C")], [(1, 2, "B")]) == ("aBCd", [True, True])


def test_single_lines_inserted_at_one_point_stay_in_order_of_appearance() -> None:
    assert applied("x", [(0, 0, "b\n")], [(0, 0, "a\n")], [(0, 0, "b\n")]) == ("b\na\nx", [True, True, True])


def test_an_inserted_section_waits_until_it_sees_the_other_one() -> None:
    one, other = (0, 0, "import asyncio\n\n"), (0, 0, "import logging\n\n")
    assert applied("x", [one], [other], [one]) == ("import asyncio\n\nx", [True, False, True])


def test_insertions_of_one_fix_at_one_point_keep_their_order() -> None:
    assert applied("x", [(0, 0, "import a\n"), (0, 0, "def f(): a\n")])[0] == "import a\ndef f(): a\nx"
    assert applied("x", [(0, 0, "a\n"), (0, 0, "b\n")], [(0, 0, "b\n"), (0, 0, "a\n")])[1] == [True, False]


def test_a_fix_may_insert_right_before_what_it_replaces() -> None:
    assert applied("abc", [(1, 2, "B"), (1, 1, "("), (2, 2, ")")]) == ("a(B)c", [True])


def test_a_fix_without_edits_is_not_applied() -> None:
    assert applied("abc", []) == ("abc", [False])


def test_rows_end_where_python_ends_them() -> None:
    text = "a = '\x0c\u2028'\r\nb\rc\n"
    there = Location(3, 1)
    assert apply_fixes(text, [fix(Edit(Span(there, there), "x;"))])[0] == "a = '\x0c\u2028'\r\nb\rx;c\n"


@pytest.mark.parametrize(
    "edits",
    [
        (Edit(Span(Location(3, 1), Location(3, 1)), "x"),),
        (Edit(Span(Location(1, 1), Location(1, 9)), "x"),),
        (Edit(Span(Location(1, 2), Location(1, 1)), "x"),),
        (Edit(Span(Location(1, 1), Location(1, 3)), "x"), Edit(Span(Location(1, 2), Location(1, 4)), "y")),
    ],
)
def test_impossible_edits_are_refused_and_name_the_fix(edits: tuple[Edit, ...]) -> None:
    with pytest.raises(ImpossibleFixError) as caught:
        apply_fixes("abc\n", [fix(), fix(*edits)])
    assert caught.value.index == 1


@st.composite
def texts_with_fixes(draw: st.DrawFn) -> tuple[str, list[Fix]]:
    text = draw(st.text(st.sampled_from("ab\n\r\x0cé日"), max_size=20)).replace("\r\n", "")
    spots = st.integers(0, len(text))
    spans = st.tuples(spots, spots, st.sampled_from(["", "X", "Y\n", "Z\n\n"]))
    edits = st.lists(spans.map(lambda s: edit(text, min(s[:2]), max(s[:2]), s[2])), min_size=1, max_size=3)
    return text, draw(st.lists(edits.map(lambda e: fix(*e)), max_size=6))


@given(texts_with_fixes())
def test_the_result_is_the_accepted_fixes_and_nothing_else(drawn: tuple[str, list[Fix]]) -> None:
    text, fixes = drawn
    source = decode(text.encode(), "app.py")
    try:
        result, done = apply_fixes(text, fixes)
    except ImpossibleFixError as error:
        with pytest.raises(ImpossibleFixError):
            apply_fixes(text, [fixes[error.index]])
        return
    assert not fixes or done[0]  # each pass gets somewhere
    accepted = {e for one, is_done in zip(fixes, done, strict=True) if is_done for e in one.edits}
    replaced = [(source.offset(e.span.start), source.offset(e.span.end)) for e in accepted]
    kept = [c for i, c in enumerate(text) if not any(start <= i < end for start, end in replaced)]
    assert Counter(result) == Counter(kept) + sum((Counter(e.content) for e in accepted), Counter[str]())
    assert is_subsequence(kept, result)


def is_subsequence(few: Sequence[str], many: Sequence[str]) -> bool:
    rest = iter(many)
    return all(each in rest for each in few)


# -- until stable -------------------------------------------------------------------------------------------------


def finding(code: str, span: Span, repair: Fix | None) -> Finding:
    return Finding(code, "a-rule", Level.ERROR, "message", "app.py", span, fix=repair)


def linter(**rules: str | None) -> Callable[[str], list[Finding]]:
    """Lint for words: each word is a code, reported wherever it stands, and its fix writes the other word."""

    def lint(text: str) -> list[Finding]:
        source = decode(text.encode(), "app.py")
        findings = []
        for word, better in rules.items():
            for match in re.finditer(rf"\b{word}\b", text):
                span = Span(source.location(match.start()), source.location(match.end()))
                findings.append(finding(word, span, None if better is None else fix(Edit(span, better))))
        return findings

    return lint


def all_of_them(_: Finding) -> bool:
    return True


def test_fixes_are_applied_until_there_is_nothing_left() -> None:
    result = fix_text("BGL1; BGL3; BGL1\n", linter(BGL1="BGL2", BGL2="ok", BGL3=None), all_of_them)
    assert result.text == "ok; BGL3; ok\n"
    assert result.applied == {"BGL1": 2, "BGL2": 2}
    assert [left.code for left in result.remaining] == ["BGL3"]
    assert result.failure is None


def test_only_wanted_fixes_are_applied() -> None:
    result = fix_text("BGL1; BGL2\n", linter(BGL1="a", BGL2="b"), lambda found: found.code == "BGL2")
    assert (result.text, result.applied) == ("BGL1; b\n", {"BGL2": 1})


def test_overlapping_fixes_are_applied_in_turn() -> None:
    def lint(text: str) -> list[Finding]:
        calls = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and ast.unparse(n.func) == "f"]
        spans = [
            Span(Location(n.lineno, n.col_offset + 1), Location(n.lineno, (n.end_col_offset or 0) + 1)) for n in calls
        ]
        inner = [ast.unparse(n.args[0]) if n.args else "" for n in calls]
        return [finding("BGL1", s, fix(Edit(s, f"g({i})"))) for s, i in zip(spans, inner, strict=True)]

    assert fix_text("f(f(f()))\n", lint, all_of_them).text == "g(g(g()))\n"


def assert_refused(text: str, lint: Callable[[str], list[Finding]], codes: tuple[str, ...], words: str) -> None:
    result = fix_text(text, lint, all_of_them)
    assert result.text == text
    assert result.applied == {}
    assert list(result.remaining) == lint(text)
    assert result.failure is not None
    assert result.failure.codes == codes
    assert re.search(words, str(result.failure))
    for part in ("app.py", "bug in bglint", "report", __version__, *codes):
        assert part in str(result.failure)


def test_fixes_that_undo_each_other_end_as_a_failure() -> None:
    assert_refused("BGL1\n", linter(BGL1="BGL2", BGL2="BGL1"), ("BGL1",), "does not converge")


def test_a_fix_that_changes_nothing_ends_as_a_failure() -> None:
    assert_refused("BGL1\n", linter(BGL1="BGL1"), ("BGL1",), "does not converge")


def test_a_pass_count_that_just_suffices_is_no_failure() -> None:
    chain = {f"w{number}": f"w{number + 1}" for number in range(10)}
    assert fix_text("w0\n", linter(**chain), all_of_them, max_passes=10).text == "w10\n"
    assert fix_text("w0\n", linter(**chain), all_of_them, max_passes=9).failure is not None


@pytest.mark.parametrize("broken", ["(", "await x", "return", "x\0"])
def test_a_file_that_would_not_compile_is_left_alone(broken: str) -> None:
    assert_refused("BGL1; BGL3\n", linter(BGL1=broken, BGL3=None), ("BGL1",), "does not compile")


def test_a_file_that_parses_but_never_compiled_can_still_be_fixed() -> None:
    assert fix_text("await BGL1\n", linter(BGL1="ok"), all_of_them).text == "await ok\n"


@pytest.mark.filterwarnings("error")
def test_warnings_of_the_compiler_are_not_ours_to_raise() -> None:
    assert fix_text("'\\d'; 1 is 1; BGL1\n", linter(BGL1="ok"), all_of_them).failure is None


def test_a_new_finding_of_another_rule_is_a_failure() -> None:
    assert_refused("BGL1; BGL2\n", linter(BGL1="BGL2", BGL2=None), ("BGL1",), "makes BGL2")


def test_a_finding_that_a_repair_brings_to_light_is_none() -> None:
    def reveals(code: str) -> frozenset[str]:
        return frozenset({"BGL2"} if code == "BGL1" else ())

    result = fix_text("BGL1\n", linter(BGL1="BGL2", BGL2=None), all_of_them, reveals=reveals)
    assert (result.text, result.failure) == ("BGL2\n", None)
    other = fix_text("BGL3\n", linter(BGL3="BGL2", BGL2=None), all_of_them, reveals=reveals)
    assert other.failure is not None


def test_a_finding_that_survives_its_fix_is_a_failure() -> None:
    def lint(text: str) -> list[Finding]:
        repair = Edit(Span(Location(1, 1), Location(1, 2)), "y")
        return [finding("BGL1", repair.span, fix(repair) if text == "x\n" else None)]

    assert_refused("x\n", lint, ("BGL1",), "leaves")


def test_a_fix_outside_the_text_blames_its_own_rule() -> None:
    far = Span(Location(9, 1), Location(9, 1))

    def lint(text: str) -> list[Finding]:
        return [*linter(BGL1="ok")(text), finding("BGL2", far, fix(Edit(far, "x")))]

    assert_refused("BGL1\n", lint, ("BGL2",), "impossible edits")


def test_a_fix_without_edits_is_a_failure() -> None:
    here = Span(Location(1, 1), Location(1, 2))
    assert_refused("x\n", lambda _: [finding("BGL1", here, fix())], ("BGL1",), "changes nothing")


def test_one_fix_may_solve_several_findings() -> None:
    def lint(text: str) -> list[Finding]:
        return linter(BGL1="ok")(text) + (
            [finding("BGL2", Span(Location(1, 1), Location(1, 1)), None)] * ("BGL1" in text)
        )

    result = fix_text("BGL1\n", lint, all_of_them)
    assert (result.text, result.failure, list(result.remaining)) == ("ok\n", None, [])
