"""An HTTPException in a background task answers nothing and skips the tasks behind; before the response it answers."""

import pytest
from harness import fixture_app, serve

pytestmark = pytest.mark.proof
RAISED = fixture_app("BGL109", "the answer has been sent")
CHECKED = fixture_app("BGL109", "checked before the response, logged after it")


def test_the_client_has_its_200_and_neither_the_handler_nor_the_next_task_runs() -> None:
    with serve(RAISED) as server:
        done = server.complete("POST", "/imports/2")
        assert (done.response.status_code, done.response.json()) == (200, {"status": "started"})
        assert done.notes == []
        server.wait_for_log("RuntimeError: Caught handled exception, but response already started")
        assert server.complete("POST", "/imports/1").notes == ["imported 1", "told owner of 1"]


def test_logged_instead_the_next_task_runs_and_checked_before_the_client_is_told() -> None:
    with serve(CHECKED) as server:
        assert server.complete("POST", "/imports/2").notes == ["no rows in 2", "told owner of 2"]
        refused = server.complete("POST", "/checked/2")
        assert (refused.response.status_code, refused.response.json()) == (422, {"detail": "No rows"})
        assert refused.notes == ["refused"]
        assert "RuntimeError" not in server.log()
