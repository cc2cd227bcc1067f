"""A called background task runs too early or never, and fails; queued, it runs after the response."""

import pytest
from harness import Server, fixed, fixture_app, serve

pytestmark = pytest.mark.proof
CALLED = fixture_app("BGL102", "called instead of queued")
CHARGED_EARLY = ["charged 1", "answered"]
CONFIRMED = "confirmed 1 by mail"


def order(server: Server, path: str) -> list[str]:
    """Place the order, which always works, and return what happened."""
    done = server.complete("POST", path)
    assert done.response.status_code == 200
    return done.notes


def test_called_it_runs_before_the_response_or_never_and_the_next_task_is_skipped() -> None:
    with serve(CALLED) as server:
        assert order(server, "/sync/1") == CHARGED_EARLY
        assert order(server, "/awaited/1") == [CONFIRMED, "answered"]
        assert order(server, "/async/1") == ["answered"]
        server.wait_for_log("coroutine 'confirm' was never awaited")
        server.wait_until(lambda: server.log().count("\nTypeError: ") == 3, "TypeError of each task")


def test_fixed_it_runs_after_the_response_and_the_next_task_runs_too() -> None:
    with serve(fixed("BGL102", CALLED)) as server:
        assert order(server, "/sync/1") == ["answered", "charged 1", "counted"]
        assert order(server, "/awaited/1") == ["answered", CONFIRMED, "counted"]
        assert order(server, "/async/1") == ["answered", CONFIRMED, "counted"]
        assert "TypeError" not in server.log()


def test_the_safe_fix_mends_what_never_ran_and_leaves_what_ran_early() -> None:
    with serve(fixed("BGL102", CALLED, unsafe=False)) as server:
        assert order(server, "/async/1") == ["answered", CONFIRMED, "counted"]
        assert order(server, "/sync/1") == CHARGED_EARLY
