"""An async function that is handed to a thread only makes a coroutine there; on a loop it does its work."""

import pytest
from harness import fixture_app, run_script

pytestmark = pytest.mark.proof
HANDED_OVER = fixture_app("BGL307", "the work is never done")
ON_A_LOOP = fixture_app("BGL307", "on the loop, or on a loop of its own")


def test_the_work_is_never_done_and_only_a_warning_says_so() -> None:
    before = run_script(HANDED_OVER)
    assert before.exit_code == 0
    assert [line for line in before.output.splitlines() if line.startswith("*")] == ["* done"]
    assert "RuntimeWarning: coroutine 'sync_inventory' was never awaited" in before.output
    assert "Traceback" not in before.output


def test_on_a_loop_it_is_done() -> None:
    after = run_script(ON_A_LOOP)
    assert (after.output, after.exit_code) == ("* synced on the loop\n* synced in a thread\n* done\n", 0)
