"""After gather has raised, the siblings go on; after the fix they are cancelled. Results stay the same."""

import asyncio
import sys

import pytest
from harness import Server, fixed, fixture_app, load, serve

pytestmark = pytest.mark.proof
CHECKOUT = fixture_app("BGL201", "the sibling keeps running")
TWO_FAILURES = fixture_app("BGL201", "a second failure is reported nowhere")
NOT_FOUND = fixture_app("BGL201", "an answer that must stay the answer")
NOT_TAKEN = fixture_app("BGL201", "what a task group does not take")
FROM_OUTSIDE = fixture_app("BGL201", "from outside, all are cancelled")
needs_task_groups = pytest.mark.skipif(sys.version_info < (3, 11), reason="TaskGroup came with Python 3.11")


def run(source: str, sku: str) -> tuple[object, list[str]]:
    """Run the case's ``main`` and return what came out and what happened on the way."""
    module = load(source)
    return asyncio.run(module.main(sku)), module.events


def test_the_sibling_is_still_running_and_does_its_work_after_the_failure() -> None:
    error, events = run(CHECKOUT, "cup")
    assert type(error) is KeyError
    assert events == ["order failed", "reserved cup"]


@needs_task_groups
def test_fixed_for_3_11_the_sibling_is_cancelled_and_the_error_comes_in_a_group() -> None:
    error, events = run(fixed("BGL201", CHECKOUT, target_version="py311"), "cup")
    assert type(error).__name__ == "ExceptionGroup"
    assert [type(inner) for inner in error.exceptions] == [KeyError]  # type: ignore[attr-defined]
    assert events == ["reservation cancelled", "order failed"]


def test_fixed_for_3_10_the_sibling_is_cancelled_and_the_error_stays_bare() -> None:
    error, events = run(fixed("BGL201", CHECKOUT, target_version="py310"), "cup")
    assert type(error) is KeyError
    assert events == ["reservation cancelled", "order failed"]


@pytest.mark.parametrize("target", ["py310", pytest.param("py311", marks=needs_task_groups)])
def test_fixed_the_results_of_a_success_are_the_same(target: str) -> None:
    expected = run(CHECKOUT, "mug")
    assert expected == ((9, "shelf 4"), ["reserved mug"])
    assert run(fixed("BGL201", CHECKOUT, target_version=target), "mug") == expected


def test_a_second_failure_is_reported_nowhere(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    assert asyncio.run(load(TWO_FAILURES).main()) == "first"
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def ask_for_offer(server: Server, path: str) -> tuple[int, list[str]]:
    """Ask for the offer, and give what it has left running time to end. Returns the status and what happened."""
    status = server.http.get(path).status_code
    assert server.complete("GET", "/later").response.status_code == 200
    return status, server.notes()


@needs_task_groups
def test_an_http_exception_stays_the_answer_as_it_would_not_in_a_task_group() -> None:
    with serve(NOT_FOUND) as server:
        assert ask_for_offer(server, "/offers/cup") == (404, ["reserved cup"])
        assert ask_for_offer(server, "/grouped/cup") == (500, ["reserved cup"])
    with serve(fixed("BGL201", NOT_FOUND)) as server:
        assert ask_for_offer(server, "/offers/cup") == (404, [])
        assert server.http.get("/offers/mug").json() == [9, "shelf 4"]


@needs_task_groups
@pytest.mark.parametrize("name", ["Future", "Task", "gather", "shield", "run_in_executor"])
@pytest.mark.filterwarnings("ignore:coroutine 'work' was never awaited")
def test_a_task_group_does_not_take_what_is_no_coroutine(name: str) -> None:
    assert "a coroutine was expected" in asyncio.run(load(NOT_TAKEN).offer(name))


@pytest.mark.parametrize(
    ("function", "last"), [("by_timeout", ["timeout"]), ("by_cancel", [])], ids=["timeout", "cancel"]
)
def test_from_outside_all_are_cancelled(function: str, last: list[str]) -> None:
    assert asyncio.run(getattr(load(FROM_OUTSIDE), function)()) == ["first cancelled", "second cancelled", *last]
