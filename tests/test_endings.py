"""What is proven to return: no endless loop, no wait without a timeout, in a function and all that it calls."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bglint.index.endings import waits
from bglint.index.project import Project

HELPERS = """\

def helper():
    deeper()

def deeper():
    jobs.get()
"""
HEADER = """\
import asyncio, itertools, queue, requests, subprocess, threading
jobs = queue.Queue()
stop = threading.Event()
"""


def ends(code: str, name: str = "work") -> bool:
    project = Project([Path("/nowhere")], lambda path: "")
    project.add(Path("/nowhere/example.py"), HEADER + code)
    function = project.function(f"example.{name}")
    assert function is not None
    return project.endings.ends(function)


@pytest.mark.parametrize(
    "body",
    [
        "print(1)",
        "for x in range(3): print(x)",
        "while True:\n        break",
        "while True:\n        return",
        "while True:\n        for x in []: print(x)\n        raise ValueError",
        "while x < 3:\n        x += 1",
        "while self.items:\n        self.items.pop()",
        "jobs.get(timeout=1)",
        "jobs.get(False)",
        "jobs.get_nowait()",
        "stop.wait(5)",
        "subprocess.run(['ls'], timeout=3)",
        "requests.get('http://a', timeout=3)",
        "for x in itertools.count():\n        if x: break",
        "helper()",
        "work()",
    ],
)
def test_it_returns(body: str) -> None:
    assert ends(f"def work(x=0, self=None):\n    {body}\n\ndef helper():\n    print(1)\n")


@pytest.mark.parametrize(
    "body",
    [
        "while True: print(1)",
        "while 1:\n        for x in []: break",
        "while True:\n        def inner(): return",
        "while self.running: step()",
        "while not stop.is_set(): step()",
        "for x in itertools.count(): print(x)",
        "for job in iter(jobs.get, None): job()",
        "jobs.get()",
        "stop.wait()",
        "stop.wait(None)",
        "subprocess.run(['ls'])",
        "requests.get('http://a')",
        "asyncio.run(main())",
        "x()",
        "helper()",
        "yield 1",
    ],
)
def test_it_may_go_on_for_ever(body: str) -> None:
    assert not ends(
        f"def work(x=0, self=None):\n    {body}\n\ndef helper():\n    deeper()\n\ndef deeper():\n    jobs.get()\n"
    )


def test_recursion_proves_nothing_about_what_else_is_called() -> None:
    code = "def a():\n    b()\n    jobs.get()\n\ndef b():\n    a()\n"
    assert not ends(code, "a")
    assert not ends(code, "b")


@given(st.integers(0, 3), st.booleans())
def test_a_timeout_counts_at_its_position_only(position: int, none: bool) -> None:
    arguments = ["1"] * position + ["None" if none else "1"]
    call = ast.parse(f"f({', '.join(arguments)})", mode="eval").body
    assert isinstance(call, ast.Call)
    given_one = len(arguments) > 2 and not (position == 2 and none)
    assert waits("urllib.request.urlopen", call) is not given_one
