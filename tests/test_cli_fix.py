"""--fix, --diff and the standard input: what is written where, byte for byte."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from scratch import Done, Here, Run

from bglint import fixing

SLEEPS = "import time\n\n\nasync def nap():\n    time.sleep(1)\n"
AWAITS = "import asyncio\nimport time\n\n\nasync def nap():\n    await asyncio.sleep(1)\n"
UNPARSABLE = "def f(:\n"
# Name and content of files that a careless patch or rewrite would damage.
AWKWARD = [
    ("plain.py", SLEEPS.encode()),
    ("crlf.py", SLEEPS.replace("\n", "\r\n").encode()),
    ("mixed.py", SLEEPS.replace("\n", "\r\n", 2).encode()),
    ("cr.py", SLEEPS.replace("\n", "\r").encode()),
    ("no_final_newline.py", SLEEPS.rstrip("\n").encode()),
    ("latin.py", ("# coding: latin-1\n" + SLEEPS + "# é\n").encode("latin-1")),
    ("bom.py", b"\xef\xbb\xbf" + SLEEPS.encode()),
    ("utf8.py", (SLEEPS + "# ← 😀\n").encode()),
    ("form_feed.py", ("\x0c\n" + SLEEPS + "# a\x0bb\u2028c\n").encode()),
    ("a folder/a file.py", SLEEPS.encode()),
    ("ünï.py", SLEEPS.encode()),
    ('quo"te\\.py', SLEEPS.encode()),
    ("tab\tnew\nline.py", SLEEPS.encode()),
]


class TestFix:
    def test_writes_what_is_safe_and_reports_what_is_left(self, run: Run, here: Here) -> None:
        file = here("a.py", SLEEPS)
        done = run("--isolated", "--fix")
        assert (done.code, done.err) == (0, "")
        assert done.out == "Found 1 error (1 fixed, 0 remaining).\n"
        assert file.read_text("utf-8") == AWAITS

    def test_a_second_run_has_nothing_to_do(self, run: Run, here: Here) -> None:
        file = here("a.py", SLEEPS)
        run("--isolated", "--fix")
        changed = file.stat().st_mtime_ns
        assert run("--isolated", "--fix").out == "All checks passed!\n"
        assert file.stat().st_mtime_ns == changed

    def test_what_is_left_decides_the_exit_code(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        here("b.py", UNPARSABLE)
        done = run("--isolated", "--fix", "--output-format", "concise")
        assert done.code == 1
        assert "BGL000" in done.out
        assert "Found 2 errors (1 fixed, 1 remaining)." in done.out

    def test_exit_non_zero_on_fix(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        assert run("--isolated", "--fix", "--exit-non-zero-on-fix").code == 1
        assert run("--isolated", "--fix", "--exit-non-zero-on-fix").code == 0

    def test_show_fixes_lists_them(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        assert "- a.py:\n    1 × BGL402 (blocking-sleep)\n" in run("--isolated", "--fix", "--show-fixes").out

    def test_fix_only_reports_nothing_that_is_left_but_files_it_could_not_read(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        assert run("--isolated", "--fix-only") == Done(0, b"Fixed 1 error.\n", "")
        here("b.py", UNPARSABLE)
        done = run("--isolated", "--fix-only")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("b.py:1:")

    @pytest.mark.parametrize("options", [("--unfixable", "BGL402"), ("--fixable", "BGL0"), ("--no-fix",)])
    def test_only_what_may_be_fixed(self, run: Run, here: Here, options: tuple[str, ...]) -> None:
        file = here("a.py", SLEEPS)
        done = run("--isolated", "--fix", *options)
        assert done.code == 1
        assert file.read_text("utf-8") == SLEEPS
        assert ("[*]" in done.out) is (options == ("--no-fix",))

    def test_a_file_that_cannot_be_written_is_an_error_and_still_has_its_findings(self, run: Run, here: Here) -> None:
        locked, free = here("locked.py", SLEEPS), here("free.py", SLEEPS)
        locked.chmod(0o444)
        done = run("--isolated", "--fix", "--output-format", "concise")
        assert done.code == 2
        assert done.out.startswith("locked.py:5:5: BGL402")
        assert "(1 fixed, 1 remaining)" in done.out
        assert done.err.startswith("error: locked.py: not fixed: ")
        assert (locked.read_text("utf-8"), free.read_text("utf-8")) == (SLEEPS, AWAITS)

    def test_a_file_that_somebody_changes_meanwhile_is_theirs(
        self, run: Run, here: Here, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = here("a.py", SLEEPS)
        real = fixing.fix_one

        def edit_while_fixing(*arguments: object) -> object:
            file.write_text("mine = 1\n", "utf-8")
            return real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(fixing, "fix_one", edit_while_fixing)
        done = run("--isolated", "--fix")
        assert done.code == 2
        assert "changed by somebody else" in done.err
        assert file.read_text("utf-8") == "mine = 1\n"

    @pytest.mark.parametrize("jobs", ["1", "2"])
    def test_the_same_whatever_the_number_of_processes(self, run: Run, here: Here, tmp_path: Path, jobs: str) -> None:
        for number in range(20):
            here(f"m{number}.py", SLEEPS)
        done = run("--isolated", "--fix", "--jobs", jobs)
        assert done.out == "Found 20 errors (20 fixed, 0 remaining).\n"
        assert {file.read_text("utf-8") for file in tmp_path.glob("*.py")} == {AWAITS}


class TestDiff:
    def test_shows_the_change_and_writes_nothing(self, run: Run, here: Here) -> None:
        file = here("src/a.py", SLEEPS)
        done = run("--isolated", "--diff")
        assert done.code == 1
        assert done.out.startswith("--- a/src/a.py\n+++ b/src/a.py\n@@ ")
        assert done.err == "Would fix 1 error.\n"
        assert file.read_text("utf-8") == SLEEPS

    def test_is_empty_where_nothing_would_be_fixed(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        done = run("--isolated", "--diff", "--unfixable", "BGL4")
        assert (done.code, done.out, done.err) == (0, "", "")

    def test_exit_zero_holds_for_it_too(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        assert run("--isolated", "--diff", "--exit-zero").code == 0

    def test_files_that_could_not_be_read_are_named(self, run: Run, here: Here) -> None:
        here("a.py", UNPARSABLE)
        done = run("--isolated", "--diff")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("a.py:1:")

    def test_into_a_file(self, run: Run, here: Here, tmp_path: Path) -> None:
        here("a.py", SLEEPS)
        shown = run("--isolated", "--diff").data
        run("--isolated", "--diff", "--output-file", "fix.patch")
        assert (tmp_path / "fix.patch").read_bytes() == shown

    def test_git_apply_gives_the_bytes_that_fix_writes(self, run: Run, here: Here, tmp_path: Path) -> None:
        for name, content in AWKWARD:
            here(f"one/{name}", content)
            here(f"other/{name}", content)
        assert run("--isolated", "--fix", "one").code == 0
        patch = run("--isolated", "--diff", "other").data
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
        subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], cwd=tmp_path, input=patch, check=True)
        for name, content in AWKWARD:
            fixed = (tmp_path / "one" / name).read_bytes()
            assert fixed == (tmp_path / "other" / name).read_bytes(), name
            assert fixed != content, name


class TestStandardInput:
    def test_is_linted_under_the_name_it_is_given(self, run: Run, here: Here) -> None:
        here("src/bglint.toml", 'ignore = ["BGL4"]\n')
        json_format = ("--output-format", "json", "-")
        assert run("--stdin-filename", "src/a.py", *json_format, stdin=SLEEPS.encode()).code == 0
        done = run("--stdin-filename", "lib/a.py", *json_format, stdin=SLEEPS.encode())
        assert [item["filename"] for item in json.loads(done.out)] == ["lib/a.py"]

    def test_needs_no_name(self, run: Run) -> None:
        done = run("--isolated", "--output-format", "concise", "-", stdin=SLEEPS.encode())
        assert done.code == 1
        assert done.out.startswith("-:5:5: BGL402")

    def test_is_shown_in_excerpts(self, run: Run) -> None:
        assert "5 |     time.sleep(1)" in run("--isolated", "-", stdin=SLEEPS.encode()).out

    def test_an_excluded_name_is_passed_over_if_excludes_are_forced(self, run: Run) -> None:
        options = ("--isolated", "--extend-exclude", "old", "--stdin-filename", "old/a.py", "-")
        assert run(*options, stdin=SLEEPS.encode()).code == 1
        assert run(*options, "--force-exclude", stdin=SLEEPS.encode()).code == 0
        assert run(*options, "--force-exclude", "--fix", stdin=SLEEPS.encode()).out == SLEEPS

    @pytest.mark.parametrize(("name", "content"), AWKWARD)
    def test_fixed_it_goes_to_stdout_and_the_report_to_stderr(
        self, run: Run, here: Here, name: str, content: bytes
    ) -> None:
        file = here(name, content)
        done = run("--isolated", "--fix", "-", stdin=content)
        assert (done.code, done.err) == (0, "Found 1 error (1 fixed, 0 remaining).\n")
        run("--isolated", "--fix", name)
        assert done.data == file.read_bytes()

    @pytest.mark.parametrize("content", [b"", b"x = 1", UNPARSABLE.encode(), b"# coding: utf-8\n\xff\n", b"\0"])
    def test_what_cannot_be_fixed_comes_back_as_it_was(self, run: Run, content: bytes) -> None:
        done = run("--isolated", "--fix", "-", stdin=content)
        assert done.data == content
        assert done.code == (1 if "BGL000" in done.err else 0)

    def test_what_is_left_decides_the_exit_code(self, run: Run) -> None:
        done = run("--isolated", "--fix", "--unfixable", "BGL4", "-", stdin=SLEEPS.encode())
        assert (done.code, done.out) == (1, SLEEPS)
        assert "BGL402" in done.err

    def test_diff(self, run: Run) -> None:
        done = run("--isolated", "--diff", "--stdin-filename", "a.py", stdin=SLEEPS.encode())
        assert done.code == 1
        assert done.out.startswith("--- a/a.py\n+++ b/a.py\n")
