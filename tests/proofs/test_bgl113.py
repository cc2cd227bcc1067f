"""Sync routes, dependencies and background tasks run in threads that have no event loop to ask for."""

import pytest
from harness import Server, fixture_app, serve

pytestmark = pytest.mark.proof
WITHOUT_LOOP = fixture_app("BGL113", "worker threads have no loop")
WITH_LOOP = fixture_app("BGL113", "on the loop, or with a loop that was saved")


def ask(server: Server, path: str) -> tuple[int, list[str]]:
    done = server.complete("POST", path)
    return done.response.status_code, done.notes


def test_a_route_and_a_dependency_fail_and_the_coroutine_never_runs() -> None:
    with serve(WITHOUT_LOOP) as server:
        assert ask(server, "/route/1") == (500, [])
        server.wait_for_log("RuntimeError: no running event loop")
        assert ask(server, "/dependency/1") == (500, [])
        server.wait_until(lambda: server.log().count("RuntimeError: no running event loop") == 2, "second error")


def test_a_background_task_fails_after_the_200_and_takes_the_next_task_with_it() -> None:
    with serve(WITHOUT_LOOP) as server:
        assert ask(server, "/background/1") == (200, [])
        server.wait_for_log("RuntimeError: There is no current event loop in thread")
        assert ask(server, "/handed-over/1") == (200, [])
        server.wait_until(lambda: server.log().count("Exception in ASGI application") == 2, "second error")


def test_on_the_loop_or_with_a_saved_loop_all_of_it_runs() -> None:
    with serve(WITH_LOOP) as server:
        assert ask(server, "/route/1") == (200, ["notified of 1"])
        assert ask(server, "/dependency/1") == (200, ["reached"])
        assert ask(server, "/handed-over/1") == (200, ["notified of 1", "counted"])
