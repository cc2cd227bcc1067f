"""The forms that the spec's programs are run in: each is the program it claims to be, or refused."""

from __future__ import annotations

import fixtures_variants as variants
import pytest


def test_async_code_becomes_the_same_code_without_it() -> None:
    text = (
        "async def f(x):\n    async with x as y, x:\n"
        "        async for z in await (await y):\n            return [i async for i in z]\n"
    )
    assert variants.without_async(text) == (
        "def f(x):\n    with x as y, x:\n        for z in y:\n            return [i for i in z]\n"
    )


def test_tabs_replace_indentation_only() -> None:
    assert variants.tabs("if a:\n    f(1,\n      2)\n    g('    ')\n") == "if a:\n\tf(1,\n\t  2)\n\tg('    ')\n"


@pytest.mark.parametrize("transform", [variants.tabs, lambda text: variants.moved_right(text, range(1, 9), 1)])
def test_a_string_over_several_lines_is_never_reindented(transform: object) -> None:
    assert callable(transform)
    assert transform("a = '''\n    b\n'''\n") is None


def test_rows_move_to_the_right() -> None:
    assert variants.moved_right("a\nb\n\nc\n", range(2, 4), 2) == "a\n        b\n\nc\n"


def test_noqa_is_appended_where_a_comment_can_stand() -> None:
    assert variants.with_noqa("f(\n    1)\n", 1, "BGL201") == "f(  # noqa: BGL201\n    1)\n"


@pytest.mark.parametrize("text", ["a = '''\n'''\n", "a = \\\n    1\n", "a = 1  # noqa: E501\n"])
def test_noqa_is_not_appended_elsewhere(text: str) -> None:
    assert variants.with_noqa(text, 1, "BGL201") is None


def test_a_statement_comes_before_a_simple_statement_on_its_line() -> None:
    before = variants.NON_ASCII_STATEMENT
    assert variants.with_statement_before("if a:\n    f()\n", 2) == f"if a:\n    {before}f()\n"


@pytest.mark.parametrize(("text", "row"), [("if a:\n    f()\n", 1), ("f(\n    1)\n", 2), ("f(\n", 1)])
def test_a_statement_comes_nowhere_else(text: str, row: int) -> None:
    assert variants.with_statement_before(text, row) is None


def test_a_stray_await_is_no_program() -> None:
    assert variants.parse("def f():\n    await g()\n") is None
