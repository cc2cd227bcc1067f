"""Without a timeout, who never answers takes a thread for good; with one the call gives up, and prompt answers stay."""

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest
from harness import LONG_ENOUGH, Gate, Server, fixed, fixture_app, gate, neighbour, serve

pytestmark = pytest.mark.proof
WAITING = fixture_app("BGL503", "nobody answers")
REPAIRED = fixed("BGL503", WAITING)
IMPATIENT = fixed("BGL503", WAITING, http_timeout=0.3)
PATHS = ("/requests", "/urlopen", "/process")


@contextlib.contextmanager
def serve_beside_silence(source: str) -> Iterator[Server]:
    """Serve an application whose neighbour takes connections and never answers, and whose pipe never ends."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        gate() as pipe,
        serve(source, URL=f"http://127.0.0.1:{silent.getsockname()[1]}", GATE=str(pipe.path)) as server,
    ):
        assert server.http.post("/limit").json() == 40
        yield server


def ask_all(server: Server, pool: ThreadPoolExecutor) -> list[Future[httpx.Response]]:
    """Start a request of each kind, and wait until all three have begun."""
    requests = [pool.submit(server.http.get, path) for path in PATHS]
    server.wait_until(lambda: len(server.notes()) == 3, "start of all requests")
    return requests


def test_three_calls_wait_for_ever_and_the_next_def_route_with_them() -> None:
    with ThreadPoolExecutor() as pool, serve_beside_silence(WAITING) as server:
        requests = ask_all(server, pool)
        with pytest.raises(httpx.ReadTimeout):
            server.http.get("/health", timeout=LONG_ENOUGH)
        assert not any(request.done() for request in requests)
        server.process.kill()


def test_fixed_they_give_up_and_the_next_def_route_is_answered() -> None:
    with ThreadPoolExecutor() as pool, serve_beside_silence(IMPATIENT) as server:
        requests = ask_all(server, pool)
        assert server.http.get("/health").json() == "ok"
        assert [request.result().json() for request in requests] == ["gave up"] * 3


@pytest.mark.parametrize("source", [WAITING, REPAIRED], ids=["before", "fixed"])
def test_prompt_answers_are_as_before(source: str) -> None:
    with (
        neighbour(b"1.08") as rates,
        gate() as pipe,
        serve(source, URL=rates.url, GATE=str(pipe.path)) as server,
        ThreadPoolExecutor() as pool,
    ):
        process = pool.submit(server.http.get, "/process")
        answer_process(server, pipe)
        assert process.result().json() == "1.08"
        assert server.http.get("/requests").json() == server.http.get("/urlopen").json() == "1.08"


def answer_process(server: Server, pipe: Gate) -> None:
    server.wait_until(pipe.reached, "reader of the pipe")
    pipe.open("1.08")
