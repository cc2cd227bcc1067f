"""A file's outline: what is parsed late is what would have been parsed at once."""

from __future__ import annotations

import ast
import gc
import sys
from pathlib import Path
from unittest.mock import patch

import hypothesmith
import pytest
from hypothesis import given, settings

from bglint.index import outline
from bglint.index.facts import Module
from bglint.index.outline import Outline

LONG = "\n".join(f"    value_{i} = compute(value_{i - 1}, {i})" for i in range(1, 9))
DEEPER = LONG.replace("    ", "        ")
p = pytest.param


def same(text: str) -> bool:
    """Whether an outline says what ``ast.parse`` does, in compact nodes and in others."""
    parsed = described(ast.parse(text))
    return all(described(Outline(text, is_compact=is_compact).tree()) == parsed for is_compact in (False, True))


def described(tree: ast.AST) -> list[tuple[object, ...]]:
    """All nodes of a tree with all that they hold."""
    return [
        (type(node).__name__, *(shown(getattr(node, name, None)) for name in (*node._fields, *node._attributes)))
        for node in ast.walk(tree)
    ]


def shown(value: object) -> object:
    """A text or a number as it is written; of nodes only how many there are: they stand for themselves."""
    return len(value) if isinstance(value, list) else "a node" if isinstance(value, ast.AST) else repr(value)


def is_left_out(text: str) -> bool:
    made = Outline(text)
    made.tree()
    return made.parsed < len(text)


@pytest.mark.parametrize(
    "text",
    [
        p(f"def f():\n{LONG}\n", id="function"),
        p(f"def f():\n{LONG}", id="no newline at the end"),
        p(f"async def f():\n{LONG}\n    await value_8\n\n\nx = 1\n", id="async"),
        p(f"class C:\n    @staticmethod\n    def f():\n{DEEPER}\n\n    x = 1\n", id="method"),
        p(f"class C:\n\tdef f(self):\n{LONG.replace('    ', chr(9) * 2)}\n", id="tabs"),
        p(f"if x:\n    def f():\n{DEEPER}\nelse:\n    f = None\n", id="under a condition"),
        p(f"def f(\n    a: int = 1,\n    b=')',  # :\n) -> dict[str, int]:\n{LONG}\n", id="long header"),
        p(f"def f(a=lambda: 1): # so\n    # and so\n\n{LONG}\n", id="comments after the header"),
        p(f"def f():\n{LONG}\n# a comment\n\n    # another\nx = 1\n", id="comments at the end"),
        p(f'def f():\n    """\nleft\n    """\n{LONG}\nx = 1\n', id="string at the left margin"),
        p(f"def f():\n{LONG}\n    s = 'ü' * 3\n", id="columns are bytes"),
        p(f"def f():\n{LONG}\n\n\ndef g():\n{LONG}\n\n\nasync def h():\n{LONG}\n", id="several"),
        p(f"def f():\n    def g():\n{DEEPER}\n    return g\n", id="inside another"),
        p(f"def f[T: (int, str)](x: T) -> T:\n{LONG}\n", id="type parameters")
        if sys.version_info >= (3, 12)
        else p(f"def f(x) -> 'T':\n{LONG}\n", id="annotation in quotes"),
    ],
)
def test_bodies_are_left_out_and_come_back_as_they_are(text: str) -> None:
    assert is_left_out(text)
    assert same(text)


@pytest.mark.parametrize(
    "text",
    [
        p("def f():\n    return 1\n", id="short"),
        p(f"def f(): return [{', '.join(f'compute({i})' for i in range(40))}]\n", id="one row"),
        p(f"def f():\n{LONG}\n    return '''\nx = 1\n'''\n\n\ndef g():\n    return '''a'''\n", id="string at the end"),
        p(f"def f():\r\n{LONG}\r\n".replace("\n", "\r\n").replace("\r\r", "\r"), id="other row ends"),
        p(f"def f():\n    x = (\n1,\n)\n{LONG}\n", id="bracket at the left margin"),
        p(f"def f():\n{LONG}\n    return 1;\n", id="semicolon at the end"),
        p(f'text = """\ndef f():\n{LONG}\n"""\n', id="inside a string"),
        p(f"def f():\n{LONG}\n    return 1 + \\\n2\nx = 1\n", id="continued at the left margin"),
    ],
)
def test_where_a_body_is_hard_to_find_all_is_parsed(text: str) -> None:
    assert not is_left_out(text)
    assert same(text)


@pytest.mark.filterwarnings("ignore")
@given(hypothesmith.from_grammar())
@settings(deadline=None)
def test_random_programs(text: str) -> None:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return
    with patch.object(outline, "_LONG", 0):
        assert same(text)


@pytest.mark.parametrize("source", sorted(Path(outline.__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_this_package(source: Path) -> None:
    assert same(source.read_text("utf-8"))


def test_what_is_wrong_inside_a_body_is_found_when_it_is_checked() -> None:
    made = Outline(f"def f():\n{LONG}\n    return (\n\n\ndef g():\n{LONG}\n".replace("return (", "return 1 1"))
    function = made.tree().body[0]
    assert isinstance(function, ast.FunctionDef)
    with pytest.raises(SyntaxError) as unread:
        made.check()
    assert [type(node) for node in function.body] == [ast.Pass]
    with pytest.raises(SyntaxError) as read:
        made.check()
    assert unread.value.lineno == read.value.lineno == 10


def test_a_body_that_nobody_looked_into_tells_which_words_cannot_be_in_it() -> None:
    made = Outline(f"def f():\n{LONG}\n    return 1\n")
    function = made.tree().body[0]
    assert made.may_hold(function, "return")
    assert not made.may_hold(function, "yield")
    function.body  # type: ignore[attr-defined]  # noqa: B018
    assert made.may_hold(function, "yield")


def test_a_module_that_was_forgotten_leaves_no_garbage() -> None:
    gc.collect()
    gc.disable()
    try:
        module = Module(
            "m", Path("m.py"), Outline(f"class C:\n    x = 1\n\n\ndef f(a=lambda: 1):\n{LONG}\n    return g()\n")
        )
        for binding in (b for bindings in module.names.bindings.values() for b in bindings):
            assert binding.scope is not None
            assert len(binding.scope.names.bindings) + len(binding.scope.calls) > 0
        module.forget()
        del module, binding
        assert not [found for found in gc.get_objects() if isinstance(found, Module) and found.name == "m"]
    finally:
        gc.enable()
