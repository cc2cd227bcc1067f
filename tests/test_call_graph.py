"""The call graph: the shortest way to a sink, and functions that move when their file changes."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bglint.index.call_graph import CallGraph, Edge, Run
from bglint.index.places import Place
from bglint.index.sinks import Sink
from bglint.index.survey import moved

SLEEP, READ = Sink("time.sleep", "sleep"), Sink("builtins.open", "file")
FUNCTIONS = [function for row in range(1, 9) for function in [Place(Path("m.py"), None, f"m.f{row}", row, 0)]]
runs = st.sampled_from([*FUNCTIONS, SLEEP, READ])
calls = st.lists(st.tuples(st.sampled_from(FUNCTIONS), runs), max_size=30)


def graph_of(made: list[tuple[Place, Run]]) -> CallGraph:
    graph = CallGraph()
    for row, (function, run) in enumerate(made, 100):
        graph.add(function, row, run)
    return graph


def breadth_first(made: list[tuple[Place, Run]], start: Place, kind: str) -> list[Edge]:
    """The first of the shortest ways, found the plain way."""
    seen: set[Run] = {start}
    queue: deque[tuple[Place, list[Edge]]] = deque([(start, [])])
    while queue:
        function, way = queue.popleft()
        for row, (caller, run) in enumerate(made, 100):
            if caller != function:
                continue
            if isinstance(run, Sink):
                if run.kind == kind:
                    return [*way, Edge(function, row, run)]
            elif run not in seen:
                seen.add(run)
                queue.append((run, [*way, Edge(function, row, run)]))
    return []


@given(calls, st.sampled_from(FUNCTIONS))
def test_the_shortest_way_is_the_one_that_a_search_in_source_order_finds_first(
    made: list[tuple[Place, Run]], start: Place
) -> None:
    graph = graph_of(made)
    for kind in ("sleep", "file"):
        assert graph.shortest(start, kind) == breadth_first(made, start, kind)
        assert (start in graph.reaching([kind])) == bool(graph.shortest(start, kind))


@given(calls, st.integers(1, 50))
def test_functions_that_move_are_reached_as_before(made: list[tuple[Place, Run]], rows: int) -> None:
    changed = Path("changed.py")
    before = {place: place._replace(path=changed) for place in FUNCTIONS[:4]}  # the others stay where they are
    after = {place: place._replace(row=place.row + rows) for place in before.values()}
    made = [(before.get(function, function), before.get(run, run)) for function, run in made]
    moved_on = [(after.get(function, function), after.get(run, run)) for function, run in made]

    graph = graph_of(made)
    gone = graph.forget(changed)
    for row, (function, run) in enumerate(moved_on, 100):
        if function.path == changed:
            graph.add(function, row, run)
    graph.move(moved(gone, graph.functions_in(changed)))

    expected = graph_of(moved_on)
    for kind in ("sleep", "file"):
        assert graph.distances(kind) == expected.distances(kind)


def test_functions_of_one_name_move_in_their_order_or_not_at_all() -> None:
    def at(row: int, name: str = "m.f") -> Place:
        return Place(Path("m.py"), None, name, row, 0)

    assert moved([at(9), at(1)], [at(3), at(11)]) == {at(1): at(3), at(9): at(11)}
    assert moved([at(9), at(1)], [at(3)]) == {}
    assert moved([at(1), at(5, "m.g")], [at(1), at(6, "m.g")]) == {at(5, "m.g"): at(6, "m.g")}


def test_functions_of_one_name_that_take_each_other_s_place_keep_their_callers() -> None:
    getter, setter, later = (Place(Path("m.py"), None, "m.C.x", row, 0) for row in (10, 12, 14))
    reader, writer = (Place(Path("n.py"), None, f"n.{name}", 1, 0) for name in ("read", "write"))
    graph = graph_of([(getter, SLEEP), (setter, READ), (reader, getter), (writer, setter)])

    gone = graph.forget(Path("m.py"))
    graph.add(setter, 12, SLEEP)  # two rows have come above: the getter stands where the setter stood
    graph.add(later, 14, READ)
    graph.move(moved(gone, graph.functions_in(Path("m.py"))))

    assert set(graph.distances("sleep")) == {setter, reader}
    assert set(graph.distances("file")) == {later, writer}


def test_a_caller_of_two_functions_of_which_one_is_where_the_other_was_is_known_once() -> None:
    first, second = (Place(Path("m.py"), None, "m.f", row, 0) for row in (1, 3))
    caller = Place(Path("n.py"), None, "n.g", 1, 0)
    graph = graph_of([(first, SLEEP), (caller, first), (caller, second)])

    graph.forget(Path("m.py"))
    graph.add(second, 3, SLEEP)
    graph.move({first: second})
    graph.forget(Path("n.py"))

    assert set(graph.distances("sleep")) == {second}
