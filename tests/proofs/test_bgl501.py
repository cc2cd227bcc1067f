"""The text of an error says neither what nor where; after the fix the same message has its traceback."""

import pytest
from harness import Server, fixed, fixture_app, serve

pytestmark = pytest.mark.proof
LOGGED = fixture_app("BGL501", "the text of a KeyError")
NOTES = ["ERROR Invoice failed: 'user_id'", "went on", "WARNING Reminder failed: 'user_id'", "went on"]


def order(server: Server) -> str:
    """Place an order and return the log."""
    done = server.complete("POST", "/orders/1")
    assert (done.response.status_code, done.notes) == (200, NOTES)
    return server.log()


def test_the_log_has_the_text_and_nothing_else() -> None:
    with serve(LOGGED) as server:
        log = order(server)
        assert "KeyError" not in log
        assert "Traceback" not in log


def test_fixed_the_same_messages_say_what_and_where() -> None:
    with serve(fixed("BGL501", LOGGED, unsafe=False)) as server:
        log = order(server)
        assert log.count("KeyError: 'user_id'") == 2
        assert ", in send_invoice\n" in log
        assert ", in send_reminder\n" in log
