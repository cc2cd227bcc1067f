"""Another request is answered when the hash is done; with the hash in a thread, while it is being computed."""

import asyncio
import hashlib
import time

import pytest
from harness import fixture_app, load, request_beside, serve

pytestmark = pytest.mark.proof
BLOCKING = fixture_app("BGL407", "hashed first, answered later")
IN_A_THREAD = fixture_app("BGL407", "hashed in a thread")
PURE_PYTHON = fixture_app("BGL407", "pure Python in a thread")
SECONDS = 1.5


@pytest.fixture(scope="module")
def rounds() -> int:
    """How many rounds of hashing take this machine longer than another request needs."""
    begun = time.perf_counter()
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 100_000)
    return int(100_000 * SECONDS / (time.perf_counter() - begun))


def log_in(source: str, rounds: int) -> tuple[str, list[str]]:
    """Log in, ask for something else meanwhile, and return the hash and what happened."""
    with serve(source) as server:
        beside = request_beside(
            server, lambda: server.http.get(f"/login?rounds={rounds}"), lambda: "hashing" in server.notes()
        )
        return beside.answer.json(), server.notes()


def test_another_request_is_answered_before_the_hash_is_done_once_it_is_in_a_thread(rounds: int) -> None:
    hash_before, before = log_in(BLOCKING, rounds)
    hash_after, after = log_in(IN_A_THREAD, rounds)
    assert hash_before == hash_after
    assert before == ["hashing", "hashed", "healthy"]
    assert after == ["hashing", "healthy", "hashed"]


def test_a_thread_is_a_weak_cure_for_pure_python() -> None:
    module = load(PURE_PYTHON)
    beside_a_hash = asyncio.run(module.rounds_beside(module.hash_for, 0.5))
    beside_python = asyncio.run(module.rounds_beside(module.count_for, 0.5))
    assert beside_a_hash >= 2 * beside_python
