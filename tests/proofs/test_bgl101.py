"""A failing background task skips the tasks behind it; a guarded one does not."""

import pytest
from harness import fixed, fixture_app, load, serve

pytestmark = pytest.mark.proof
SKIPPED = fixture_app("BGL101", "the next task is skipped")
KINDS = fixture_app("BGL101", "every kind of callable")
HANDLERS = fixture_app("BGL101", "exception handlers come too late")


def test_the_next_task_is_skipped_although_the_client_has_its_200() -> None:
    with serve(SKIPPED) as server:
        assert server.http.post("/orders/cup").status_code == 200
        server.wait_for_log("Exception in ASGI application")
        assert "KeyError: 'cup'" in server.log()
        assert server.http.get("/receipts").json() == []


def test_fixed_the_next_task_runs_and_the_failure_is_logged() -> None:
    with serve(fixed("BGL101", SKIPPED)) as server:
        assert server.http.post("/orders/cup").status_code == 200
        server.wait_until(lambda: server.http.get("/receipts").json() != [], "receipt")
        assert server.http.get("/receipts").json() == ["Thank you for the cup"]
        [failure] = server.logged_failures()
        assert "take_from_stock" in failure
        assert "KeyError: 'cup'" in server.log()
        assert "Exception in ASGI application" not in server.log()


def test_only_the_first_of_seven_failing_tasks_runs() -> None:
    with serve(KINDS) as server:
        assert server.http.post("/orders/1").status_code == 200
        server.wait_for_log("RuntimeError: charge 1 is broken")
        assert server.http.get("/ran").json() == {"charge 1": "worker"}


def test_fixed_every_callable_runs_where_it_ran_before_and_its_failure_has_its_name() -> None:
    with serve(fixed("BGL101", KINDS)) as server:
        assert server.http.post("/orders/1").status_code == 200
        server.wait_for_log("RuntimeError: archive 1 is broken")
        assert server.http.get("/ran").json() == {
            "charge 1": "worker",
            "notify 1 True": "loop",
            "charge 2": "worker",
            "notify 1 False": "loop",
            "send 1": "worker",
            "remind 1": "loop",
            "archive 1": "loop",
        }
        failures = server.logged_failures()
        names = ["charge", "notify", "charge", "notify", "send", "remind", "Archive"]
        assert len(failures) == len(names)
        assert all(name in failure for name, failure in zip(names, failures, strict=True)), failures


def test_exception_handlers_are_not_called_or_called_for_nothing() -> None:
    with serve(HANDLERS) as server:
        reservation = server.complete("POST", "/reservations/cup")
        assert (reservation.response.status_code, reservation.response.json()) == (200, {"reserved": "cup"})
        assert "handled SoldOut" not in reservation.notes
        server.wait_for_log("RuntimeError: Caught handled exception, but response already started")
        order = server.complete("POST", "/orders/cup")
        assert (order.response.status_code, order.response.json()) == (200, {"ordered": "cup"})
        assert order.notes == ["handled KeyError"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_test_client_raises_the_error_of_a_task_until_fixed() -> None:
    from fastapi.testclient import TestClient

    with pytest.raises(KeyError):
        TestClient(load(SKIPPED).app).post("/orders/cup")
    assert TestClient(load(fixed("BGL101", SKIPPED)).app).post("/orders/cup").status_code == 200
