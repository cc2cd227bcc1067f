"""What the control-flow graph says about small functions, and that Python itself agrees."""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
from collections.abc import Callable, Generator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bglint.index.flow import Flow, Point, may_catch, nodes_of, parts_of, truth


def flow_of(source: str) -> tuple[Flow, dict[str, ast.stmt]]:
    """The graph of a function, and its statements by their source line."""
    tree = ast.parse(textwrap.dedent(source))
    function = tree.body[0]
    assert isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
    named = {ast.unparse(node): node for node in nodes_of(function.body) if isinstance(node, ast.stmt)}
    return Flow(function.body, by_name), named


def by_name(catcher: ast.ExceptHandler | ast.With | ast.AsyncWith, raised: ast.Raise | None) -> bool | None:
    """Exceptions are what they are called; ``with swallow`` takes all of them."""
    if not isinstance(catcher, ast.ExceptHandler):
        return ast.unparse(catcher.items[0]).startswith("swallow")
    if catcher.type is None or ast.unparse(catcher.type) == "Exception":
        return True
    if raised is None:
        return None
    return raised.exc is not None and ast.unparse(raised.exc).partition("(")[0] == ast.unparse(catcher.type)


def reaches(source: str, first: str, second: str) -> bool:
    flow, named = flow_of(source)
    return any(point.node is named[second] for point in flow.after(named[first]))


def leaves(source: str, first: str) -> list[str]:
    """The raises after ``first`` whose exception gets out."""
    flow, named = flow_of(source)
    return [ast.unparse(node) for node in flow.leaving(flow.after(named[first]))]


class TestAfter:
    def test_a_raise_below_comes_after(self) -> None:
        assert leaves("def f():\n    a()\n    raise E", "a()") == ["raise E"]

    def test_a_raise_above_does_not(self) -> None:
        assert leaves("def f():\n    if x:\n        raise E\n    a()", "a()") == []

    def test_but_in_a_loop_it_does(self) -> None:
        assert leaves("def f():\n    for x in y:\n        if x:\n            raise E\n        a()", "a()") == [
            "raise E"
        ]

    def test_branches_exclude_each_other(self) -> None:
        assert leaves("def f():\n    if x:\n        a()\n    else:\n        raise E", "a()") == []

    def test_a_return_between_ends_the_path(self) -> None:
        assert leaves("def f():\n    if x:\n        a()\n        return\n    raise E", "a()") == []

    def test_a_return_in_a_branch_between_ends_only_that(self) -> None:
        source = "def f():\n    a()\n    if x:\n        return\n    raise E"
        assert leaves(source, "a()") == ["raise E"]

    def test_cases_of_a_match_exclude_each_other(self) -> None:
        source = "def f():\n    match x:\n        case 1:\n            a()\n        case _:\n            raise E"
        assert leaves(source, "a()") == []

    @pytest.mark.parametrize(("pattern", "falls_through"), [("_", False), ("y", False), ("1", True), ("_ if z", True)])
    def test_a_match_falls_through_unless_a_case_takes_everything(self, pattern: str, falls_through: bool) -> None:
        source = f"def f():\n    a()\n    match x:\n        case {pattern}:\n            return\n    b()"
        assert reaches(source, "a()", "b()") is falls_through

    def test_break_leads_behind_the_loop_and_past_its_else(self) -> None:
        source = "def f():\n    for x in y:\n        a()\n        break\n    else:\n        b()\n    c()"
        assert not reaches(source, "a()", "b()")
        assert reaches(source, "a()", "c()")

    def test_nothing_comes_after_an_endless_loop(self) -> None:
        assert not reaches("def f():\n    a()\n    while True:\n        b()\n    c()", "a()", "c()")

    @pytest.mark.parametrize("test", ["1", "not False", "'go'"])
    def test_any_true_constant_makes_it_endless(self, test: str) -> None:
        assert not reaches(f"def f():\n    a()\n    while {test}:\n        b()\n    c()", "a()", "c()")

    def test_avoided_statements_block_the_way(self) -> None:
        flow, named = flow_of("def f():\n    a()\n    if x:\n        b()\n    c()")
        blocked = flow.after(named["a()"], avoid=[named["c()"]])
        assert flow.end not in blocked
        assert flow.end in flow.after(named["a()"], avoid=[named["b()"]])


class TestExceptions:
    def test_a_raise_that_is_caught_here_does_not_leave(self) -> None:
        source = "def f():\n    a()\n    try:\n        raise E\n    except E:\n        b()"
        assert leaves(source, "a()") == []
        assert reaches(source, "raise E", "a()") is False
        assert reaches(source, "a()", "b()")

    def test_another_type_is_not_caught(self) -> None:
        source = "def f():\n    a()\n    try:\n        raise E\n    except Other:\n        b()"
        assert leaves(source, "a()") == ["raise E"]

    def test_the_first_clause_that_fits_takes_it(self) -> None:
        source = """
            def f():
                try:
                    raise E
                except E:
                    a()
                except Exception:
                    b()
        """
        flow, named = flow_of(source)
        nodes = [point.node for point in flow.after_failing(named["raise E"])]
        assert named["a()"] in nodes
        assert named["b()"] not in nodes

    def test_else_is_not_covered(self) -> None:
        source = "def f():\n    a()\n    try:\n        b()\n    except E:\n        c()\n    else:\n        raise E"
        assert leaves(source, "a()") == ["raise E"]

    def test_a_handler_is_not_covered_by_its_own_try(self) -> None:
        source = "def f():\n    try:\n        a()\n    except E:\n        raise E\n    except Exception:\n        b()"
        flow, named = flow_of(source)
        assert flow.leaving(flow.reach([flow.entry])) == [named["raise E"]]

    def test_finally_runs_on_the_way_out(self) -> None:
        source = "def f():\n    try:\n        raise E\n    finally:\n        b()"
        flow, named = flow_of(source)
        found = flow.after_failing(named["raise E"])
        assert any(point.node is named["b()"] for point in found)
        assert flow.end not in found
        assert flow.escape in found

    def test_a_return_in_finally_throws_the_exception_away(self) -> None:
        source = "def f():\n    a()\n    try:\n        raise E\n    finally:\n        return"
        assert leaves(source, "a()") == []

    def test_returning_through_finally_does_not_go_on(self) -> None:
        source = "def f():\n    try:\n        a()\n        return\n    finally:\n        b()\n    c()"
        flow, named = flow_of(source)
        assert named["c()"] not in [p.node for p in flow.after(named["a()"], failing=False)]

    def test_a_with_that_swallows_goes_on_behind(self) -> None:
        assert reaches("def f():\n    with swallow:\n        a()\n        raise E\n    c()", "a()", "c()")
        assert leaves("def f():\n    with swallow:\n        a()\n        raise E\n    c()", "a()") == []
        assert not reaches("def f():\n    with other:\n        a()\n        raise E\n    c()", "a()", "c()")

    def test_names_and_constants_do_not_fail(self) -> None:
        flow, named = flow_of("def f():\n    try:\n        x = 1\n        return x\n    except E:\n        b()")
        assert flow.points(named["b()"]) == []

    def test_without_knowledge_of_types_only_a_bare_except_is_sure(self) -> None:
        source = "try:\n    a()\nexcept E:\n    b()\nexcept:\n    c()"
        statement = ast.parse(source).body[0]
        assert isinstance(statement, ast.Try)
        assert [may_catch(handler, None) for handler in statement.handlers] == [None, True]


class TestLoopsThatEnd:
    @pytest.mark.parametrize(
        "body",
        [
            "if x: break",
            "if x: return",
            "raise E",
            "try:\n        a()\n    finally:\n        break",
            "a() or b()\n    return",
        ],
    )
    def test_a_way_out(self, body: str) -> None:
        assert self._can_end(body)

    @pytest.mark.parametrize(
        "body",
        [
            "a()",
            "for y in z:\n        break",
            "try:\n        raise E\n    except E:\n        a()",
            "try:\n        a()\n    except E:\n        continue",
            "if x: continue\n    a()",
            "def g():\n        return 1",
            "if False: break",
            "try:\n        a()\n    finally:\n        b()",
        ],
    )
    def test_no_way_out(self, body: str) -> None:
        assert not self._can_end(body)

    def test_a_condition_is_a_way_out(self) -> None:
        assert self._can_end("a()", "x")

    @staticmethod
    def _can_end(body: str, test: str = "True") -> bool:
        loop = ast.parse(f"while {test}:\n    {body}").body[0]
        assert isinstance(loop, ast.While)
        return Flow([loop], by_name).can_end(loop)


@pytest.mark.parametrize(
    ("test", "value"), [("1", True), ("not 1", False), ("''", False), ("x", None), ("not x", None)]
)
def test_truth_of_a_condition(test: str, value: bool | None) -> None:
    assert truth(ast.parse(test, mode="eval").body) is value


# -- Python as the judge: random functions are run with every choice of branches and failures ------------------------

NAMES = st.sampled_from(["A", "B"])


def indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


@st.composite
def blocks(draw: st.DrawFn, depth: int = 2, in_loop: bool = False, loops: bool = True) -> list[str]:
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 2))):
        lines += draw(statements(depth, in_loop, loops))
    return lines


@st.composite
def statements(draw: st.DrawFn, depth: int, in_loop: bool, loops: bool) -> list[str]:
    """One statement. Each ``yield`` is a place where the run is told how to go on: with what value, or by failing."""
    kinds = ["step", "step", "return", "raise"] + (["break", "continue"] if in_loop else [])
    deeper = ["if", "try", "finally", "with"] + (["while", "for"] if loops else [])
    kind = draw(st.sampled_from(kinds + (deeper if depth else [])))
    if kind == "raise":
        return [f"raise {draw(NAMES)}()"]
    if kind in ("return", "break", "continue"):
        return [kind]
    if kind == "step":
        return ["yield"]
    body = indented(draw(blocks(depth - 1, in_loop or kind in ("while", "for"), loops)))
    plain = blocks(depth - 1, in_loop, loops)
    if kind == "if":
        return ["if (yield):", *body, "else:", *indented(draw(plain))]
    if kind in ("while", "for"):
        heads = [["while (yield):"], ["while True:", "    yield"]] if kind == "while" else [["for _ in (yield):"]]
        head = draw(st.sampled_from(heads))
        return [*head, *body] if draw(st.booleans()) else [*head, *body, "else:", *indented(draw(plain))]
    if kind == "with":
        return [draw(st.sampled_from(["with swallow((yield)):", "with other((yield)):"])), *body]
    if kind == "finally":
        return ["try:", *body, "finally:", *indented(draw(plain))]
    lines = ["try:", *body, f"except {draw(NAMES)}:", *indented(draw(plain))]
    if draw(st.booleans()):
        lines += ["else:", *indented(draw(plain))]
    return lines + (["finally:", *indented(draw(plain))] if draw(st.booleans()) else [])


class A(Exception):
    pass


class B(Exception):
    pass


class Manager:
    def __init__(self, swallows: bool) -> None:
        self.swallows = swallows

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> bool:
        return self.swallows and kind is not None and issubclass(kind, Exception)


NAMESPACE = {"A": A, "B": B, "swallow": lambda _: Manager(True), "other": lambda _: Manager(False)}
# Go on with something true (and iterable), with something false, or fail in one of two ways.
CHOICES: tuple[object, ...] = ((0, 0), (), A, B)
OWN_TYPES = [type(f"E{number}", (Exception,), {}) for number in range(9)]


def run(function: Callable[[], Generator[None, object, None]], choices: tuple[object, ...]) -> list[int | str]:
    """The rows at which a run made its choices and went on, and how it ended; "open" where it would go on."""
    started = function()
    trace: list[int | str] = ["start"]
    try:
        next(started)
        for choice in choices:
            if isinstance(choice, type):
                started.throw(choice())
            else:
                trace.append(started.gi_frame.f_lineno)
                started.send(choice)
    except StopIteration:
        return [*trace, "end"]
    except Exception:
        return [*trace, "escape"]
    return [*trace, "open"]


def pairs_run(program: str, most: int, choices_at: tuple[object, ...] = CHOICES) -> set[tuple[int | str, int | str]]:
    """(first, second) for all that were seen to follow each other, in runs with up to ``most`` choices."""
    namespace = NAMESPACE | {kind.__name__: kind for kind in OWN_TYPES}
    exec(program, namespace)
    found: set[tuple[int | str, int | str]] = set()
    pending: list[tuple[object, ...]] = [()]
    while pending:
        choices = pending.pop()
        trace = run(namespace["f"], choices)  # type: ignore[arg-type]
        if trace[-1] == "open":
            trace.pop()
            if len(choices) < most:
                pending.extend((*choices, choice) for choice in choices_at)
        found.update(itertools.combinations(trace, 2))
    return found


def pairs_in(program: str) -> set[tuple[int | str, int | str]]:
    """The same from the graph."""
    function = ast.parse(program).body[0]
    assert isinstance(function, ast.FunctionDef)
    flow = Flow(function.body, by_name)
    ends = {flow.end: "end", flow.escape: "escape"}

    def name(point: Point) -> int | str | None:
        asks = point.node is not None and any(isinstance(part, ast.Yield) for part in parts_of(point.node))
        return point.node.lineno if asks and point.node is not None else ends.get(point)

    everything = flow.reach([flow.entry])
    found: set[tuple[int | str, int | str]] = {("start", n) for point in everything if (n := name(point)) is not None}
    for point in everything:
        if isinstance(first := name(point), int):
            found |= {(first, n) for p in flow.reach(point.normal) if (n := name(p)) is not None}
    return found


def function_of(body: list[str]) -> str:
    # The last line makes it a generator, whatever the rest is.
    return "\n".join(["def f():", *indented(body), "    return", "    yield"])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@given(blocks())
@settings(max_examples=80, deadline=None)
def test_what_python_does_is_in_the_graph(body: list[str]) -> None:
    program = function_of(body)
    assert pairs_run(program, most=4) <= pairs_in(program)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@given(blocks(depth=2, loops=False))
@settings(max_examples=80, deadline=None)
def test_what_is_in_the_graph_python_does(body: list[str]) -> None:
    # Where every clause has a type of its own no failure is sure to be caught by the first clause that may.
    numbers = itertools.count(1)
    program = re.sub("except [AB]", lambda _: f"except E{next(numbers)}", function_of(body))
    program = program.replace("raise A", "raise E1").replace("raise B", "raise E2")
    # Without loops no run takes more steps than there are: longer programs have too many runs to try all.
    steps, clauses = program.count("yield") - 1, next(numbers) - 1
    assume(steps <= 5 and clauses <= 3)
    choices = ((0, 0), (), *OWN_TYPES[: clauses + 1])
    assert pairs_in(program) <= pairs_run(program, steps, choices)
