"""An error that is dropped leaves no trace at all; after the fix it is in the log, and the work goes on as before."""

import pytest
from harness import Server, fixed, fixture_app, serve

pytestmark = pytest.mark.proof
SILENCED = fixture_app("BGL502", "a mistake looks like success")


def create(server: Server) -> str:
    """Create a user and return the log."""
    done = server.complete("POST", "/users/ann")
    assert (done.response.status_code, done.notes) == (200, ["offered ann@example.org"])
    return server.log()


def test_nothing_says_that_no_mail_was_sent() -> None:
    with serve(SILENCED) as server:
        log = create(server)
        assert "Error" not in log
        assert "Traceback" not in log


def test_fixed_the_mistakes_are_in_the_log() -> None:
    with serve(fixed("BGL502", SILENCED)) as server:
        log = create(server)
        assert "AttributeError: 'str' object has no attribute 'lowr'" in log
        assert "KeyError: 'eve'" in log
        assert len(server.logged_failures()) == 2
