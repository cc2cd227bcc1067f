"""A failing background task turns a dependency's commit into a rollback, although the client was told otherwise."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import fixed, fixture_app, messages, serve

pytestmark = pytest.mark.proof
LOST = fixture_app("BGL110", "the confirmed order does not exist")
TOO_EARLY = fixture_app("BGL110", "a task sees none of the new rows")
CURES = {
    "committed before the response": [],
    "a dependency that ends with the function": ["committed"],
    "a task that keeps its errors": ["no receipt for bob", "committed"],
}
# FastAPI → whether a failing task rolls back.
VERSIONS = {"0.105.0": True, "0.106.0": False, "0.117.1": False, "0.118.0": True, "0.121.0": True}


def order(source: str, folder: Path, python: str = sys.executable) -> tuple[list[str], list[str]]:
    """Order something for bob, to whom no receipt can be sent. Returns what happened, and whose orders there are."""
    with serve(source, python, ORDERS=str(folder / "orders.db")) as server:
        done = server.complete("POST", "/orders/bob")
        assert (done.response.status_code, done.response.json()) == (200, {"status": "confirmed"})
        return done.notes, server.http.get("/orders").json()


def test_the_order_that_the_client_saw_confirmed_does_not_exist(tmp_path: Path) -> None:
    assert order(LOST, tmp_path) == (["rolled back"], [])


@pytest.mark.parametrize("cure", CURES)
def test_the_order_exists_although_the_receipt_fails(cure: str, tmp_path: Path) -> None:
    assert order(fixture_app("BGL110", cure), tmp_path) == (CURES[cure], ["bob"])


def test_the_guard_that_bgl101_writes_keeps_the_order_too(tmp_path: Path) -> None:
    assert order(fixed("BGL101", LOST), tmp_path) == (["committed"], ["bob"])


def test_a_task_with_a_session_of_its_own_sees_none_of_the_new_rows(tmp_path: Path) -> None:
    with serve(TOO_EARLY, ORDERS=str(tmp_path / "orders.db")) as server:
        assert server.complete("POST", "/orders/bob").notes == ["orders: 0", "committed"]


@pytest.mark.nightly
@pytest.mark.parametrize("version", VERSIONS)
def test_in_the_versions_that_the_message_is_about(
    version: str, tmp_path: Path, python_with_fastapi: Callable[[str], str]
) -> None:
    rolls_back = VERSIONS[version]
    expected = (["rolled back"], []) if rolls_back else (["committed"], ["bob"])
    assert order(LOST, tmp_path, python_with_fastapi(version)) == expected
    assert bool(messages("BGL110", LOST, version)) == rolls_back
