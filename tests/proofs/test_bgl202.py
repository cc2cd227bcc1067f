"""Failures that ``gather`` returns and nobody reads are reported nowhere; after the fix each one is in the log."""

import asyncio
import gc

import pytest
from harness import fixed, fixture_app, load

pytestmark = pytest.mark.proof
NOTIFY = fixture_app("BGL202", "five failures look like success")
NAMES = ["ann", "eve", "bob"]
OUTCOME = (3, ["ann@example.org", "bob@example.org", "ann@example.org", "bob@example.org"])


def run(source: str, names: list[str]) -> tuple[int, list[str]]:
    """Run the case's ``main``, and let asyncio say what it has to say about what nobody asked for."""
    outcome: tuple[int, list[str]] = asyncio.run(load(source).main(names))
    gc.collect()
    return outcome


def test_the_failure_counts_as_success_and_nothing_is_logged(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(NOTIFY, NAMES) == OUTCOME
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_fixed_the_results_are_the_same_and_every_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert run(fixed("BGL202", NOTIFY, unsafe=False), NAMES) == OUTCOME
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [repr(error) for error in errors] == ["KeyError('eve')"] * 2


def test_fixed_a_success_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert run(fixed("BGL202", NOTIFY, unsafe=False), ["ann"]) == (1, ["ann@example.org"] * 2)
    assert caplog.records == []
