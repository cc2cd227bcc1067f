"""``# noqa`` means here what it means to flake8."""

from __future__ import annotations

import argparse
import ast

import pytest
from flake8.defaults import NOQA_FILE, NOQA_INLINE_REGEXP
from flake8.processor import FileProcessor
from flake8.violation import Violation
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bglint.noqa import Directive, Noqa, joined_rows

WORDS = "noqa|# noqa|# NoQA|#noqa|# flake8|#|:|=| |  |,|;|\t|\f|\n|\u00a0|BGL101|BGL2|bgl1|E5|BGL|B101BGL1|1"
words = st.sampled_from(WORDS.split("|"))
lines = st.lists(words, max_size=8).map("".join)
codes = st.sampled_from(["BGL101", "BGL201", "BGL000"])


@given(lines, codes)
@example("f()  # noqa:BGL1,BGL2 because BGL201", "BGL201")
def test_a_line_is_silenced_exactly_when_flake8_silences_it(line: str, code: str) -> None:
    flake8_says = Violation(code, "a.py", 1, 1, "", line).is_inline_ignored(disable_noqa=False)
    assert Noqa([line]).silences(code, [1]) == flake8_says


@given(lines)
def test_a_directive_is_where_flake8_sees_it(line: str) -> None:
    match = NOQA_INLINE_REGEXP.search(line)
    found = list(Noqa([line]).directives())
    assert len(found) == (match is not None)
    if match is not None:
        seen = line[found[0].column - 1 : found[0].end_column - 1]
        assert match[0].startswith(seen)
        assert not match[0][len(seen) :].strip(" ,\t\f\n\u00a0")


@given(st.lists(lines, max_size=3), codes)
def test_a_file_is_silenced_only_by_lines_that_flake8_takes_for_file_comments(texts: list[str], code: str) -> None:
    if Noqa(texts).file_silences(code):
        assert any(NOQA_FILE.match(line) for line in texts)


@pytest.mark.parametrize(
    ("comment", "silenced"),
    [
        ("# noqa", True),
        ("# NOQA", True),
        ("# noqa: BGL101", True),
        ("# noqa:BGL101", True),
        ("# noqa: E501,BGL101", True),
        ("# noqa: E501 BGL101", True),
        ("# noqa: BGL1", True),
        ("# noqa: BGL101 it is retried elsewhere", True),
        ("# pragma: no cover # noqa: BGL101", True),
        ("# noqa : BGL201", True),
        ("# noqa: BGL", True),
        ("# noqa: BGL2", False),
        ("# noqa: bgl101", False),
        ("# noqa: E501 # noqa: BGL101", False),
        ("#noqa", False),
        ("# no qa", False),
        ("# flake8: noqa", False),
    ],
)
def test_what_a_comment_silences_on_its_line(comment: str, silenced: bool) -> None:
    assert Noqa([f"add_task(send)  {comment}\n"]).silences("BGL101", [1]) is silenced


def test_any_of_the_findings_rows_counts_and_no_other() -> None:
    noqa = Noqa(["call(\n", "    a,\n", ")  # noqa: BGL101\n"])
    assert noqa.silences("BGL101", [1, 3])
    assert not noqa.silences("BGL101", [1, 2])
    assert not noqa.silences("BGL101", [])


def test_rows_outside_the_file_silence_nothing() -> None:
    assert not Noqa(["x  # noqa\n"]).silences("BGL101", [0, 2, -1])


@pytest.mark.parametrize(
    ("line", "silenced", "spared"),
    [
        ("# flake8: noqa", {"BGL101", "BGL201"}, set()),
        ("    # FLAKE8=NOQA", {"BGL101", "BGL201"}, set()),
        ("# flake8: noqa: BGL101", {"BGL101"}, {"BGL201"}),
        ("# flake8: noqa: BGL2,E501", {"BGL201", "BGL202"}, {"BGL101"}),
        ("x = 1  # flake8: noqa", set(), {"BGL101"}),
        ("# noqa", set(), {"BGL101"}),
    ],
)
def test_what_a_line_silences_in_the_whole_file(line: str, silenced: set[str], spared: set[str]) -> None:
    noqa = Noqa(["import os\n", line + "\n"])
    assert {code for code in silenced | spared if noqa.file_silences(code)} == silenced


def test_directives_name_their_place_and_codes() -> None:
    noqa = Noqa(["a = 1  # noqa: BGL101, E5  # why\n", "b = 2\n", "c = 3 # NOQA\n"])
    assert list(noqa.directives()) == [
        Directive(1, 8, 26, ("BGL101", "E5")),
        Directive(3, 7, 13, ()),
    ]


STATEMENTS = [
    "x = 1\n",
    "f(\n    1,\n)\n",
    "x = 1 + \\\n    2\n",
    "x = 1 + \\\n    2 + \\\n    3\n",
    "x = '''a\n# b\n'''\n",
    "f(\"\"\"\n\"\"\", 1,\n  '''\\\n''')\n",
    "x = 'it\\'s # no \"\"\" comment'\n",
    'x = "a\\\nb"\n',
    "# it's \\\n",
    "def f():\n    pass\n",
    "\n",
    "x = r'\\'; y = '#'\n",
    "x = (1,  # '\n     2)\n",
    "x = b''; y = \"\"; z = ''''''\n",
    'x = """\\""""\'\n"""; y = 2\n',
]
OPTIONS = argparse.Namespace(hang_closing=False, indent_size=4, max_line_length=79, max_doc_length=None, verbose=0)
COMMENTS = ["", "  # noqa", "  # noqa: BGL101", "  # noqa: E5", "  # why", "  # noqa: BGL1, E5 why"]
programs = st.lists(st.tuples(st.sampled_from(STATEMENTS), st.lists(st.sampled_from(COMMENTS), max_size=3)), max_size=5)


def with_comments(statement: str, comments: list[str]) -> str:
    """Put the comments behind the statement's lines, where there are backslashes and quotes too."""
    rows = statement.splitlines()
    return "".join(f"{row}{comment}\n" for row, comment in zip(rows, [*comments, *[""] * len(rows)], strict=False))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")  # of odd escapes in made-up programs
@settings(max_examples=300, deadline=None)
@given(programs, st.sampled_from(["\n", "\r\n"]))
def test_a_row_is_silenced_by_the_rows_that_flake8_joins_to_it(
    parts: list[tuple[str, list[str]]], newline: str
) -> None:
    text = "".join(with_comments(*part) for part in parts)
    try:
        ast.parse(text)
    except SyntaxError:
        return
    lines = [line + newline for line in text.split("\n")[:-1]]
    processor = FileProcessor("a.py", OPTIONS, lines=list(lines))
    noqa = Noqa(lines)
    for row in range(1, len(lines) + 1):
        violation = Violation("BGL101", "a.py", row, 1, "", processor.noqa_line_for(row))
        assert noqa.silences("BGL101", [row]) == violation.is_inline_ignored(disable_noqa=False), row


def test_rows_are_joined_by_strings_and_backslashes() -> None:
    lines = ["f(1)\n", 'f("""\n', "# a\n", '""", b, \\\n', "  c,\n", ")\n"]
    assert joined_rows(lines) == dict.fromkeys(range(2, 6), (2, 5))
    assert [Noqa(lines).last_row(row) for row in range(1, 7)] == [1, 5, 5, 5, 5, 6]
