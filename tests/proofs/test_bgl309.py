"""The error of a thread goes to stderr and not to ``logging``, unless the thread or a hook logs it."""

import pytest
from harness import fixture_app, serve

pytestmark = pytest.mark.proof
UNGUARDED = fixture_app("BGL309", "stderr only")
CURES = {
    "caught and logged": "ERROR The rates were not refreshed",
    "logged for all threads": "ERROR A thread failed",
}


def test_the_error_does_not_reach_logging_and_the_server_ends_as_if_nothing_was() -> None:
    with serve(UNGUARDED) as server:
        assert server.http.post("/refresh").status_code == 200
        server.wait_for_log("Exception in thread")
        server.wait_for_log("KeyError: 'USD'")
        assert server.notes() == []
        server.terminate()
        assert not server.survives(15)
        assert server.process.returncode in (0, -15), "what it is without an error"


@pytest.mark.parametrize("cure", CURES)
def test_it_reaches_logging(cure: str) -> None:
    with serve(fixture_app("BGL309", cure)) as server:
        assert server.http.post("/refresh").status_code == 200
        server.wait_for_log("KeyError: 'USD'")
        assert server.notes() == [CURES[cure]]
        assert "Exception in thread" not in server.log()
