"""--add-noqa: what is written where, and that bglint, flake8 and ruff all heed it."""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from flake8.processor import FileProcessor
from flake8.violation import Violation
from hypothesis import given, settings
from hypothesis import strategies as st
from scratch import Here, Run

from bglint import api
from bglint.add_noqa import add_noqa
from bglint.config import Options
from bglint.model import Finding
from bglint.source import decode

HEAD = "import time\n\n\nasync def nap(f=print):\n"
OPTIONS = Options(isolated=True, select=("BGL402", "BGL001"))
# A statement with a call to silence, and what it becomes.
STATEMENTS = {
    "one line": ("time.sleep(1)", "time.sleep(1)  # noqa: BGL402"),
    "trailing space": ("time.sleep(1)  \t", "time.sleep(1)  # noqa: BGL402"),
    "a comment": ("time.sleep(1)  # why", "time.sleep(1)  # why  # noqa: BGL402"),
    "a pragma": ("time.sleep(1)  # type: ignore", "time.sleep(1)  # type: ignore  # noqa: BGL402"),
    "codes of others": ("time.sleep(1)  # noqa: E501", "time.sleep(1)  # noqa: E501, BGL402"),
    "other codes and words": ("time.sleep(1)  # noqa:E501,W1 why", "time.sleep(1)  # noqa:E501,W1, BGL402 why"),
    "a code in lower case": ("time.sleep(1)  # NOQA: bgl402", "time.sleep(1)  # NOQA: BGL402"),
    "twice on a line": ("time.sleep(1), time.sleep(2)", "time.sleep(1), time.sleep(2)  # noqa: BGL402"),
    "several lines": ("f(\n    time.sleep(1),\n    2,\n)", "f(\n    time.sleep(1),  # noqa: BGL402\n    2,\n)"),
    "a call of several lines": ("time.sleep(\n    1\n)", "time.sleep(  # noqa: BGL402\n    1\n)"),
    "a backslash": ("f(1) or \\\n    time.sleep(1)", "f(1) or \\\n    time.sleep(1)  # noqa: BGL402"),
    "before backslashes": (
        "time.sleep(1) or \\\n    f(1) or \\\n    f(2)",
        "time.sleep(1) or \\\n    f(1) or \\\n    f(2)  # noqa: BGL402",
    ),
    "before a string": (
        'f(time.sleep(1), """\n# not a comment\n""", 1,\n    2)',
        'f(time.sleep(1), """\n# not a comment\n""", 1,  # noqa: BGL402\n    2)',
    ),
    "behind a string": (
        "f('''\n''', time.sleep(1),\n    2)",
        "f('''\n''', time.sleep(1),  # noqa: BGL402\n    2)",
    ),
    "inside a string": (
        'f(f"""\n    {time.sleep(1)}\n    text\n""")',
        'f(f"""\n    {time.sleep(1)}\n    text\n""")  # noqa: BGL402',
    ),
    "a hash in a string": ("f('# no comment'); time.sleep(1)", "f('# no comment'); time.sleep(1)  # noqa: BGL402"),
    "a compound statement": ("if time.sleep(1):\n    pass", "if time.sleep(1):  # noqa: BGL402\n    pass"),
}


def program(*statements: str) -> str:
    body = "\n".join(statements).split("\n")
    return HEAD + "".join(f"    {line}\n" for line in body)


def found(text: str | bytes, options: Options = OPTIONS) -> tuple[Finding, ...]:
    return api.lint_source(text, Path("/nowhere/a.py"), options=options, cwd=Path("/nowhere"))


def silenced(text: str | bytes, reason: str = "") -> str:
    data = text if isinstance(text, bytes) else text.encode()
    return add_noqa(decode(data, "a.py"), found(data), reason)


@pytest.mark.parametrize(("before", "after"), STATEMENTS.values(), ids=STATEMENTS)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_where_the_comment_goes(before: str, after: str, newline: str) -> None:
    text = program(before).replace("\n", newline)
    assert silenced(text) == program(after).replace("\n", newline)
    assert found(silenced(text)) == ()


@pytest.mark.parametrize(
    ("reason", "comment"),
    [
        ("until 2027", "# noqa: BGL402 until 2027"),
        ("py3 only", "# noqa: BGL402 - py3 only"),
        ("(see #12)", "# noqa: BGL402 (see #12)"),
        ("wegen Übergrößen", "# noqa: BGL402 wegen Übergrößen"),
    ],
)
def test_the_reason_follows_and_is_never_taken_for_a_code(reason: str, comment: str) -> None:
    text = silenced(program("time.sleep(1)"), reason)
    assert text == program(f"time.sleep(1)  {comment}")
    assert found(text) == ()


def test_a_reason_that_is_there_already_stays_the_only_one() -> None:
    text = program("time.sleep(1)  # noqa: E501 long", "time.sleep(2)  # noqa: E501")
    wanted = program("time.sleep(1)  # noqa: E501, BGL402 long", "time.sleep(2)  # noqa: E501, BGL402 why")
    assert silenced(text, "why") == wanted


def test_all_codes_of_a_line_stand_in_one_comment() -> None:
    options = Options(isolated=True, select=("BGL401", "BGL402", "BGL503"))
    text = "import requests, time\n\n\nasync def f(url):\n    requests.get(time.sleep(1) or url)\n"
    after = add_noqa(decode(text.encode(), "a.py"), found(text, options))
    assert after == text[:-1] + "  # noqa: BGL401, BGL402\n"


def test_a_string_that_flake8_would_take_for_the_comment_is_left_alone() -> None:
    text = program("f('# noqa: E501', time.sleep(1))", 'f(time.sleep(1), """\n# noqa: E501\n""")')
    assert silenced(text) == text


def test_what_has_no_cure_is_not_commented_on() -> None:
    options = Options(isolated=True, select=("BGL0", "BGL402"))
    for text in ("def f(:\n", "x = 1  # noqa: BGL402\n"):
        assert found(text, options)
        assert add_noqa(decode(text.encode(), "a.py"), found(text, options)) == text


FLAKE8 = argparse.Namespace(hang_closing=False, indent_size=4, max_line_length=79, max_doc_length=None, verbose=0)
statements = st.lists(st.sampled_from([before for before, _ in STATEMENTS.values()]), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(statements, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "why", "E5 is wrong"]), st.booleans())
def test_whatever_stands_side_by_side_is_silenced_and_stays_the_same_program(
    parts: list[str], newline: str, reason: str, final_newline: bool
) -> None:
    text = program(*parts).replace("\n", newline)
    text = text if final_newline else text[: -len(newline)]
    after = silenced(text, reason)
    assert found(after) == ()
    assert ast.dump(ast.parse(after), include_attributes=True) == ast.dump(ast.parse(text), include_attributes=True)
    assert silenced(after, reason) == after
    processor = FileProcessor("a.py", FLAKE8, lines=after.splitlines(keepends=True))
    for finding in found(text):
        row = finding.span.start.row
        violation = Violation("BGL402", "a.py", row, 1, "", processor.noqa_line_for(row))
        assert violation.is_inline_ignored(disable_noqa=False)


@pytest.mark.parametrize("extra", [(), ("--add-noqa=until 2027",)])
def test_flake8_and_ruff_read_the_same_comments(run: Run, here: Here, tmp_path: Path, extra: tuple[str, ...]) -> None:
    file = here("a.py", program(*(before for before, _ in STATEMENTS.values())).replace("E501,W1", "E501,E502"))
    select = ("--isolated", "--select", "BGL402")
    assert run(*select, *(extra or ("--add-noqa",)), ".").code == 0
    text = file.read_text("utf-8")
    assert text.count("BGL402") == len(STATEMENTS)
    here("setup.cfg", "[flake8]\nselect = BGL\n[flake8:local-plugins]\nextension =\n    BGL = bglint.flake8:Plugin\n")
    flake8 = subprocess.run([sys.executable, "-m", "flake8", "a.py"], cwd=tmp_path, capture_output=True, check=False)
    assert flake8.stdout == b""
    options = ("--isolated", "--no-cache", "--select", "RUF100,E501,E502", "--preview", "--output-format", "json")
    external = ("--config", 'lint.external=["BGL"]')
    ruff = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *options, *external, "--fix", "a.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "warning" not in ruff.stderr
    assert json.loads(ruff.stdout or "[]") == []
    # It takes away the codes of its own that silence nothing, and leaves ours alone.
    assert file.read_text("utf-8").count("BGL402") == len(STATEMENTS)


class TestCommand:
    def test_a_path_behind_it_is_no_reason(self, run: Run, here: Here) -> None:
        file, other = here("a.py", program("time.sleep(1)")), here("b.py", program("time.sleep(1)"))
        done = run("--isolated", "--add-noqa", "a.py")
        assert (done.code, done.out) == (0, "")
        assert done.err == "Silenced 1 error with noqa comments in 1 file.\n"
        assert file.read_text("utf-8") == program("time.sleep(1)  # noqa: BGL402")
        assert "noqa" not in other.read_text("utf-8")

    @pytest.mark.parametrize("jobs", ["1", "2"])
    def test_a_second_run_has_nothing_to_do(self, run: Run, here: Here, jobs: str) -> None:
        files = [here(f"m{number}.py", program("time.sleep(1)")) for number in range(5)]
        options = ("--isolated", "--add-noqa=why", "--jobs", jobs)
        assert run(*options).err == "Silenced 5 errors with noqa comments in 5 files.\n"
        changed = [file.stat().st_mtime_ns for file in files]
        assert run(*options).err == "Silenced no errors with noqa comments.\n"
        assert [file.stat().st_mtime_ns for file in files] == changed

    def test_encoding_mark_and_line_ends_stay(self, run: Run, here: Here) -> None:
        text = program("time.sleep(1)  # é").replace("\n", "\r\n")
        latin = here("latin.py", ("# coding: latin-1\r\n" + text).encode("latin-1"))
        marked = here("marked.py", b"\xef\xbb\xbf" + text.encode())
        assert run("--isolated", "--add-noqa").code == 0
        wanted = text.replace("# é", "# é  # noqa: BGL402")
        assert latin.read_bytes() == ("# coding: latin-1\r\n" + wanted).encode("latin-1")
        assert marked.read_bytes() == b"\xef\xbb\xbf" + wanted.encode()

    def test_a_reason_that_the_file_cannot_hold_is_an_error(self, run: Run, here: Here) -> None:
        file = here("a.py", "# coding: latin-1\n" + program("time.sleep(1)"))
        done = run("--isolated", "--add-noqa=→", "--output-format", "concise")
        assert done.code == 2
        assert done.err.splitlines()[-1].startswith("error: a.py: no noqa comment added: ")
        assert "noqa" not in file.read_text("latin-1")

    def test_only_what_would_be_reported_is_silenced(self, run: Run, here: Here) -> None:
        file = here("a.py", program("time.sleep(1)"))
        assert run("--isolated", "--add-noqa", "--ignore", "BGL402").code == 0
        assert "noqa" not in file.read_text("utf-8")

    def test_what_cannot_be_silenced_is_reported(self, run: Run, here: Here) -> None:
        here("a.py", "def f(:\n")
        done = run("--isolated", "--add-noqa", "--output-format", "concise")
        assert (done.code, done.out.splitlines()[0][:13]) == (1, "a.py:1:7: BGL")

    def test_a_read_only_file_keeps_its_findings(self, run: Run, here: Here) -> None:
        here("a.py", program("time.sleep(1)")).chmod(0o444)
        done = run("--isolated", "--add-noqa", "--output-format", "concise")
        assert done.code == 2
        assert "BGL402" in done.out

    @pytest.mark.parametrize(
        "options",
        [("--fix",), ("--diff",), ("--fix-only",), ("-",), ("--stdin-filename", "a.py"), ("--add-noqa=a\nb",)],
    )
    def test_what_does_not_go_together_is_refused(self, run: Run, here: Here, options: tuple[str, ...]) -> None:
        file = here("a.py", program("time.sleep(1)"))
        done = run("--add-noqa", *options)
        assert (done.code, done.out) == (2, "")
        assert "--add-noqa" in done.err
        assert "noqa" not in file.read_text("utf-8")

    def test_quiet(self, run: Run, here: Here) -> None:
        here("a.py", program("time.sleep(1)"))
        done = run("--isolated", "--add-noqa", "--quiet")
        assert (done.code, done.out, done.err) == (0, "", "")
