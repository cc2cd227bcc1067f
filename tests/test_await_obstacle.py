"""Where an ``await`` may stand: exactly where the compiler takes one, less the places where it would do harm."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bglint.index.context import await_obstacle
from bglint.index.facts import Module
from bglint.index.outline import Outline

LEGAL = [
    "async def f():\n    call()",
    "async def f():\n    return [call() for x in y]",
    "async def f():\n    return {call(): 1 for x in call() if call()}",
    "async def f():\n    return (x for x in call())",
    "async def f():\n    yield f'{call()}'",
    "async def f():\n    try:\n        pass\n    finally:\n        call()",
    "def g():\n    async def f():\n        call()",
    "class C:\n    async def f(self):\n        call()",
]
ILLEGAL = [
    ("call()", "no function"),
    ("def f():\n    call()", "not async"),
    ("async def f():\n    def g():\n        call()", "not async"),
    ("async def f():\n    return lambda: call()", "lambda"),
    ("async def f():\n    class C:\n        x = call()", "class body"),
    ("async def f(x=call()):\n    pass", "default"),
    ("@call()\nasync def f():\n    pass", "decorator"),
    ("async def f():\n    return (call() for x in y)", "generator expression"),
    ("async def f():\n    return (x for x in y for z in call())", "generator expression"),
]


def obstacle(text: str, target: tuple[int, int] = (3, 11)) -> str | None:
    module = Module("m", Path("m.py"), Outline(text))
    node = next(n for n in ast.walk(module.tree) if isinstance(n, ast.Call) and ast.unparse(n) == "call()")
    return await_obstacle(module, node, target)


@pytest.mark.parametrize("text", LEGAL)
def test_an_await_may_stand_where_it_compiles(text: str) -> None:
    assert obstacle(text) is None
    compile(text.replace("call()", "(await call())"), "m.py", "exec")


@pytest.mark.parametrize(("text", "reason"), ILLEGAL)
def test_elsewhere_the_reason_is_given(text: str, reason: str) -> None:
    assert reason in (obstacle(text) or "")


def test_nested_comprehensions_need_python_3_11() -> None:
    text = "async def f():\n    return [[call() for x in y] for y in z]"
    assert obstacle(text, (3, 11)) is None
    assert "Python 3.11" in (obstacle(text, (3, 10)) or "")
