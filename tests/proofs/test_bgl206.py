"""A loop cannot be started on a running one; awaiting the coroutine works, and so does a thread."""

import pytest
from harness import fixture_app, serve

pytestmark = pytest.mark.proof
NESTED = fixture_app("BGL206", "a loop on a running loop")
AWAITED = fixture_app("BGL206", "awaited, or in a thread")
SETTINGS = {"theme": "dark"}


def test_every_request_fails_and_the_coroutine_never_runs_although_the_script_did() -> None:
    with serve(NESTED) as server:
        assert server.notes() == ["fetched", "fetched", f"at startup: {SETTINGS} {SETTINGS}"]
        for path, error in (
            ("/run", "RuntimeError: asyncio.run() cannot be called from a running event loop"),
            ("/run-until-complete", "RuntimeError: Cannot run the event loop while another loop is running"),
        ):
            done = server.complete("GET", path)
            assert (done.response.status_code, done.notes) == (500, [])
            server.wait_for_log(error)


def test_awaited_or_in_a_thread_it_works() -> None:
    with serve(AWAITED) as server:
        for path in ("/run", "/run-until-complete"):
            done = server.complete("GET", path)
            assert (done.response.json(), done.notes) == (SETTINGS, ["fetched"])
