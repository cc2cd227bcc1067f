"""A task that nobody holds can be collected before it ends; one that is kept ends."""

import asyncio
import gc

import pytest
from harness import fixed, fixture_app, load

pytestmark = pytest.mark.proof
DELIVERY = fixture_app("BGL203", "the task is collected before it ends")
FAILING = fixture_app("BGL203", "its failure is logged when it is collected")
DESTROYED = "Task was destroyed but it is pending!"


def test_the_dropped_task_is_destroyed_and_the_parcel_never_delivered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert asyncio.run(load(DELIVERY).main()) == []
    assert DESTROYED in caplog.text


def test_fixed_the_task_survives_the_collector_and_finishes(caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(load(fixed("BGL203", DELIVERY, unsafe=False)).main()) == ["A-1"]
    assert DESTROYED not in caplog.text


@pytest.mark.parametrize("source", [FAILING, fixed("BGL203", FAILING, unsafe=False)], ids=["dropped", "fixed"])
def test_the_failure_of_a_task_that_has_ended_is_logged_dropped_or_fixed(
    source: str, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(load(source).main())
    gc.collect()
    assert "Task exception was never retrieved" in caplog.text
    assert "KeyError: 'cup'" in caplog.text
