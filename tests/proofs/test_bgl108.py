"""Background tasks of a WebSocket route, and those queued after a dependency's ``yield``, never run."""

from collections.abc import Callable

import pytest
from harness import Completed, Server, fixture_app, messages, serve
from websockets.sync.client import connect

pytestmark = pytest.mark.proof
WEBSOCKET = fixture_app("BGL108", "in a WebSocket route")
WEBSOCKET_CALLED = fixture_app("BGL108", "called in the WebSocket route")
DEPENDENCY = fixture_app("BGL108", "after the yield of a dependency")
DEPENDENCY_CALLED = fixture_app("BGL108", "called after the yield")
# FastAPI → what happens, in order. A dependency ended before the response only from 0.106 to 0.117.
RUNS_TASKS_LAST = ["after the yield", "counted before", "counted after"]
RUNS_TASKS_FIRST = ["counted before", "after the yield"]
VERSIONS = {
    "0.105.0": RUNS_TASKS_FIRST,
    "0.106.0": RUNS_TASKS_LAST,
    "0.117.1": RUNS_TASKS_LAST,
    "0.118.0": RUNS_TASKS_FIRST,
    "0.120.0": RUNS_TASKS_FIRST,
}


def chat(server: Server) -> list[str]:
    """Visit the chat and return what happened until the route's call was over."""
    with connect(str(server.http.base_url.copy_with(scheme="ws")) + "/chat", proxy=None) as socket:
        assert socket.recv() == "hello"
    server.wait_for_log("OVER:     /chat")
    return server.notes()


def visit(source: str, python: str | None = None) -> Completed:
    with serve(source, **({} if python is None else {"python": python})) as server:
        done = server.complete("GET", "/page")
        assert "Traceback" not in server.log()
        return done


def test_in_a_websocket_route_the_task_never_runs() -> None:
    with serve(WEBSOCKET) as server:
        assert chat(server) == []
        assert "Traceback" not in server.log()
    with serve(WEBSOCKET_CALLED) as server:
        assert chat(server) == ["visited chat"]


def test_after_the_yield_the_task_never_runs() -> None:
    assert visit(DEPENDENCY).notes == RUNS_TASKS_FIRST
    assert visit(DEPENDENCY_CALLED).notes == [*RUNS_TASKS_FIRST, "counted after"]


@pytest.mark.nightly
@pytest.mark.parametrize("version", VERSIONS)
def test_after_the_yield_in_the_version_that_the_message_is_about(
    version: str, python_with_fastapi: Callable[[str], str]
) -> None:
    assert visit(DEPENDENCY, python_with_fastapi(version)).notes == VERSIONS[version]
    assert bool(messages("BGL108", DEPENDENCY, version)) == (VERSIONS[version] == RUNS_TASKS_FIRST)
