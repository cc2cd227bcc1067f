"""Where a value was made: through names, containers, attributes and functions, or not known."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bglint.index.linking import calls_on
from bglint.index.origins import origins
from bglint.index.project import Project


def made(code: str) -> list[str] | None:
    """How the calls are written that made the argument of ``ask(...)``; None where that is not known."""
    project = Project([Path("/nowhere")], lambda path: "")
    module = project.add(Path("/nowhere/example.py"), code)
    calls = list(calls_on(module, range(1, 10**6)))
    call, scope = next((c, s) for c, s in calls if isinstance(c.func, ast.Name) and c.func.id == "ask")
    found = origins(project, call.args[0], scope)
    return None if found is None else sorted(ast.unparse(origin.call) for origin in found)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ask(T(1))", ["T(1)"]),
        ("t = T(1)\nask(t)", ["T(1)"]),
        ("t = None\nt = T(1) if x else T(2)\nask(t)", ["T(1)", "T(2)"]),
        ("for t in [T(1), T(2)]: ask(t)", ["T(1)", "T(2)"]),
        ("ts = [T(x) for x in y]\nfor i, t in enumerate(ts): ask(t)", ["T(x)"]),
        ("ts = []\nts.append(T(1))\nts.append(T(2))\nfor t in ts: ask(t)", ["T(1)", "T(2)"]),
        ("d = {}\nd['a'] = T(1)\nfor k, t in d.items(): ask(t)", ["T(1)"]),
        ("d = {k: T(k) for k in y}\nfor t in d.values(): ask(t)", ["T(k)"]),
        ("d = {T(k): k for k in y}\nfor t in as_completed(d): ask(t)", ["T(k)"]),
        ("done, rest = wait([T(1)])\nfor t in done: ask(t)", ["T(1)"]),
        ("[ask(t) for t in [T(1)]]", ["T(1)"]),
        ("def make():\n    return T(1)\nask(make())", ["T(1)"]),
        ("a, b = T(1), T(2)\nask(b)", ["T(2)"]),
        ("class A:\n    def __init__(self):\n        self.t = T(1)\n    def f(self):\n        ask(self.t)", ["T(1)"]),
        ("if t := T(1): ask(t)", ["T(1)"]),
    ],
)
def test_it_is_found(code: str, expected: list[str]) -> None:
    assert made(code) == expected


@pytest.mark.parametrize(
    "code",
    [
        "ask(t)",
        "def f(t): ask(t)",
        "def f(ts):\n    for t in ts: ask(t)",
        "t = T(1)\nt = x\nask(t)",
        "ts = [T(1), x]\nfor t in ts: ask(t)",
        "t = t\nask(t)",
    ],
)
def test_one_unknown_way_makes_it_unknown(code: str) -> None:
    assert made(code) is None


@given(st.integers(1, 30))
def test_long_chains_of_names_end(length: int) -> None:
    names = "\n".join(f"t{n + 1} = t{n}" for n in range(length))
    assert made(f"t0 = T(1)\n{names}\nask(t{length})") in (["T(1)"], None)
