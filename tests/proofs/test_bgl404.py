"""While a coroutine waits for a slow file, no other request is answered; in a thread, they are."""

from collections.abc import Iterator

import pytest
from harness import LONG_ENOUGH, Gate, Server, ask_meanwhile, fixed, fixture_app, gate, serve

pytestmark = pytest.mark.proof
BLOCKING = fixture_app("BGL404", "the other requests wait")


@pytest.fixture(scope="module")
def pipe() -> Iterator[Gate]:
    with gate() as closed:
        yield closed


@pytest.fixture(scope="module")
def blocking(pipe: Gate) -> Iterator[Server]:
    with serve(BLOCKING, GATE=str(pipe.path)) as server:
        yield server


@pytest.fixture(scope="module")
def repaired(pipe: Gate) -> Iterator[Server]:
    with serve(fixed("BGL404", BLOCKING), GATE=str(pipe.path)) as server:
        yield server


@pytest.mark.parametrize("path", ["/path", "/helper"])
def test_another_request_is_answered_while_the_file_is_read_once_it_is_in_a_thread(
    path: str, blocking: Server, repaired: Server, pipe: Gate
) -> None:
    before = ask_meanwhile(blocking, path, pipe.reached, lambda: pipe.open("text"), LONG_ENOUGH)
    after = ask_meanwhile(repaired, path, pipe.reached, lambda: pipe.open("text"))
    assert before.answer.json() == after.answer.json() == "text"
    assert (before.answered, after.answered) == (False, True)


def test_errors_are_as_before(blocking: Server, repaired: Server) -> None:
    assert blocking.http.get("/missing").json() == repaired.http.get("/missing").json() == "missing"
