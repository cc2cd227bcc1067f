"""A called target runs where it is called, and the thread has nothing to do; after the fix it runs in the thread."""

import pytest
from harness import fixed, fixture_app, run_script

pytestmark = pytest.mark.proof
CALLED = fixture_app("BGL308", "here instead of there")


def test_it_runs_in_the_main_thread_until_fixed() -> None:
    before = run_script(CALLED)
    assert before.exit_code == 0
    assert before.output.splitlines() == [
        "* rendered 1 2 in the main thread",
        "* made",
        "* rendered 2 1 in the main thread",
        """* TypeError("'NoneType' object is not callable")""",
    ]

    after = run_script(fixed("BGL308", CALLED, unsafe=False))
    assert after.exit_code == 0
    assert after.output.splitlines() == [
        "* made",
        "* rendered 1 2 in a thread",
        "* rendered 2 1 in a thread",
        "* None",
    ]
