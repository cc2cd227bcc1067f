"""The command line: what it accepts, prints and writes, and how it exits."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from scratch import Done, Here, Run

import bglint
from bglint import engine
from bglint.report import FORMATS
from bglint.rules import all_rules

SOURCE = str(Path(bglint.__file__).parent.parent)
SLEEPS = "import time\n\n\nasync def nap():\n    time.sleep(1)\n"
AWAITS = "import asyncio\nimport time\n\n\nasync def nap():\n    await asyncio.sleep(1)\n"
CLEAN = "async def nap():\n    pass\n"


def reported(done: Done) -> list[tuple[str, int, str]]:
    return [(item["filename"], item["location"]["row"], item["code"]) for item in json.loads(done.out)]


JSON = ("--isolated", "--output-format", "json")
CONCISE = ("--isolated", "--output-format", "concise")


class TestExitCodes:
    def test_zero_when_nothing_is_left_to_report(self, run: Run, here: Here) -> None:
        here("a.py", CLEAN)
        assert run() == Done(0, b"All checks passed!\n", "")

    def test_one_for_findings(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        assert run(*CONCISE).code == 1

    def test_zero_for_findings_if_asked(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        done = run(*CONCISE, "--exit-zero")
        assert (done.code, "BGL402" in done.out) == (0, True)

    def test_one_for_a_file_that_is_not_there(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        done = run(*JSON, "missing.py", "a.py")
        assert done.code == 1
        assert reported(done) == [("a.py", 5, "BGL402"), ("missing.py", 1, "BGL000")]

    def test_one_for_a_file_that_cannot_be_parsed(self, run: Run, here: Here) -> None:
        here("a.py", "def f(:\n")
        assert reported(run(*JSON)) == [("a.py", 1, "BGL000")]

    @pytest.mark.parametrize("extra", [(), ("--exit-zero",)])
    @pytest.mark.parametrize(
        ("arguments", "hint"),
        [
            (("--sellect", "BGL4"), "--select"),
            (("--select", "BGL4O2"), "BGL402"),
            (("--ignore", "blocking-slep"), "blocking-sleep"),
            (("--output-format", "jsn"), '"json"'),
            (("--color", "alwys"), '"always"'),
            (("--target-version", "py3.1.2"), "py31"),
            (("--jobs", "0"), "0"),
            (("--per-file-ignores", "tests"), "PATTERN:CODE"),
            (("--config", "no.toml"), "no.toml"),
            (("-", "a.py"), "a.py"),
        ],
    )
    def test_two_for_wrong_options_with_the_nearest_right_word(
        self, run: Run, here: Here, arguments: tuple[str, ...], hint: str, extra: tuple[str, ...]
    ) -> None:
        here("a.py", CLEAN)
        done = run(*arguments, *extra)
        assert (done.code, done.out) == (2, "")
        assert hint in done.err

    def test_two_for_a_wrong_configuration(self, run: Run, here: Here) -> None:
        here("a.py", CLEAN)
        here("pyproject.toml", '[tool.bglint]\nselekt = ["BGL1"]\n')
        done = run()
        assert done.code == 2
        assert "pyproject.toml:2" in done.err
        assert '"select"' in done.err

    def test_nothing_to_lint_is_said_and_is_no_error(self, run: Run, here: Here) -> None:
        here("a.txt", SLEEPS)
        done = run()
        assert done.code == 0
        assert "no Python files" in done.err


class TestCommands:
    def test_check_may_be_left_out(self, run: Run, here: Here) -> None:
        here("src/a.py", SLEEPS)
        said, unsaid = run("check", *CONCISE, "src"), run(*CONCISE, "src")
        assert said == unsaid
        assert said.code == 1

    def test_a_folder_called_check_needs_a_dot(self, run: Run, here: Here) -> None:
        here("check/a.py", SLEEPS)
        here("b.py", CLEAN)
        assert reported(run(*JSON, "./check")) == [("check/a.py", 5, "BGL402")]
        assert reported(run("check", *JSON, "b.py")) == []

    def test_version(self, run: Run) -> None:
        assert run("--version") == Done(0, f"bglint {bglint.__version__}\n".encode(), "")
        assert run("version").out.startswith(f"bglint {bglint.__version__} (libcst ")

    @pytest.mark.parametrize("arguments", [(), ("check",), ("rule",), ("config",), ("version",)])
    def test_help_is_there_with_examples(self, run: Run, arguments: tuple[str, ...]) -> None:
        done = run(*arguments, "--help")
        assert done.code == 0
        assert "bglint" in done.out
        assert "Examples:" in done.out or arguments == ("version",)

    def test_help_lists_every_option_once(self, run: Run) -> None:
        shown = re.findall(r"^  (?:-\w, )?(--[\w-]+)", run("check", "--help").out, re.MULTILINE)
        assert len(set(shown)) == len(shown)
        assert {"--fix", "--select", "--output-format", "--jobs", "--stdin-filename"} < set(shown)

    def test_the_module_runs_too(self, tmp_path: Path, here: Here) -> None:
        here("a.py", SLEEPS)
        done = subprocess.run(
            [sys.executable, "-m", "bglint", *CONCISE, "a.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": SOURCE},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stdout.startswith("a.py:5:5: BGL402")

    def test_showing_the_version_imports_next_to_nothing(self) -> None:
        program = """
            import sys
            from bglint.cli import main
            try:
                main(["--version"])
            except SystemExit:
                slow = ("libcst", "rich", "pathspec", "packaging", "bglint.rules", "bglint.config", "bglint.report")
                print([name for name in slow if name in sys.modules])
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            env={**os.environ, "PYTHONPATH": SOURCE},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == f"bglint {bglint.__version__}\n[]\n"


class TestRuleCommand:
    @pytest.mark.parametrize("name", ["BGL402", "bgl402", "blocking-sleep"])
    def test_explains_a_rule(self, run: Run, name: str) -> None:
        done = run("rule", name)
        assert done.code == 0
        assert done.out.startswith("# blocking-sleep (BGL402)\n\nReported as an error; on by default.\n")

    def test_explains_the_tools_own_code(self, run: Run) -> None:
        assert "# unparsable-file (BGL000)" in run("rule", "BGL000").out

    def test_all_rules_as_json(self, run: Run) -> None:
        done = run("rule", "--all", "--output-format", "json")
        pages = json.loads(done.out)
        assert [page["code"] for page in pages] == [rule.code for rule in all_rules()]
        for page in pages:
            assert set(page) == {
                *("code", "name", "level", "default", "summary", "explanation", "sections", "url"),
            }

    def test_json_of_one_rule_is_an_object_with_its_sections(self, run: Run) -> None:
        page = json.loads(run("rule", "BGL000", "--output-format", "json").out)
        assert page["code"] == "BGL000"
        assert set(page["sections"]) >= {"What it does", "Why is this bad?", "Example", "Use instead", "Fix safety"}
        assert "```python" in page["sections"]["Example"]

    @pytest.mark.parametrize(
        ("name", "hint"), [("BGL4O2", "BGL402"), ("blocking-sleeep", "blocking-sleep"), ("xyz", "--all")]
    )
    def test_an_unknown_rule_is_an_error_that_names_the_nearest(self, run: Run, name: str, hint: str) -> None:
        done = run("rule", name)
        assert (done.code, done.out) == (2, "")
        assert hint in done.err

    @pytest.mark.parametrize("arguments", [(), ("BGL402", "--all")])
    def test_it_is_one_rule_or_all(self, run: Run, arguments: tuple[str, ...]) -> None:
        assert run("rule", *arguments).code == 2


class TestConfigCommand:
    def test_says_where_each_setting_came_from(self, run: Run, here: Here) -> None:
        here("pyproject.toml", '[project]\nrequires-python = ">=3.12"\n[tool.bglint]\nignore = ["BGL402"]\n')
        done = run("config", "--extend-exclude", "old")
        assert done.code == 0
        assert re.search(r'^ignore +=.*"BGL402".*# pyproject.toml$', done.out, re.MULTILINE)
        assert re.search(r"^extend-exclude +=.*old.*# command line$", done.out, re.MULTILINE)
        assert re.search(r'^target-version += "py312"  # requires-python$', done.out, re.MULTILINE)
        assert re.search(r"^join-timeout += 10.0  # default$", done.out, re.MULTILINE)

    def test_speaks_json_about_the_file_that_is_asked_for(self, run: Run, here: Here) -> None:
        file = here("inner/bglint.toml", 'guards = ["app.log_errors"]\n')
        answer = json.loads(run("config", "inner/a.py", "--output-format", "json").out)
        assert answer["config"] == str(file)
        assert answer["settings"]["guards"] == {"value": ["app.log_errors"], "origin": "inner/bglint.toml"}


class TestWhatIsLinted:
    def test_select_and_ignore_take_codes_prefixes_and_names(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        assert run(*JSON, "--select", "BGL0,blocking-sleep").code == 1
        assert run(*JSON, "--select", "BGL0").code == 0
        assert run(*JSON, "--select", "BGL4", "--ignore", "BGL402").code == 0
        assert run(*JSON, "--select", "BGL0", "--extend-select", "BGL40").code == 1
        assert run(*JSON, "--extend-ignore", "BGL4").code == 0

    def test_per_file_ignores(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        here("tests/b.py", SLEEPS)
        here("scripts/c.py", SLEEPS)
        left = run(*JSON, "--per-file-ignores", "tests/*:BGL0,BGL402,{scripts,tools}/*.py:BGL4")
        assert reported(left) == [("a.py", 5, "BGL402")]

    def test_configuration_of_the_project_file_or_none(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        here("pyproject.toml", '[tool.bglint]\nignore = ["BGL402"]\n')
        here("other.toml", 'select = ["BGL4"]\n')
        assert run().code == 0
        assert run("--isolated").code == 1
        assert run("--config", "other.toml").code == 1

    def test_excluded_files_unless_named(self, run: Run, here: Here) -> None:
        here("old/a.py", SLEEPS)
        exclude = ("--extend-exclude", "old")
        assert run(*JSON, *exclude).code == 0
        assert run(*JSON, *exclude, "old/a.py").code == 1
        assert run(*JSON, *exclude, "--force-exclude", "old/a.py").code == 0

    def test_what_git_ignores(self, run: Run, here: Here) -> None:
        here(".git/HEAD", "")
        here(".gitignore", "built.py\n")
        here("built.py", SLEEPS)
        assert run(*JSON).code == 0
        assert run(*JSON, "--no-respect-gitignore").code == 1

    def test_noqa_unless_ignored(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS.replace("(1)", "(1)  # noqa: BGL402"))
        assert run(*JSON).code == 0
        assert run(*JSON, "--ignore-noqa").code == 1

    @pytest.mark.parametrize("jobs", ["2", "3"])
    def test_the_same_whatever_the_number_of_processes(self, run: Run, here: Here, jobs: str) -> None:
        for number in range(30):
            here(f"pkg/m{number}.py", "# line\n" * number + SLEEPS * (number % 3))
        here("pkg/broken.py", "def f(:\n")
        alone = run(*CONCISE, "--jobs", "1")
        assert run(*CONCISE, "--jobs", jobs) == alone
        assert alone.code == 1


class TestOutput:
    def test_concise(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        lines = run(*CONCISE).out.splitlines()
        assert re.fullmatch(r"a\.py:5:5: BGL402 \[\*\] .+", lines[0])
        assert lines[1:] == ["Found 1 error.", "[*] 1 fixable with the --fix option."]

    @pytest.mark.parametrize("format", FORMATS)
    def test_every_format_names_the_finding(self, run: Run, here: Here, format: str) -> None:
        here("a.py", SLEEPS)
        done = run("--isolated", "--output-format", format)
        assert (done.code, done.err) == (1, "")
        assert "BGL402" in done.out

    def test_into_a_file(self, run: Run, here: Here, tmp_path: Path) -> None:
        here("a.py", SLEEPS)
        done = run(*JSON, "--output-file", "reports/bglint.json")
        assert (done.code, done.out) == (1, "")
        assert json.loads((tmp_path / "reports/bglint.json").read_text("utf-8"))[0]["code"] == "BGL402"

    def test_a_file_that_cannot_be_written_is_an_error(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        done = run("--output-file", "a.py/report")
        assert done.code == 2
        assert "a.py/report" in done.err

    def test_statistics(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS + SLEEPS)
        done = run("--isolated", "--statistics")
        assert re.match(r"2\tBGL402\t.*blocking-sleep\n", done.out)
        assert json.loads(run(*JSON, "--statistics").out)[0]["count"] == 2

    def test_quiet_prints_findings_only(self, run: Run, here: Here) -> None:
        here("a.py", SLEEPS)
        assert len(run(*CONCISE, "--quiet").out.splitlines()) == 1
        here("a.py", CLEAN)
        assert run("--quiet") == Done(0, b"", "")

    def test_verbose_says_under_which_configuration(self, run: Run, here: Here) -> None:
        here("a.py", CLEAN)
        here("pyproject.toml", "[tool.bglint]\n")
        done = run("--verbose", "a.py")
        assert "pyproject.toml" in done.err
        assert "1 file" in done.err

    def test_colour_only_where_it_is_wanted(self, run: Run, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
        here("a.py", SLEEPS)
        assert "\x1b[" in run("--color", "always").out
        assert "\x1b[" not in run("--color", "never").out
        assert "\x1b[" not in run().out

    @pytest.mark.parametrize(
        ("environment", "coloured"),
        [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    )
    def test_colour_on_a_terminal(
        self, here: Here, tmp_path: Path, environment: dict[str, str], coloured: bool
    ) -> None:
        here("a.py", SLEEPS)
        assert ("\x1b[" in on_a_terminal(tmp_path, environment, "--isolated", "a.py")) is coloured


def on_a_terminal(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """Return what bglint writes to a terminal as its report; a slow machine's progress bar goes elsewhere."""
    pty = pytest.importorskip("pty")
    controller, terminal = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    process = subprocess.Popen(
        [sys.executable, "-m", "bglint", *arguments],
        cwd=folder,
        env={**clean, "PYTHONPATH": SOURCE, **environment},
        stdout=terminal,
        stderr=subprocess.DEVNULL,
    )
    os.close(terminal)
    shown = b""
    with open(controller, "rb", buffering=0) as output:
        try:
            while data := output.read(4096):
                shown += data
        except OSError:  # Linux's way of saying that the other end is closed
            pass
    process.wait(timeout=60)
    return shown.decode("utf-8")


class TestInternalErrors:
    """A bug costs the file it shows in, and is never taken for the user's own."""

    @pytest.fixture(autouse=True)
    def break_one_file(self, monkeypatch: pytest.MonkeyPatch, here: Here) -> None:
        real = engine.lint

        def lint(source: Any, *rest: Any) -> Any:
            if source.path.name == "bad.py":
                raise LookupError("no such\nthing")
            if source.path.name == "deadly.py":
                os.kill(os.getpid(), signal.SIGKILL)
            return real(source, *rest)

        monkeypatch.setattr(engine, "lint", lint)
        for name in ("a.py", "b.py", "c.py"):
            here(name, SLEEPS)

    @pytest.mark.parametrize("jobs", ["1", "2"])
    @pytest.mark.parametrize("extra", [(), ("--exit-zero",)])
    def test_an_exception_costs_one_file(self, run: Run, here: Here, jobs: str, extra: tuple[str, ...]) -> None:
        here("bad.py", SLEEPS)
        done = run(*JSON, "--jobs", jobs, *extra)
        assert done.code == 2
        assert [path for path, _, _ in reported(done)] == ["a.py", "b.py", "c.py"]
        (line,) = done.err.splitlines()
        assert line.startswith("error: bad.py: internal error")
        assert "LookupError: no such thing" in line
        assert "report" in line

    def test_a_run_without_other_findings_does_not_claim_success(self, run: Run, here: Here) -> None:
        here("bad.py", SLEEPS)
        done = run("--isolated", "bad.py")
        assert (done.code, done.out) == (2, "")

    def test_a_dead_process_costs_one_file(self, run: Run, here: Here) -> None:
        here("deadly.py", SLEEPS)
        done = run(*JSON, "--jobs", "2")
        assert done.code == 2
        assert [path for path, _, _ in reported(done)] == ["a.py", "b.py", "c.py"]
        assert re.fullmatch(r"error: deadly\.py: .* crashed on this file \(killed by SIGKILL\)\. .*\n", done.err)

    def test_fixing_leaves_the_file_alone_and_fixes_the_others(self, run: Run, here: Here) -> None:
        bad, good = here("bad.py", SLEEPS), here("a.py", SLEEPS)
        assert run("--isolated", "--fix").code == 2
        assert bad.read_text("utf-8") == SLEEPS
        assert good.read_text("utf-8") == AWAITS


class TestInterrupt:
    def test_every_file_is_whole(self, tmp_path: Path, here: Here) -> None:
        for number in range(20):
            here(f"m{number}.py", SLEEPS)
        # Writing is slowed down so that the signal surely comes in the middle of it.
        program = """
            import os, time
            real = os.replace
            def replace(*arguments):
                time.sleep(0.2)
                real(*arguments)
            os.replace = replace
            from bglint.cli import main
            main(["--isolated", "--fix", "."])
        """
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": SOURCE},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        files = sorted(tmp_path.glob("*.py"))
        while all(file.read_text("utf-8") == SLEEPS for file in files):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert (out, err) == ("", "Interrupted. Every file is whole, either as it was or changed.\n")
        assert {file.read_text("utf-8") for file in files} == {SLEEPS, AWAITS}
        assert sorted(tmp_path.iterdir()) == files
