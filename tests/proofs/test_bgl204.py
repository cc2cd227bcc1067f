"""The error of a task that is kept is never logged; with a done-callback it is, once."""

import asyncio
import gc
from types import ModuleType

import pytest
from harness import fixed, fixture_app, load

pytestmark = pytest.mark.proof
KEPT = fixture_app("BGL204", "kept for ever, never logged")
JOBS = ["1", "two", "3"]


def run(source: str, jobs: list[str], stop: bool = True) -> tuple[object, ModuleType]:
    """Let a worker handle the jobs. Returns the worker, which keeps its task, and the module."""
    module = load(source)
    worker = asyncio.run(module.main(jobs, stop))
    gc.collect()
    return worker, module


@pytest.mark.parametrize("stop", [True, False])
def test_the_consumer_dies_unseen(stop: bool, caplog: pytest.LogCaptureFixture) -> None:
    worker, module = run(KEPT, JOBS, stop)
    assert module.handled == [1]
    assert caplog.records == []
    del worker
    gc.collect()
    assert ("Task exception was never retrieved" in caplog.text) == (not stop)


def test_fixed_its_death_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    worker, module = run(fixed("BGL204", KEPT, unsafe=False), JOBS)
    assert module.handled == [1]
    assert worker is not None
    [record] = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)


def test_fixed_a_cancelled_consumer_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    worker, module = run(fixed("BGL204", KEPT, unsafe=False), ["1", "2"])
    assert module.handled == [1, 2]
    assert worker is not None
    assert caplog.records == []
