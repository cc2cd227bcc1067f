"""BGL001 where its spec file cannot go: flake8 reads whole-file comments, and the last row, in its own way."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bglint import api
from bglint.config import Options

CODES = ("BGL001", "BGL203", "BGL402")
SLEEP = "import time\n\n\nasync def f():\n    time.sleep(1){}\n"


def lint(text: str, tmp_path: Path, select: tuple[str, ...] = CODES) -> list[str]:
    found = api.lint_source(text, tmp_path / "a.py", options=Options(isolated=True, select=select), cwd=tmp_path)
    return [f"{finding.span.start.row}:{finding.span.start.column} {finding.code}" for finding in found]


def fixed(text: str, tmp_path: Path) -> str:
    result = api.fix_source(text, tmp_path / "a.py", options=Options(isolated=True, select=CODES), cwd=tmp_path)
    assert result.failure is None
    return result.text


def test_a_comment_for_the_whole_file_is_reported_once_nothing_is_left_to_silence(tmp_path: Path) -> None:
    comment = "# flake8: noqa: BGL402\n"
    assert lint(comment + SLEEP.format(""), tmp_path) == []
    assert lint(comment + "x = 1\n", tmp_path) == ["1:1 BGL001"]
    assert fixed(comment + "x = 1\n", tmp_path) == "x = 1\n"
    assert fixed("# flake8: noqa: E501, BGL402\nx = 1\n", tmp_path) == "# flake8: noqa: E501\nx = 1\n"


def test_a_comment_on_the_last_row_of_a_call_is_used(tmp_path: Path) -> None:
    assert lint("import time\n\n\nasync def f():\n    time.sleep(\n        1\n    )  # noqa: BGL402\n", tmp_path) == []


def test_a_fix_that_leaves_a_noqa_without_a_purpose_takes_it_along(tmp_path: Path) -> None:
    text = "import asyncio\n\n\nasync def f(g):\n    asyncio.create_task(g())  # noqa: BGL402\n"
    assert lint(text, tmp_path) == ["5:5 BGL203", "5:31 BGL001"]
    after = fixed(text, tmp_path)
    assert "noqa" not in after
    assert lint(after, tmp_path) == []


def test_nothing_is_known_of_a_file_that_cannot_be_parsed(tmp_path: Path) -> None:
    assert lint("def f(:  # noqa: BGL402\n", tmp_path, ("BGL000", *CODES)) == ["1:7 BGL000"]


def test_it_is_off_by_default(tmp_path: Path) -> None:
    found = api.lint_source("x = 1  # noqa: BGL402\n", tmp_path / "a.py", options=Options(isolated=True), cwd=tmp_path)
    assert found == ()


def test_per_file_ignores_leave_a_noqa_nothing_to_silence(tmp_path: Path) -> None:
    options = Options(isolated=True, select=CODES, per_file_ignores={"a.py": ("BGL402",)})
    text = SLEEP.format("  # noqa: BGL402")
    found = api.lint_source(text, tmp_path / "a.py", options=options, cwd=tmp_path)
    assert [finding.code for finding in found] == ["BGL001"]


comments = st.lists(
    st.sampled_from(
        ["# noqa", "# noqa: BGL402", "# noqa: E501,BGL402", "# NOQA:BGL999 BGL203", "# why: BGL402", "# é", "text", " "]
    ),
    max_size=4,
).map(lambda parts: "  # " + "  ".join(parts))


@given(comment=comments, silenced=st.booleans(), newline=st.sampled_from(["\n", "\r\n"]))
def test_fixing_changes_comments_only_and_leaves_none_unused(comment: str, silenced: bool, newline: str) -> None:
    text = (SLEEP if silenced else "x = 1{}\ny = 2\n").format(comment).replace("\n", newline)
    root = Path("/nowhere")
    options = Options(isolated=True, select=("BGL001", "BGL402"), unfixable=("BGL402",))
    result = api.fix_source(text, root / "a.py", options=options, cwd=root)
    assert result.failure is None
    assert compile(result.text, "a", "exec").co_code == compile(text, "a", "exec").co_code
    assert "BGL001" not in [finding.code for finding in result.remaining]
    before = api.lint_source(text, root / "a.py", options=options, cwd=root)
    assert [f.code for f in result.remaining] == [f.code for f in before if f.code != "BGL001"]
