"""A process forked from a request inherits locks, the server's socket and its signal handlers; a spawned one not."""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator

import pytest
from harness import Server, fixture_app, serve

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(sys.platform != "linux" or sys.version_info >= (3, 14), reason="forks nothing by default"),
]
FORKED = fixture_app("BGL306", "what a forked process inherits")
SPAWNED = fixture_app("BGL306", "spawned")


@contextlib.contextmanager
def reporting(source: str) -> Iterator[Server]:
    """Serve the application and let it start its process, which is killed in the end."""
    with serve(source) as server:
        assert server.http.post("/reports").status_code == 200
        server.wait_for_log("* child ")
        child = int(server.notes()[-1].removeprefix("child "))
        try:
            yield server
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def lock_and_end(source: str) -> tuple[str, str]:
    """Return what the child says about the lock, and whether ``terminate()`` ended it."""
    with reporting(source) as server:
        ended = server.complete("POST", "/stop").notes
        return server.notes()[0], *ended


def port_is_taken_after_a_kill(source: str) -> bool:
    with reporting(source) as server:
        server.process.kill()
        server.process.wait()
        with socket.socket() as successor:
            successor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                successor.bind(("127.0.0.1", server.http.base_url.port))
            except OSError:
                return True
            return False


def test_a_forked_process_finds_the_lock_held_and_ignores_terminate() -> None:
    assert lock_and_end(FORKED) == ("lock is held by nobody", "child still runs")
    assert lock_and_end(SPAWNED) == ("lock is free", "child has ended")


def test_a_forked_process_keeps_the_port_of_its_dead_server() -> None:
    assert port_is_taken_after_a_kill(FORKED)
    assert not port_is_taken_after_a_kill(SPAWNED)
