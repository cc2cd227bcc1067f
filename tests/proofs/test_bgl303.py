"""A server that waits in ``join()`` does not stop when it is told to; one that joins with a timeout does."""

import signal
import threading
import time
from collections.abc import Callable

import httpx
import pytest
from harness import Server, fixed, fixture_app, serve

pytestmark = pytest.mark.proof
REPORT = fixture_app("BGL303", "the server cannot be stopped")
JOIN_TIMEOUT = 0.5


def terminate_while_printing(server: Server, collect: Callable[[httpx.Response], None]) -> None:
    """Ask for a report and send SIGTERM while its thread is at work."""

    def ask() -> None:
        try:
            collect(server.http.post("/reports"))
        except httpx.TransportError:
            return  # the server was killed with the request unanswered

    threading.Thread(target=ask, daemon=True).start()
    server.wait_for_log("printing")
    server.terminate()


def test_sigterm_does_not_end_the_server_until_join_has_a_timeout() -> None:
    answers: list[httpx.Response] = []
    with serve(fixed("BGL303", REPORT, join_timeout=JOIN_TIMEOUT)) as server:
        begun = time.monotonic()
        terminate_while_printing(server, answers.append)
        assert not server.survives(15)
        stopping = time.monotonic() - begun
        server.wait_until(lambda: bool(answers), "answer")
        assert answers[0].json() == {"printed": False}
        assert len(server.own_lines()) > len(["printing"]), "the thread that was left behind is logged"

    with serve(REPORT) as server:
        terminate_while_printing(server, answers.append)
        assert server.survives(2 * stopping)
        server.process.send_signal(signal.SIGINT)
        assert server.survives(stopping)
        assert len(answers) == 1
        server.process.kill()
        assert not server.survives(15)
