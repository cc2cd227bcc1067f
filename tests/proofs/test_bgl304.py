"""``join(timeout)`` says the same whether the thread has ended or not; after the fix, the log tells."""

import pytest
from harness import fixed, fixture_app, load

pytestmark = pytest.mark.proof
READ = fixture_app("BGL304", "half a result")


def read(source: str, slow: bool) -> list[str]:
    """Return what the case reads; its thread is let go afterwards."""
    module = load(source)
    try:
        rows: list[str] = module.read(slow)
        return rows
    finally:
        module.may_end.set()


def test_half_a_result_looks_like_a_whole_one(caplog: pytest.LogCaptureFixture) -> None:
    assert read(READ, slow=False) == ["first", "last"]
    assert read(READ, slow=True) == ["first"]
    module = load(READ)
    assert module.outcome_of_join(False) is None
    assert module.outcome_of_join(True) is None
    module.may_end.set()
    assert caplog.records == []


def test_fixed_the_log_says_which_it_is(caplog: pytest.LogCaptureFixture) -> None:
    repaired = fixed("BGL304", READ)
    assert read(repaired, slow=False) == ["first", "last"]
    assert caplog.records == []
    assert read(repaired, slow=True) == ["first"]
    [record] = caplog.records
    assert record.levelname == "WARNING"
