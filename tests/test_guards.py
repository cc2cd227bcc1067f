"""Guards and exposure: what the fixtures of BGL101 do not show well, above all recursion and the order of questions."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bglint.index.context import runs_after
from bglint.index.facts import Module, Scope
from bglint.index.guards import Guard
from bglint.index.linking import calls_on
from bglint.index.project import Project


def project_of(text: str, guards: Sequence[str] = ()) -> tuple[Project, Module]:
    """A project of one module ``app``."""
    project = Project([Path("/project")], _unreadable, guards=guards)
    return project, project.add(Path("/project/app.py"), text)


def _unreadable(path: Path) -> str:
    raise OSError(path)


def function(project: Project, name: str) -> Scope:
    found = project.function(f"app.{name}")
    assert found is not None
    return found


def is_guarded(project: Project, name: str) -> bool:
    return project.guards.of_function(function(project, name)).guard is Guard.GUARDED


# Recursion.

CIRCLE = """
def first(n):
    second(n)

def second(n):
    first(n)
    third(n)

def third(n):
    second(n)
    {last}
"""


@pytest.mark.parametrize("asked", ["first", "second", "third"])
def test_functions_that_call_each_other_are_guarded_if_nothing_in_them_raises(asked: str) -> None:
    project, _ = project_of(CIRCLE.format(last="print(n)"))
    assert [is_guarded(project, name) for name in (asked, "first", "second", "third")] == [True] * 4


@pytest.mark.parametrize("asked", ["first", "second", "third"])
def test_one_of_them_that_raises_exposes_them_all_whichever_is_asked_first(asked: str) -> None:
    project, _ = project_of(CIRCLE.format(last="raise ValueError(n)"))
    assert [is_guarded(project, name) for name in (asked, "first", "second", "third")] == [False] * 4


def test_a_chain_longer_than_anybody_follows_is_not_proven_and_does_not_exhaust_the_stack() -> None:
    calls = "\n".join(f"def f{n}():\n    f{n + 1}()" for n in range(500))
    project, _ = project_of(f"{calls}\ndef f500():\n    pass\n")
    assert not is_guarded(project, "f0")
    assert is_guarded(project, "f490")


def test_many_functions_that_all_call_each_other_are_judged_in_reasonable_time() -> None:
    names = [f"f{n}" for n in range(25)]
    body = "\n    ".join(f"{name}()" for name in names)
    project, _ = project_of("\n".join(f"def {name}():\n    {body}" for name in names))
    assert all(is_guarded(project, name) for name in names)


Program = dict[str, tuple[bool, tuple[str, ...], tuple[str, ...]]]
NAMES = ("a", "b", "c", "d", "e")
programs = st.fixed_dictionaries(
    {
        name: st.tuples(
            st.booleans(),
            st.lists(st.sampled_from(NAMES), max_size=3).map(tuple),
            st.lists(st.sampled_from(NAMES), max_size=2).map(tuple),
        )
        for name in NAMES
    }
)


# What was taken for granted about a function may rest on what was taken for granted about another.
CHAINED: Program = {
    "a": (False, ("b", "c"), ()),
    "b": (False, ("d",), ()),
    "c": (False, ("a",), ()),
    "d": (False, ("a", "e"), ()),
    "e": (True, (), ("b",)),
}


@example(CHAINED, ["e", "c", "b", "d", "a"])
@given(programs, st.permutations(NAMES))
def test_the_answers_are_those_of_the_definition_in_whatever_order_they_are_asked(
    program: Program, order: list[str]
) -> None:
    project, _ = project_of("".join(map(source, program.items())))
    assert {name: is_guarded(project, name) for name in order} == {name: name not in raising(program) for name in NAMES}


@given(programs, st.permutations(NAMES))
def test_the_place_reported_does_not_depend_on_what_was_asked_before(program: Program, order: list[str]) -> None:
    text = "".join(map(source, program.items()))
    project, _ = project_of(text)
    rows = {name: row_exposed(project, name) for name in order}
    assert rows == {name: row_exposed(project_of(text)[0], name) for name in NAMES}


def row_exposed(project: Project, name: str) -> int | None:
    return getattr(project.guards.exposed(function(project, name)), "lineno", None)


def source(item: tuple[str, tuple[bool, tuple[str, ...], tuple[str, ...]]]) -> str:
    """A function that calls some functions in a ``try``, others outside, and raises at the end or not."""
    name, (raises, outside, inside) = item
    guarded = "".join(f"        {called}()\n" for called in inside)
    calls = "".join(f"    {called}()\n" for called in outside)
    end = "    raise ValueError\n" if raises else "    pass\n"
    return f"def {name}():\n    try:\n{guarded}        pass\n    except Exception:\n        pass\n{calls}{end}"


def raising(program: Program) -> set[str]:
    """The least set of functions that raise, or call outside their ``try`` one that does."""
    found: set[str] = set()
    while True:
        more = {name for name, (raises, outside, _) in program.items() if raises or found.intersection(outside)}
        if more == found:
            return found
        found = more


# How it gets out.


def test_the_path_leads_from_the_callable_to_the_place_through_constructors_too() -> None:
    project, _ = project_of(
        "class Mail:\n"
        "    def __init__(self, to):\n"
        "        self.to = check(to)\n"
        "def check(to):\n"
        "    assert to\n"
        "async def task(to):\n"
        "    Mail(to)\n"
    )
    verdict = project.guards.of_function(function(project, "task"))
    steps = [(scope.qualname, getattr(node, "lineno", 0)) for scope, node in project.guards.path(verdict)]
    assert steps == [("task", 7), ("Mail.__init__", 3), ("check", 5)]


def test_the_path_of_a_recursive_function_ends() -> None:
    project, _ = project_of("def a(x):\n    b(x)\n    raise ValueError\ndef b(x):\n    a(x)\n")
    steps = project.guards.path(project.guards.of_function(function(project, "b")))
    assert [scope.name for scope, _ in steps] == ["b", "a"]


# Verdicts.


def verdict_of(text: str, expression: str, guards: Sequence[str] = ()) -> Guard:
    project, module = project_of(f"{text}\nvalue = {expression}\n", guards)
    statement = module.tree.body[-1]
    assert isinstance(statement, ast.Assign)
    return project.guards.of_expression(statement.value, module).guard


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("", "unheard_of"),
        ("import lib", "lib.work"),
        ("import lib\n@lib.wraps\ndef f(): raise ValueError", "f"),
        ("def f(): yield 1", "f"),
        ("def f(): ...", "f"),
        ("def f(): raise NotImplementedError", "f"),
        ("class C: pass", "C()"),
        ("class C: pass", "C"),
        ("@f\ndef f(): raise ValueError", "f"),
    ],
)
def test_what_cannot_be_read_is_unknown(text: str, expression: str) -> None:
    assert verdict_of(text, expression) is Guard.UNKNOWN


def test_a_decorator_that_gives_back_its_function_on_one_path_and_a_guard_on_the_other_is_a_guard() -> None:
    text = """
def logged(func=None, *, level=1):
    def decorate(f):
        def wrapper(*args):
            try:
                f(*args)
            except Exception:
                print(level)
        return wrapper
    if func is not None:
        return decorate(func)
    return decorate
@logged
def plain(): raise ValueError
@logged(level=2)
def called(): raise ValueError
"""
    assert verdict_of(text, "plain") is Guard.GUARDED
    assert verdict_of(text, "called") is Guard.GUARDED


def test_a_configured_guard_counts_under_the_name_by_which_it_is_configured() -> None:
    text = "import lib\n@lib.keep(1)\ndef f(): raise ValueError"
    assert verdict_of(text, "f", guards=["lib.keep"]) is Guard.GUARDED
    assert verdict_of(text, "f", guards=["lib.other"]) is Guard.UNKNOWN


@pytest.mark.parametrize(
    ("handlers", "guards"),
    [
        ("except Exception: pass", True),
        ("except: pass", True),
        ("except (ValueError, BaseException): pass", True),
        ("except ValueError: pass", False),
        ("except Exception: raise", False),
        ("except Exception:\n    if x: raise", False),
        ("except Exception:\n    def f(): raise ValueError", True),
        ("except ValueError: raise\nexcept Exception: pass", False),
        ("except KeyboardInterrupt: raise\nexcept Exception: pass", True),
        ("finally: pass", False),
    ],
)
def test_a_try_guards_if_a_broad_handler_keeps_what_it_catches(handlers: str, guards: bool) -> None:
    project, module = project_of(f"try:\n    work()\n{handlers}\n")
    statement = module.tree.body[0]
    assert isinstance(statement, ast.Try)
    assert project.guards.guards(statement, module) is guards


# What runs after what.


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("first(); second()", True),
        ("with a:\n    first()\nsecond()", True),
        ("if a:\n    first()\nsecond()", True),
        ("first()\nif a:\n    second()", None),
        ("first()\nif second():\n    pass", True),
        ("if first():\n    second()", None),
        ("if a:\n    first()\nelse:\n    second()", False),
        ("if a:\n    first()\nelif b:\n    second()", False),
        ("first()\nfor x in y:\n    second()", None),
        ("first()\nfor x in second():\n    pass", True),
        ("for x in y:\n    first()\n    second()", True),
        ("for x in y:\n    first()\nelse:\n    second()", None),
        ("try:\n    first()\nexcept E:\n    second()", None),
        ("try:\n    first()\nfinally:\n    second()", True),
        ("try:\n    pass\nexcept E:\n    first()\nelse:\n    second()", False),
        ("first()\ntry:\n    second()\nexcept E:\n    pass", True),
        ("first()\ntry:\n    pass\nexcept E:\n    second()", None),
        ("match a:\n    case 1:\n        first()\n    case 2:\n        second()", False),
        ("first() if a else second()", False),
        ("first() and second()", None),
        ("first()\n[second() for x in y]", None),
    ],
)
def test_whether_a_call_runs_once_another_has(body: str, expected: bool | None) -> None:
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    _, module = project_of(f"def f():\n{lines}\n")
    calls = {call.func.id: call for call, _ in calls_on(module, range(1, 10**6)) if isinstance(call.func, ast.Name)}
    assert runs_after(module, calls["first"], calls["second"]) is expected
