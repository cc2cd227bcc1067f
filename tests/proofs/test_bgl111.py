"""What belongs to the request is closed for work that outlives it, and in some versions for background tasks, too."""

import sys
from collections.abc import Callable

import pytest
from harness import Server, fixture_app, messages, serve

pytestmark = pytest.mark.proof
ESCAPING = fixture_app("BGL111", "closed for work that outlives the request")
CURED = fixture_app("BGL111", "what outlives the request")
BACKGROUND = fixture_app("BGL111", "in background tasks, closed or held")
ENDS_EARLY = fixture_app("BGL111", "a dependency that ends with the function")
FILE = {"file": ("note.txt", b"text")}
READ, UPLOAD_CLOSED = ["read b'text'"], ["I/O operation on closed file."]
HELD = ["counted (1,)", "connection closed"]
CLOSED = ["connection closed", "Cannot operate on a closed database."]
# FastAPI → what becomes of an upload and of a connection in a background task.
VERSIONS = {
    "0.105.0": (READ, HELD),
    "0.106.0": (UPLOAD_CLOSED, CLOSED),
    "0.110.0": (UPLOAD_CLOSED, CLOSED),
    "0.117.1": (UPLOAD_CLOSED, CLOSED),
    "0.118.0": (READ, HELD),
    "0.120.0": (READ, HELD),
}


def work_after_the_requests(server: Server) -> list[str]:
    """Start all work, let it go on when the requests are over, and return what happened."""
    for path in ("/upload", "/thread", "/session"):
        done = server.complete("POST", path, files=FILE if path == "/upload" else None)
        assert (done.response.status_code, done.notes) == (200, [])
    server.complete("POST", "/over")
    server.wait_until(lambda: len(server.notes()) == 5, "end of the work")
    return sorted(server.notes())


def in_background_tasks(python: str = sys.executable) -> tuple[list[str], list[str]]:
    with serve(BACKGROUND, python) as server:
        upload = server.complete("POST", "/upload", files=FILE)
        connection = server.complete("POST", "/connection")
        assert (upload.response.status_code, connection.response.status_code) == (200, 200)
        return upload.notes, connection.notes


def test_it_is_closed_or_leaks_a_connection_when_the_request_is_over() -> None:
    with serve(ESCAPING) as server:
        assert work_after_the_requests(server) == [
            "Cannot operate on a closed database.",
            "I/O operation on closed file.",
            "connections after: 1",
            "connections before: 0",
            "queried 1",
        ]


def test_what_the_work_opens_itself_is_open_and_given_back() -> None:
    with serve(CURED) as server:
        assert work_after_the_requests(server) == [
            "connections after: 0",
            "connections before: 0",
            "counted (1,)",
            "queried 1",
            "read b'text'",
        ]


def test_background_tasks_of_today_hold_the_connection() -> None:
    assert in_background_tasks() == (READ, HELD)


def test_a_dependency_that_ends_with_the_function_is_closed_in_background_tasks() -> None:
    with serve(ENDS_EARLY) as server:
        assert server.complete("POST", "/connection").notes == CLOSED


@pytest.mark.nightly
@pytest.mark.parametrize("version", VERSIONS)
def test_background_tasks_in_the_versions_that_the_message_is_about(
    version: str, python_with_fastapi: Callable[[str], str]
) -> None:
    upload, connection = VERSIONS[version]
    assert in_background_tasks(python_with_fastapi(version)) == (upload, connection)
    told = messages("BGL111", BACKGROUND, version)
    assert sum("is closed before the background task runs" in message for message in told) == 2 * (upload != READ)
    assert sum("holds its connection" in message for message in told) == 1 * (connection == HELD)


@pytest.mark.nightly
@pytest.mark.parametrize("version", VERSIONS)
def test_other_work_finds_it_closed_in_every_version(version: str, python_with_fastapi: Callable[[str], str]) -> None:
    with serve(ESCAPING, python_with_fastapi(version)) as server:
        assert {*UPLOAD_CLOSED, CLOSED[1], "connections after: 1"} <= set(work_after_the_requests(server))
