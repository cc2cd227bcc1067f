"""While a coroutine waits for a process, no other request is answered; in a thread, or awaited, they are."""

from collections.abc import Iterator

import pytest
from harness import LONG_ENOUGH, PATIENCE, Gate, Server, ask_meanwhile, fixed, fixture_app, gate, serve

pytestmark = pytest.mark.proof
BLOCKING = fixture_app("BGL403", "the other requests wait")
AWAITED = fixture_app("BGL403", "a process that is awaited")
ANSWERS = {"/run": "text", "/system": 0, "/popen": "text", "/helper": "text"}


@pytest.fixture(scope="module")
def pipe() -> Iterator[Gate]:
    with gate() as closed:
        yield closed


@pytest.fixture(scope="module")
def blocking(pipe: Gate) -> Iterator[Server]:
    with serve(BLOCKING, GATE=str(pipe.path)) as server:
        yield server


@pytest.fixture(scope="module")
def safely_fixed(pipe: Gate) -> Iterator[Server]:
    with serve(fixed("BGL403", BLOCKING, unsafe=False), GATE=str(pipe.path)) as server:
        yield server


@pytest.fixture(scope="module")
def all_fixed(pipe: Gate) -> Iterator[Server]:
    with serve(fixed("BGL403", BLOCKING), GATE=str(pipe.path)) as server:
        yield server


def answered_meanwhile(server: Server, path: str, pipe: Gate, patience: float = PATIENCE) -> bool:
    """Whether another request is answered while the process runs, whose output then is the answer."""
    meanwhile = ask_meanwhile(server, path, pipe.reached, lambda: pipe.open("text"), patience)
    assert meanwhile.answer.json() == ANSWERS[path]
    return meanwhile.answered


@pytest.mark.parametrize("path", ANSWERS)
def test_another_request_is_answered_while_the_process_runs_once_it_is_in_a_thread(
    path: str, blocking: Server, all_fixed: Server, pipe: Gate
) -> None:
    assert not answered_meanwhile(blocking, path, pipe, LONG_ENOUGH)
    assert answered_meanwhile(all_fixed, path, pipe)


@pytest.mark.parametrize("path", ["/run", "/system"])
def test_the_safe_fixes_suffice_for_functions(path: str, safely_fixed: Server, pipe: Gate) -> None:
    assert answered_meanwhile(safely_fixed, path, pipe)


def test_errors_are_as_before(blocking: Server, safely_fixed: Server) -> None:
    assert blocking.http.get("/failing").json() == safely_fixed.http.get("/failing").json() == 1


def test_an_awaited_process_does_not_block_either(pipe: Gate) -> None:
    with serve(AWAITED, GATE=str(pipe.path)) as server:
        assert answered_meanwhile(server, "/run", pipe)
