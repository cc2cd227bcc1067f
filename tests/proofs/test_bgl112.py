"""A server with an endless background task does not stop; one whose loops end, or are cancelled, does."""

import time

import httpx
import pytest
from harness import LONG_ENOUGH, Server, fixture_app, serve

pytestmark = pytest.mark.proof
ENDLESS = fixture_app("BGL112", "the shutdown waits for it")
ENDING = fixture_app("BGL112", "a loop that ends, and one that the lifespan cancels")


def start(server: Server, path: str) -> None:
    """Start a job: the client has its answer at once, endless or not."""
    assert server.http.post(path).status_code == 200
    server.wait_for_log(f"* polling {path[-1]}")


def seconds_to_stop(server: Server) -> float:
    begun = time.monotonic()
    server.terminate()
    assert not server.survives(15)
    return time.monotonic() - begun


def test_the_server_does_not_stop_until_the_loops_end() -> None:
    with serve(ENDING) as server:
        start(server, "/jobs/1")
        server.wait_for_log("* reported 1")
        stopping = seconds_to_stop(server)

    with serve(ENDLESS) as server:
        start(server, "/jobs/1")
        server.terminate()
        server.wait_for_log("Waiting for background tasks to complete")
        assert server.survives(2 * stopping)
        assert server.notes() == ["polling 1"], "the task behind never runs"
        server.process.kill()


def test_sync_ones_use_up_the_threads_of_def_routes_until_they_end() -> None:
    with serve(ENDING) as server:
        assert server.http.post("/limit").json() == 40
        for job in (1, 2):
            start(server, f"/threads/{job}")
        assert server.http.get("/health").status_code == 200

    with serve(ENDLESS) as server:
        assert server.http.post("/limit").json() == 40
        start(server, "/threads/1")
        assert server.http.get("/health").status_code == 200
        start(server, "/threads/2")
        with pytest.raises(httpx.ReadTimeout):
            server.http.get("/health", timeout=LONG_ENOUGH)
        assert server.notes() == ["polling 1", "healthy", "polling 2"]
        server.process.kill()
