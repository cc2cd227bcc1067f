"""A coroutine that awaits under a thread lock meets the next one, and the loop stands still for good."""

import sys
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest
from harness import LONG_ENOUGH, PATIENCE, Server, fixture_app, serve

pytestmark = pytest.mark.proof
STUCK = fixture_app("BGL408", "two requests stop the server for good")
TASKS_LOCK = fixture_app("BGL408", "a lock for tasks")


def book_two(server: Server, path: str, pool: ThreadPoolExecutor) -> list[Future[httpx.Response]]:
    return [pool.submit(server.http.get, f"{path}/{seat}", timeout=2 * PATIENCE) for seat in (1, 2)]


def test_with_a_thread_lock_the_server_answers_nobody_any_more_not_even_sigterm() -> None:
    with ThreadPoolExecutor(2) as pool, serve(STUCK) as server:
        assert server.http.get("/book/0").json() == 0, "one request at a time does no harm"
        requests = book_two(server, "/book", pool)
        server.wait_until(lambda: len(server.notes()) == 4, "second request")
        with pytest.raises(httpx.ReadTimeout):
            server.http.get("/health", timeout=LONG_ENOUGH)
        server.terminate()
        assert server.survives(LONG_ENOUGH)
        assert [note for note in server.notes() if note.startswith("booked")] == ["booked 0"]
        assert not any(request.done() for request in requests)
        server.process.kill()


def test_with_a_lock_for_tasks_both_are_served() -> None:
    with ThreadPoolExecutor(2) as pool, serve(TASKS_LOCK) as server:
        requests = book_two(server, "/book", pool)
        assert server.http.get("/health").json() == "ok"
        assert sorted(request.result().json() for request in requests) == [1, 2]


def test_an_rlock_lets_both_in_at_once() -> None:
    with ThreadPoolExecutor(2) as pool, serve(STUCK) as server:
        assert sorted(request.result().json() for request in book_two(server, "/reentrant", pool)) == [1, 2]
        assert [note.rpartition(" ")[0] for note in server.notes()] == ["locked for"] * 2 + ["booked"] * 2


def test_a_plain_with_on_a_lock_for_tasks_fails() -> None:
    with serve(STUCK) as server:
        assert server.http.get("/plain/1").status_code == 500
        refusal = "TypeError: 'Lock' object does not support the context manager protocol"
        server.wait_for_log(refusal if sys.version_info >= (3, 11) else "AttributeError: __enter__")
