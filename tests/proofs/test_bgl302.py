"""The error of a job whose future was dropped is printed nowhere; after the fix it is logged."""

import pytest
from harness import fixed, fixture_app, run_script

pytestmark = pytest.mark.proof
SUBMITTED = fixture_app("BGL302", "nothing is printed anywhere")
MAPPED = fixture_app("BGL302", "a map that nobody iterates over")
ITERATED = fixture_app("BGL302", "a map that is iterated over")
IN_EXECUTOR = fixture_app("BGL302", "asyncio's future is logged when it is collected")
SENT = "* sent to ann@example.org\n"


def test_submitted_and_dropped_it_fails_without_a_word_until_fixed() -> None:
    before = run_script(SUBMITTED)
    assert (before.output, before.exit_code) == (SENT + "* done\n", 0)

    after = run_script(fixed("BGL302", SUBMITTED, unsafe=False))
    assert after.exit_code == 0
    assert "KeyError: 'eve'" in after.output
    assert [line for line in after.output.splitlines(keepends=True) if line.startswith("*")] == [SENT, "* done\n"]


def test_a_map_fails_without_a_word_until_it_is_iterated_over() -> None:
    before = run_script(MAPPED)
    assert (before.output, before.exit_code) == (SENT + SENT + "* done\n", 0)

    after = run_script(ITERATED)
    assert after.exit_code == 1
    assert "KeyError: 'eve'" in after.output


def test_the_future_of_run_in_executor_is_logged_in_any_case_but_by_the_fix_at_once() -> None:
    before = run_script(IN_EXECUTOR)
    assert before.exit_code == 0
    assert "Future exception was never retrieved" in before.output

    after = run_script(fixed("BGL302", IN_EXECUTOR, unsafe=False))
    assert after.exit_code == 0
    assert "Future exception was never retrieved" not in after.output
    assert after.output.count("KeyError: 'eve'") == 1
