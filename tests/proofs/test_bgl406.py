"""While a coroutine waits for a thread, no other request is answered; awaited, or waited for in a thread, they are."""

from collections.abc import Iterator

import pytest
from harness import LONG_ENOUGH, PATIENCE, Gate, Server, ask_meanwhile, fixed, fixture_app, gate, serve

pytestmark = pytest.mark.proof
BLOCKING = fixture_app("BGL406", "the other requests wait")
AWAITED = fixture_app("BGL406", "waits that are awaited")
SAFELY_FIXED = {"/result": "text", "/failing": "the job failed", "/join": False}
FIXED = {**SAFELY_FIXED, "/helper": "text"}
NOT_FIXED = {"/queue": "text", "/event": True, "/lock": True, "/executor": "text", "/wait": 1}
ANSWERS = {**FIXED, **NOT_FIXED}


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
    with serve(fixed("BGL406", BLOCKING, unsafe=False), GATE=str(pipe.path)) as server:
        yield server


@pytest.fixture(scope="module")
def all_fixed(pipe: Gate) -> Iterator[Server]:
    with serve(fixed("BGL406", BLOCKING), GATE=str(pipe.path)) as server:
        yield server


@pytest.fixture(scope="module")
def awaited(pipe: Gate) -> Iterator[Server]:
    with serve(AWAITED, GATE=str(pipe.path)) as server:
        yield server


def answered_meanwhile(server: Server, path: str, pipe: Gate, patience: float = PATIENCE) -> bool:
    """Whether another request is answered during the wait, which must end as it always does."""
    meanwhile = ask_meanwhile(server, path, pipe.reached, lambda: pipe.open("text"), patience)
    assert meanwhile.answer.json() == ANSWERS[path]
    return meanwhile.answered


@pytest.mark.parametrize("path", ANSWERS)
def test_no_other_request_is_answered(path: str, blocking: Server, pipe: Gate) -> None:
    assert not answered_meanwhile(blocking, path, pipe, LONG_ENOUGH)


@pytest.mark.parametrize("path", SAFELY_FIXED)
def test_safely_fixed_results_and_errors_are_the_same_and_others_are_answered(
    path: str, safely_fixed: Server, pipe: Gate
) -> None:
    assert answered_meanwhile(safely_fixed, path, pipe)


def test_fixed_a_helper_waits_in_a_thread(all_fixed: Server, pipe: Gate) -> None:
    assert answered_meanwhile(all_fixed, "/helper", pipe)


@pytest.mark.parametrize("path", ["/result", "/queue", "/event"])
def test_awaited_or_in_a_thread_others_are_answered(path: str, awaited: Server, pipe: Gate) -> None:
    assert answered_meanwhile(awaited, path, pipe)
