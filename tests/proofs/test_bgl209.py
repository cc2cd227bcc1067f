"""A server waits for a gather that never ends; under a timeout the others are served, and it stops."""

import time

import pytest
from harness import fixture_app, serve

pytestmark = pytest.mark.proof
ENDLESS = fixture_app("BGL209", "one that never answers")
LIMITED = fixture_app("BGL209", "under a timeout")
NOTES = ["notifying", "notified ann", "notified bob"]


def test_the_server_does_not_stop_until_the_gather_has_a_timeout() -> None:
    with serve(LIMITED) as server:
        assert server.http.post("/publish").status_code == 200
        server.wait_for_log("TimeoutError")
        assert server.notes() == NOTES
        begun = time.monotonic()
        server.terminate()
        assert not server.survives(15)
        stopping = time.monotonic() - begun

    with serve(ENDLESS) as server:
        assert server.http.post("/publish").status_code == 200
        server.wait_for_log("* notified bob")
        server.terminate()
        server.wait_for_log("Waiting for background tasks to complete")
        assert server.survives(2 * stopping)
        assert server.notes() == NOTES
        server.process.kill()
