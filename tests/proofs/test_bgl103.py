"""Lambdas, wrappers and generators that are queued run nothing of what they were meant to; the function itself does."""

import pytest
from harness import Server, fixed, fixture_app, serve

pytestmark = pytest.mark.proof
UNAWAITED = fixture_app("BGL103", "what nobody awaits")
QUEUED = fixture_app("BGL103", "queued itself")


def send(server: Server, path: str) -> list[str]:
    """Ask for the mail, which always works for the client, and return what happened."""
    done = server.complete("POST", path)
    assert done.response.status_code == 200
    return done.notes


def test_nothing_runs_and_the_client_has_its_200() -> None:
    with serve(UNAWAITED) as server:
        for path in ("/literal-lambda", "/lambda/bob", "/function/bob", "/generator/bob"):
            assert send(server, path) == []
        assert send(server, "/decorator/bob") == ["about to send"]
        assert "Exception in ASGI application" not in server.log()
        assert send(server, "/task/bob") == []
        server.wait_for_log("RuntimeError: no running event loop")


def test_fixed_the_lambdas_coroutine_runs() -> None:
    with serve(fixed("BGL103", UNAWAITED)) as server:
        assert send(server, "/literal-lambda") == ["sent Hi to ann"]
        assert send(server, "/lambda/bob") == ["sent Hello to bob"]


def test_queued_itself_the_function_runs() -> None:
    with serve(QUEUED) as server:
        assert send(server, "/function/bob") == ["sent Hello to bob"]
        assert send(server, "/decorator/bob") == ["about to send", "reminded bob"]
        assert send(server, "/generator/bob") == ["sent one by one to bob"]
