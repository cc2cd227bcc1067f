"""A response with background tasks of its own replaces the injected ones; one without takes them along."""

import pytest
from harness import fixture_app, serve

pytestmark = pytest.mark.proof
OVERRIDDEN = fixture_app("BGL107", "the response has tasks of its own")
INJECTED = fixture_app("BGL107", "all tasks are the injected ones")


def test_the_injected_task_never_runs() -> None:
    with serve(OVERRIDDEN) as server:
        report = server.complete("GET", "/reports/may")
        assert (report.response.json(), report.notes) == ({"name": "may"}, ["removed may"])
        assert "Traceback" not in server.log()


def test_on_a_response_without_tasks_all_injected_ones_run() -> None:
    with serve(INJECTED) as server:
        report = server.complete("GET", "/reports/may")
        assert (report.response.json(), report.notes) == ({"name": "may"}, ["counted may", "removed may"])
