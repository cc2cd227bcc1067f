"""What a wait with a timeout leaves behind goes on and writes; cancelled, it does not."""

import asyncio

import pytest
from harness import fixture_app, load

pytestmark = pytest.mark.proof
ABANDONED = fixture_app("BGL207", "late writes after the answer")
CANCELLED = fixture_app("BGL207", "the pending ones are cancelled")


@pytest.mark.parametrize("function", ["by_wait", "by_as_completed"])
def test_the_slow_one_writes_after_the_answer_unless_it_is_cancelled(function: str) -> None:
    assert asyncio.run(load(ABANDONED).main(function)) == (["fast"], ["fast", "slow"])
    assert asyncio.run(load(CANCELLED).main(function)) == (["fast"], ["fast"])
