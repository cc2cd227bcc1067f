"""An exception that leaves the endpoint drops the tasks queued before; a response with the same status runs them."""

import pytest
from harness import fixture_app, serve

pytestmark = pytest.mark.proof
RAISED = fixture_app("BGL105", "the raise drops the task")
RETURNED = fixture_app("BGL105", "the response takes the task along")


def test_the_task_never_runs_and_no_log_says_so() -> None:
    with serve(RAISED) as server:
        login = server.complete("POST", "/login/eve")
        assert (login.response.status_code, login.notes) == (401, [])
        assert "Traceback" not in server.log()
        crash = server.complete("POST", "/crash/eve")
        assert (crash.response.status_code, crash.notes) == (500, [])


def test_with_a_response_of_the_same_status_it_runs() -> None:
    with serve(RETURNED) as server:
        login = server.complete("POST", "/login/eve")
        assert login.response.json() == {"detail": "Wrong name or password"}
        assert (login.response.status_code, login.notes) == (401, ["failed login of eve"])
        crash = server.complete("POST", "/crash/eve")
        assert (crash.response.status_code, crash.notes) == (500, ["failed login of eve"])
