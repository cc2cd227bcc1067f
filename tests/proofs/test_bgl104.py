"""The handler around ``add_task`` never runs: without it everything is as before. In the task it does run."""

import re

import pytest
from harness import Server, fixed, fixture_app, serve

pytestmark = pytest.mark.proof
TRIED = fixture_app("BGL104", "the handler is dead code")
HANDLED = fixture_app("BGL104", "handled in the task")


def behaviour(server: Server) -> dict[str, tuple[int, list[str], list[str]]]:
    """Return, of each route, the status, what happened, and the errors that the server has logged."""
    seen = {}
    for path in ("/failing", "/without-argument", "/without-function", "/fine"):
        before = errors(server)
        done = server.complete("POST", path)
        if path != "/fine":
            server.wait_until(lambda before=before: errors(server) != before, "error")
        seen[path] = (done.response.status_code, done.notes, errors(server)[len(before) :])
    return seen


def errors(server: Server) -> list[str]:
    return re.findall(r"^(KeyError|TypeError): ", server.log(), re.MULTILINE)


def test_no_handler_runs_and_without_the_try_everything_stays_as_it_was() -> None:
    with serve(TRIED) as server:
        before = behaviour(server)
    with serve(fixed("BGL104", TRIED)) as server:
        after = behaviour(server)
    assert before == after
    assert before == {
        "/failing": (200, [], ["KeyError"]),
        "/without-argument": (200, [], ["TypeError"]),
        "/without-function": (200, [], ["TypeError"]),
        "/fine": (200, ["sending to ann@example.org"], []),
    }


def test_a_handler_in_the_task_runs() -> None:
    with serve(HANDLED) as server:
        assert server.complete("POST", "/failing").notes == ["handled"]
        assert "KeyError" not in server.log()
