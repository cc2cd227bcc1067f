"""Tasks on an object that belongs to no response never run; on the injected or attached one they do."""

import pytest
from harness import fixed, fixture_app, serve

pytestmark = pytest.mark.proof
DETACHED = fixture_app("BGL106", "tasks that no response knows")
ATTACHED = fixture_app("BGL106", "tasks that go with the response")
PATHS = ("/detached/ann", "/none/ann", "/unused/ann", "/imported/ann")


def outcomes(source: str) -> dict[str, tuple[object, list[str]]]:
    """Return, of each route, the answer and what happened; the server must have logged no error."""
    with serve(source) as server:
        done = {path: server.complete("POST", path) for path in PATHS}
        assert "Traceback" not in server.log()
    return {path: (it.response.json(), it.notes) for path, it in done.items()}


def test_detached_tasks_never_run() -> None:
    assert outcomes(DETACHED) == dict.fromkeys(PATHS, ({"name": "ann"}, []))


def test_fixed_the_endpoint_asks_for_the_tasks_and_they_run() -> None:
    assert outcomes(fixed("BGL106", DETACHED))["/detached/ann"] == ({"name": "ann"}, ["welcomed ann"])


def test_attached_tasks_run() -> None:
    assert outcomes(ATTACHED) == dict.fromkeys(PATHS, ({"name": "ann"}, ["welcomed ann"]))
