"""The first failed job loses the results of the others, which run all the same; after the fix only its own is lost."""

import pytest
from harness import fixed, fixture_app, load

pytestmark = pytest.mark.proof
RENDER = fixture_app("BGL301", "the first failure loses all later results")
PAGES = [1, 2, 3, 4, 5]


@pytest.mark.parametrize("function", ["render_all", "render_as_completed"])
class TestBareResult:
    def test_every_job_runs_and_no_result_is_left(self, function: str, caplog: pytest.LogCaptureFixture) -> None:
        module = load(RENDER)
        with pytest.raises(ValueError, match="is broken"):
            getattr(module, function)(PAGES)
        assert module.rendered == PAGES
        assert caplog.records == []

    def test_fixed_the_other_results_are_there_and_each_failure_is_logged(
        self, function: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        module = load(fixed("BGL301", RENDER))
        assert sorted(getattr(module, function)(PAGES)) == ["page 1", "page 3", "page 5"]
        assert module.rendered == PAGES
        errors = sorted(str(record.exc_info[1]) for record in caplog.records if record.exc_info)
        assert errors == ["page 2 is broken", "page 4 is broken"]

    def test_fixed_a_success_is_as_before(self, function: str, caplog: pytest.LogCaptureFixture) -> None:
        for source in (RENDER, fixed("BGL301", RENDER)):
            assert sorted(getattr(load(source), function)([1, 3])) == ["page 1", "page 3"]
        assert caplog.records == []
