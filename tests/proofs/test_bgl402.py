"""While a coroutine sleeps in ``time.sleep``, every other request waits; in ``asyncio.sleep`` none does."""

import asyncio
from collections.abc import Iterator

import pytest
from harness import Beside, Server, fixed, fixture_app, load, request_beside, serve

pytestmark = pytest.mark.proof
SLEEPY = fixture_app("BGL402", "the other requests wait")
PAYMENTS = fixture_app("BGL402", "a new gap between reading and writing")


@pytest.fixture(scope="module")
def blocking() -> Iterator[Server]:
    with serve(SLEEPY) as server:
        yield server


@pytest.fixture(scope="module")
def repaired() -> Iterator[Server]:
    with serve(fixed("BGL402", SLEEPY)) as server:
        yield server


def ask(server: Server, path: str, seconds: float) -> Beside:
    """Ask for ``path`` and, once it is about to sleep, for something else."""
    return request_beside(server, lambda: server.http.get(path), lambda: f"sleeping {seconds}" in server.log())


@pytest.mark.parametrize(("route", "seconds"), [("direct", 1.0), ("helper", 1.1)])
def test_another_request_waits_until_the_sleep_is_awaited(
    route: str, seconds: float, blocking: Server, repaired: Server
) -> None:
    before = ask(blocking, f"/{route}/{seconds}", seconds)
    after = ask(repaired, f"/{route}/{seconds}", seconds)

    assert before.answer.json() == after.answer.json() == {"next": seconds * 2}
    assert before.other_seconds >= 0.5 * seconds
    assert before.other_seconds >= 3 * after.other_seconds
    assert after.slow_seconds >= seconds


def test_the_unsafe_fix_can_lose_an_update() -> None:
    assert asyncio.run(load(PAYMENTS).main()) == 11
    assert asyncio.run(load(fixed("BGL402", PAYMENTS)).main()) == 10
