"""A coroutine that swallows its cancellation defeats timeouts and shutdowns; one that lets it through does not."""

import asyncio

import pytest
from harness import fixed, fixture_app, load, run_script

pytestmark = pytest.mark.proof
LATE = fixture_app("BGL205", "the timeout that comes late and says nothing")
ENDLESS = fixture_app("BGL205", "the loop that cannot be stopped")
FUNCTIONS = ("fetch_bare", "fetch_base", "fetch_cancelled")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_wait_for_returns_the_result_without_a_timeout_error_until_fixed(function: str) -> None:
    before, after = load(LATE), load(fixed("BGL205", LATE))
    assert asyncio.run(before.hurry(function, "page")) == "fallback"
    assert asyncio.run(after.hurry(function, "page")) == "timed out"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_fixed_results_and_other_errors_are_as_before(function: str) -> None:
    for source in (LATE, fixed("BGL205", LATE)):
        module = load(source)
        assert asyncio.run(module.take_time(function, "page")) == "page"
        if function == "fetch_cancelled":
            with pytest.raises(ValueError, match="broken"):
                asyncio.run(module.take_time(function, "broken"))
        else:
            assert asyncio.run(module.take_time(function, "broken")) == "fallback"
            assert module.events == ["retry"]


def test_the_program_never_ends_until_fixed() -> None:
    after = run_script(fixed("BGL205", ENDLESS))
    assert (after.output, after.exit_code) == ("* ended\n", 0)

    before = run_script(ENDLESS, seconds=2)
    assert (before.output, before.exit_code) == ("* still running\n", None)
