"""--write-baseline and --baseline: what stays known, what is new, and what is wrong with a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scratch import Here, Run

from bglint import api
from bglint.baseline import read_baseline, unknown, write_baseline
from bglint.config import Options

SLEEPS = "import time\n\n\nasync def nap():\n    time.sleep(1)\n"
WRITE = ("--isolated", "--write-baseline", "known.json")
COMPARE = ("--isolated", "--output-format", "json", "--baseline", "known.json")


@pytest.fixture
def new_after(run: Run, here: Here) -> Callable[[str, str], list[int]]:
    """Return the rows of what is new once a file has changed."""

    def new_after(before: str, after: str) -> list[int]:
        here("a.py", before)
        assert run(*WRITE).code == 0
        here("a.py", after)
        done = run(*COMPARE)
        rows = [item["location"]["row"] for item in json.loads(done.out)]
        assert done.code == (1 if rows else 0)
        return rows

    return new_after


NewAfter = Callable[[str, str], list[int]]


class TestWhatStaysKnown:
    def test_what_has_not_changed(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        done = run(*WRITE)
        assert (done.code, done.out, done.err) == (0, "", "Wrote 1 known error to known.json.\n")
        done = run("--isolated", "--baseline", "known.json")
        assert (done.code, done.out) == (0, "All checks passed!\n")
        assert done.err == "1 known error left out, as known.json says.\n"

    def test_moved_lines(self, new_after: NewAfter) -> None:
        assert new_after(SLEEPS, SLEEPS.replace("import", "import os\n\n\nimport", 1)) == []

    def test_other_white_space_in_the_line(self, new_after: NewAfter) -> None:
        inner = "import time\n\n\nasync def nap():\n    if x:\n        time.sleep(1)  # why\n"
        assert new_after(SLEEPS.replace("(1)", "(1) # why"), inner) == []

    def test_crlf(self, new_after: NewAfter) -> None:
        assert new_after(SLEEPS, SLEEPS.replace("\n", "\r\n")) == []

    def test_from_another_folder(self, run: Run, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        here("src/a.py", SLEEPS)
        assert run("--isolated", "--write-baseline", "src/known.json", "src").code == 0
        assert json.loads((tmp_path / "src/known.json").read_text())["findings"][0]["path"] == "a.py"
        monkeypatch.chdir(tmp_path / "src")
        assert run(*COMPARE, "a.py").code == 0


class TestWhatIsNew:
    def test_one_more_of_the_same(self, new_after: NewAfter) -> None:
        assert new_after(SLEEPS, SLEEPS + "    time.sleep(1)\n") == [6]

    def test_as_many_as_before_are_known(self, new_after: NewAfter) -> None:
        twice = SLEEPS + "    time.sleep(1)\n"
        assert new_after(twice, twice) == []
        assert new_after(twice, SLEEPS) == []

    def test_a_swapped_one(self, new_after: NewAfter) -> None:
        assert new_after(SLEEPS, SLEEPS.replace("(1)", "(2)")) == [5]

    def test_the_same_line_in_another_function(self, new_after: NewAfter) -> None:
        assert new_after(SLEEPS, SLEEPS.replace("nap", "rest")) == [5]
        inner = "import time\n\n\nclass Bed:\n    async def nap(self):\n        time.sleep(1)\n"
        assert new_after(SLEEPS, inner) == [6]

    def test_the_same_in_another_file(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        run(*WRITE)
        here("b.py", SLEEPS)
        assert [item["filename"] for item in json.loads(run(*COMPARE).out)] == ["b.py"]

    def test_another_code_on_the_line(self, run: Run, here: Here) -> None:
        here("a.py", "import asyncio\n" + SLEEPS.replace("time.sleep", "asyncio.create_task(nap()); time.sleep"))
        run(*WRITE, "--select", "BGL402")
        assert [item["code"] for item in json.loads(run(*COMPARE, "--select", "BGL2,BGL4").out)] == ["BGL203"]

    def test_what_cannot_be_parsed_always(self, run: Run, here: Here) -> None:
        here("a.py", "def f(:\n")
        done = run(*WRITE)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("Wrote no known errors to known.json.\na.py:1:7: BGL000 ")
        assert run(*COMPARE).code == 1


class TestWithOtherOptions:
    def test_every_format_leaves_out_the_same(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        run(*WRITE)
        here("b.py", SLEEPS)
        for format in ("concise", "github", "sarif", "junit"):
            out = run(*COMPARE, "--output-format", format).out
            assert ("a.py" in out, "b.py" in out) == (False, True)
        assert json.loads(run(*COMPARE, "--statistics").out)[0]["count"] == 1

    def test_fixing_fixes_known_ones_too(self, run: Run, here: Here) -> None:
        file = here("a.py", SLEEPS)
        run(*WRITE)
        assert run("--isolated", "--fix", "--baseline", "known.json").code == 0
        assert "asyncio.sleep" in file.read_text()

    def test_the_standard_input_has_the_name_it_is_given(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        run(*WRITE)
        assert run(*COMPARE, "--stdin-filename", "a.py", stdin=SLEEPS.encode()).code == 0
        assert run(*COMPARE, "--stdin-filename", "b.py", stdin=SLEEPS.encode()).code == 1

    def test_quiet(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        assert run(*WRITE, "--quiet").err == ""
        done = run("--isolated", "--baseline", "known.json", "--quiet")
        assert (done.code, done.out, done.err) == (0, "", "")

    @pytest.mark.parametrize("other", [("--add-noqa",), ("--baseline", "known.json")])
    def test_one_thing_at_a_time(self, run: Run, here: Here, other: tuple[str, ...]) -> None:
        here("a.py", SLEEPS)
        done = run(*WRITE, *other)
        assert (done.code, done.out) == (2, "")
        assert "--write-baseline" in done.err


ENTRY = {"path": "a.py", "code": "BGL402", "scope": "nap", "line": "time.sleep(1)", "count": 1}


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "known.json:1: no baseline"),
        (b'{"version": 1,\n"findings": [,]}', "known.json:2: no baseline"),
        (b"\xff\xfe", "no baseline"),
        (b"[]", "--write-baseline makes one"),
        (b'{"version": 1}', "--write-baseline makes one"),
        (b'{"version": 2, "findings": []}', "version 2, expected 1"),
        (b'{"findings": []}', "version null, expected 1"),
        (json.dumps({"version": 1, "findings": [ENTRY, 3]}).encode(), "number 2 is 3"),
        (json.dumps({"version": 1, "findings": [{**ENTRY, "count": 0}]}).encode(), "number 1 is {"),
        (json.dumps({"version": 1, "findings": [{**ENTRY, "count": True}]}).encode(), "number 1 is {"),
        (json.dumps({"version": 1, "findings": [{**ENTRY, "more": 1}]}).encode(), "number 1 is {"),
        (json.dumps({"version": 1, "findings": [{**ENTRY, "line": None}]}).encode(), "number 1 is {"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_it(run: Run, here: Here, content: bytes, hint: str) -> None:
    file = here("a.py", SLEEPS)
    here("known.json", content)
    done = run(*COMPARE, "--fix")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: known.json")
    assert hint in done.err
    assert file.read_text() == SLEEPS


def test_a_missing_file_is_an_error_too(run: Run, here: Here) -> None:
    here("a.py", SLEEPS)
    assert "known.json: No such file" in run(*COMPARE).err


def test_a_file_that_cannot_be_written_is_an_error(run: Run, here: Here) -> None:
    here("a.py", SLEEPS)
    done = run("--isolated", "--write-baseline", "a.py/known.json")
    assert done.code == 2
    assert "a.py/known.json" in done.err


def test_the_file_is_one_line_a_finding_and_sorted(run: Run, here: Here, tmp_path: Path) -> None:
    here("b.py", SLEEPS + "    time.sleep(1)\n")
    here("a.py", SLEEPS.replace("nap", "näp"))
    run(*WRITE)
    assert (tmp_path / "known.json").read_text("utf-8").splitlines() == [
        "{",
        '  "version": 1,',
        '  "findings": [',
        '    {"path": "a.py", "code": "BGL402", "scope": "näp", "line": "time.sleep(1)", "count": 1},',
        '    {"path": "b.py", "code": "BGL402", "scope": "nap", "line": "time.sleep(1)", "count": 2}',
        "  ]",
        "}",
    ]


BODIES = st.lists(st.sampled_from(["time.sleep(1)", "time.sleep(2)", "pass", "x = 'é\\u2028'"]), min_size=1, max_size=5)
MODULES = st.lists(st.tuples(st.sampled_from("abc"), BODIES), max_size=4)


def module(functions: list[tuple[str, list[str]]]) -> str:
    return "import time\n" + "".join(
        f"\n\nasync def {name}():\n" + "".join(f"    {line}\n" for line in body) for name, body in functions
    )


@settings(max_examples=60, deadline=None)
@given(MODULES, MODULES)
def test_what_is_new_is_what_there_is_more_of(
    tmp_path_factory: pytest.TempPathFactory, before: list[tuple[str, list[str]]], after: list[tuple[str, list[str]]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "known.json"

    def found(functions: list[tuple[str, list[str]]]) -> tuple[object, ...]:
        text = module(functions)
        findings = api.lint_source(text, folder / "a.py", options=Options(isolated=True), cwd=folder)
        return findings, lambda name: text

    def counted(functions: list[tuple[str, list[str]]]) -> dict[tuple[str, str], int]:
        counts: dict[tuple[str, str], int] = {}
        for name, body in functions:
            for line in body:
                if "sleep" in line:
                    counts[name, line] = counts.get((name, line), 0) + 1
        return counts

    findings, text_of = found(before)
    number = write_baseline(path, findings, text_of, folder)  # type: ignore[arg-type]
    assert number == sum(counted(before).values())
    known = read_baseline(path)
    assert unknown(findings, known, path, text_of, folder) == []  # type: ignore[arg-type]
    findings, text_of = found(after)
    new = unknown(findings, known, path, text_of, folder)  # type: ignore[arg-type]
    more = {key: max(0, n - counted(before).get(key, 0)) for key, n in counted(after).items()}
    assert len(new) == sum(more.values())
