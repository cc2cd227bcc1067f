"""A loop that waits for itself never ends; the error of a dropped future is printed nowhere, until it is fixed."""

import pytest
from harness import fixed, fixture_app, run_script

pytestmark = pytest.mark.proof
DEADLOCK = fixture_app("BGL208", "waiting for oneself")
AWAITED = fixture_app("BGL208", "awaited")
DROPPED = fixture_app("BGL208", "the error that nobody prints")
SENT = "* sent to ann@example.org\n"


def test_the_program_hangs_before_the_coroutine_starts_until_it_is_awaited() -> None:
    after = run_script(AWAITED)
    assert (after.output, after.exit_code) == ("* asked\n* loaded\n* got data\n", 0)

    before = run_script(DEADLOCK, seconds=2)
    assert (before.output, before.exit_code) == ("* asked\n", None)


def test_the_error_is_printed_nowhere_until_fixed() -> None:
    before = run_script(DROPPED)
    assert (before.output, before.exit_code) == (SENT + "* done\n", 0)

    after = run_script(fixed("BGL208", DROPPED, unsafe=False))
    assert after.exit_code == 0
    assert "KeyError: 'eve'" in after.output
    assert [line for line in after.output.splitlines(keepends=True) if line.startswith("*")] == [SENT, "* done\n"]
