"""While a coroutine waits for a locked database, no other request is answered; in a thread, they are."""

import sqlite3
from pathlib import Path

import pytest
from harness import LONG_ENOUGH, PATIENCE, Meanwhile, ask_meanwhile, fixture_app, serve

pytestmark = pytest.mark.proof
BLOCKING = fixture_app("BGL405", "the other requests wait")
IN_A_THREAD = fixture_app("BGL405", "in a thread as a whole")


def insert_into_locked(source: str, path: str, database: Path, patience: float = PATIENCE) -> Meanwhile:
    """Ask the application to insert ann while the test holds the database's lock."""
    holder = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    holder.execute("create table orders (customer)")
    try:
        with serve(source, ORDERS=str(database)) as server:
            holder.execute("begin immediate")
            meanwhile = ask_meanwhile(
                server,
                f"{path}/ann",
                at_work=lambda: server.notes() == ["inserting ann"],
                finish=lambda: holder.execute("rollback"),
                patience=patience,
            )
            assert meanwhile.answer.json() == "ann"
        assert holder.execute("select * from orders").fetchall() == [("ann",)]
    finally:
        holder.close()
    return meanwhile


@pytest.mark.parametrize("path", ["/sqlite", "/session"])
def test_another_request_is_answered_while_a_statement_waits_once_it_is_in_a_thread(path: str, tmp_path: Path) -> None:
    assert not insert_into_locked(BLOCKING, path, tmp_path / "before.db", LONG_ENOUGH).answered
    assert insert_into_locked(IN_A_THREAD, path, tmp_path / "after.db").answered
