"""While a coroutine waits in a blocking HTTP call, every other request waits; with a thread it does not."""

from collections.abc import Iterator

import pytest
from harness import Beside, Neighbour, Server, fixed, fixture_app, neighbour, request_beside, serve

pytestmark = pytest.mark.proof
RATES = fixture_app("BGL401", "the other requests wait")
DELAY = 1.0


@pytest.fixture(scope="module")
def rates() -> Iterator[Neighbour]:
    with neighbour(b'{"rate": "1.08"}', DELAY) as server:
        yield server


@pytest.fixture(scope="module")
def blocking(rates: Neighbour) -> Iterator[Server]:
    with serve(RATES, RATES_URL=rates.url) as server:
        yield server


@pytest.fixture(scope="module")
def repaired(rates: Neighbour) -> Iterator[Server]:
    with serve(fixed("BGL401", RATES), RATES_URL=rates.url) as server:
        yield server


def ask(server: Server, path: str, rates: Neighbour) -> Beside:
    """Ask for ``path`` and, once the rates' server has been asked in turn, for something else."""
    rates.received.clear()
    return request_beside(server, lambda: server.http.get(path), lambda: bool(rates.received))


@pytest.mark.parametrize("path", ["/direct/EUR", "/helper/EUR"])
def test_another_request_waits_until_the_call_is_in_a_thread(
    path: str, blocking: Server, repaired: Server, rates: Neighbour
) -> None:
    before = ask(blocking, path, rates)
    after = ask(repaired, path, rates)

    assert before.answer.json() == after.answer.json() == {"rate": "1.08"}
    assert rates.received == ["GET /?currency=EUR"]
    assert before.other_seconds >= 0.5 * DELAY
    assert before.other_seconds >= 3 * after.other_seconds
    assert after.slow_seconds >= DELAY
