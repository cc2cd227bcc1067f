"""Moving a call to a thread: the same program but for the await, whatever the call looks like."""

from __future__ import annotations

import ast
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bglint import api
from bglint.config import Options

OPTIONS = Options(isolated=True, select=("BGL401",), target_version="py311")
GAPS = st.sampled_from(["", " ", "\n        ", "  # why\n        ", "\n        # why\n        "])
ARGUMENTS = st.lists(
    st.sampled_from(["url", "'x'", "*urls", "timeout=5", "**options", "[u for u in urls]", "(yield)"]), max_size=4
)
PLACES = st.sampled_from(
    [
        "{}",
        "x = {}",
        "x = {}.json()",
        "x = {}['a'].b",
        "x = -{} ** 2, not {}",
        "x = [{} for u in urls]",
        "x = {{u: {} for u in {}}}",
        "x = f(a, *{}, k={})",
        "if (x := {}) and {}: pass",
        "x = {} if {} else {}",
        "async with manager({}): pass",
        "raise Error({}) from None",
        "del x[{}]",
        "assert {}, {}",
    ]
)
CALLEES = st.sampled_from(["requests.get", "(requests.get)", "requests . get", "(requests\n    .get)", "get"])
HEADER = """\
import asyncio
import requests
from requests import get

async def f(url, urls, options, a, x, manager):
    get(url)
"""


class _AwaitInThread(ast.NodeTransformer):
    """What the fix promises, on the tree."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if ast.unparse(node.func) not in ("requests.get", "get"):
            return node
        to_thread = ast.Attribute(ast.Name("asyncio", ast.Load()), "to_thread", ast.Load())
        return ast.Await(ast.Call(to_thread, [node.func, *node.args], node.keywords))


def ordered(arguments: list[str]) -> list[str]:
    """The arguments as Python wants them: by position, by keyword (each once), ``**`` last."""
    by_position = [a for a in arguments if "=" not in a and not a.startswith("**")]
    return by_position + sorted({a for a in arguments if "=" in a}) + [a for a in arguments if a.startswith("**")]


@settings(max_examples=80, deadline=None)
@given(callee=CALLEES, arguments=ARGUMENTS, gap=GAPS, end=GAPS, place=PLACES, newline=st.sampled_from(["\n", "\r\n"]))
def test_the_fixed_program_awaits_the_same_call_in_a_thread(
    callee: str, arguments: list[str], gap: str, end: str, place: str, newline: str
) -> None:
    call = f"{callee}({gap}{', '.join(ordered(arguments))}{end})"
    text = (HEADER + "    " + place.format(*[call] * 5) + "\n").replace("\n", newline)
    result = api.fix_source(text, Path("example.py"), options=OPTIONS, unsafe=True)
    assert result.failure is None
    if result.remaining:
        assert {finding.fix_refused for finding in result.remaining} == {"a comment would be lost"}
        return
    expected = ast.fix_missing_locations(_AwaitInThread().visit(ast.parse(text)))
    assert ast.dump(ast.parse(result.text)) == ast.dump(expected)
    assert result.text.count("# why") == text.count("# why")
    assert "\n" not in result.text.replace(newline, "")
