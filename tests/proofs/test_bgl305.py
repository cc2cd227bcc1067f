"""A process with an endless thread does not end; as a daemon, or told to stop, the thread lets it."""

import pytest
from harness import fixed, fixture_app, run_script

pytestmark = pytest.mark.proof
ENDLESS = fixture_app("BGL305", "the process hangs at exit")
STOPPED = fixture_app("BGL305", "stopped at exit")
BY_ATEXIT = fixture_app("BGL305", "atexit comes too late")


def test_the_process_hangs_at_exit_until_fixed() -> None:
    after = run_script(fixed("BGL305", ENDLESS))
    assert (after.output, after.exit_code) == ("* watching\n* main is done\n", 0)

    before = run_script(ENDLESS, seconds=2)
    assert (before.output, before.exit_code) == ("* watching\n* main is done\n", None)


def test_a_thread_that_is_told_to_stop_ends_what_it_does() -> None:
    stopped = run_script(STOPPED)
    assert (stopped.output, stopped.exit_code) == ("* watching\n* main is done\n* stopped\n", 0)


def test_atexit_is_too_late_to_tell_it() -> None:
    waiting = run_script(BY_ATEXIT, seconds=2)
    assert (waiting.output, waiting.exit_code) == ("* watching\n* main is done\n", None)
