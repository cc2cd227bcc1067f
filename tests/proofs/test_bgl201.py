"""After gather has raised, the siblings go on; after the fix they are cancelled. Results stay the same."""

import asyncio
import sys

import pytest
from harness import fixed, fixture_app, load

pytestmark = pytest.mark.proof
CHECKOUT = fixture_app("BGL201", "the sibling keeps running")
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
