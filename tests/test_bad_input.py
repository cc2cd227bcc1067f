"""Files that are none, or strange ones: a clear line for each, and every other file is linted as ever."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from scratch import Here

import bglint

SOURCE = str(Path(bglint.__file__).parent.parent)
SLEEPS = "import time\n\n\nasync def nap():\n    time.sleep(1)\n"
DEEP = 5_000

# What each file holds, and how its only line starts behind ``name:row:column: ``.
BROKEN: dict[str, tuple[str | bytes, str]] = {
    "syntax.py": (SLEEPS + "def f(:\n", "6:7: BGL000 Cannot parse: invalid syntax"),
    "indentation.py": (SLEEPS + "  x = 1\n", "6:8: BGL000 Cannot parse: unindent"),
    "nul.py": (SLEEPS + "x = '\0'\n", "6:6: BGL000 source code cannot contain null bytes"),
    "only_nul.py": (b"\0" * 4_096, "1:1: BGL000 source code cannot contain null bytes"),
    "no_such_encoding.py": ("# coding: nonsense\n" + SLEEPS, "1:11: BGL000 unknown encoding: nonsense"),
    "wrong_encoding.py": (b"# coding: utf-8\nx = '\xff'\n", "2:6: BGL000 not valid utf-8: byte 0xff"),
    "two_encodings.py": (b"\xef\xbb\xbf# coding: latin-1\n", "1:11: BGL000 encoding declared as latin-1, but"),
    "utf16.py": (SLEEPS.encode("utf-16"), "1:1: BGL000 not valid utf-8: byte 0xff"),
    "parentheses.py": (f"{SLEEPS}x = {'(' * DEEP}1{')' * DEEP}\n", "6:205: BGL000 Cannot parse: too many nested"),
    "indented.py": (
        SLEEPS + "".join(f"{' ' * depth}if x:\n" for depth in range(200)) + f"{' ' * 200}pass\n",
        "106:1: BGL000 Cannot parse: too many levels of indentation",
    ),
}
# Deeper than the running Python builds trees, or LibCST parses: what can be linted is, the rest has its line.
DEEP_ONES = {
    "calls.py": f"{SLEEPS}x = a{'.b()' * DEEP}\n",
    "sum.py": f"{SLEEPS}async def f():\n    time.sleep({'1 + ' * DEEP}1)\n",
    "minus.py": f"{SLEEPS}x = {'-' * DEEP}1\n",
    "and.py": f"{SLEEPS}async def f():\n    time.sleep({' and '.join(['x'] * DEEP)})\n",
    "elif.py": f"{SLEEPS}if x == 0:\n    pass\n" + "".join(f"elif x == {i}:\n    pass\n" for i in range(DEEP)),
}
ODD = {
    "empty.py": b"",
    "comment.py": b"# nothing",
    "blank.py": b"\n\x0c\n \n",
    "one_line.py": f"{SLEEPS}x = [{'1, ' * 100_000}]\n".encode(),
    "lone_cr.py": SLEEPS.replace("\n", "\r").encode(),
}


def bglint_on(folder: Path, *arguments: str) -> tuple[int, list[str], str]:
    done = subprocess.run(
        [sys.executable, "-m", "bglint", "--isolated", "--output-format", "concise", "--quiet", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": SOURCE},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


def lines_of(lines: list[str], name: str) -> list[str]:
    return [line.removeprefix(f"{name}:") for line in lines if line.startswith(f"{name}:")]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_every_broken_file_has_its_line_and_the_others_are_linted(tmp_path: Path, here: Here, jobs: str) -> None:
    for name, (content, _) in BROKEN.items():
        here(name, content)
    for name, odd in ODD.items():
        here(name, odd)
    here("good.py", SLEEPS)
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "me.py").symlink_to("me.py")
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    code, lines, error = bglint_on(tmp_path, "--jobs", jobs, ".", "missing.py")
    assert (code, error) == (1, "")
    for name, (_, start) in BROKEN.items():
        (line,) = lines_of(lines, name)
        assert line.startswith(start)
    for name in ("good.py", "one_line.py", "lone_cr.py"):
        (line,) = lines_of(lines, name)
        assert line.startswith("5:5: BGL402")
    for name in ("missing.py", "gone.py"):
        assert lines_of(lines, name) == ["1:1: BGL000 No such file or directory"]
    assert lines_of(lines, "me.py") == ["1:1: BGL000 Too many levels of symbolic links"]
    assert len(lines) == len(BROKEN) + 3 + 3


@pytest.mark.parametrize("name", DEEP_ONES)
def test_a_deep_expression_costs_no_more_than_its_file(tmp_path: Path, here: Here, name: str) -> None:
    here(name, DEEP_ONES[name])
    here("good.py", SLEEPS)
    code, lines, error = bglint_on(tmp_path, "--jobs", "1")
    assert (code, error) == (1, "")
    assert len(lines_of(lines, "good.py")) == 1
    found = lines_of(lines, name)
    # Nothing is lost without a word: either the call above it is reported, or the file has a line.
    assert found
    assert found[0].startswith("5:5: BGL402") or "BGL000 Cannot parse: nested too deeply" in found[0]


def test_a_file_of_50_000_lines(tmp_path: Path, here: Here) -> None:
    functions = (f"def f{number}(a, b):\n    c = a + b\n    return c * {number}\n\n\n" for number in range(10_000))
    calls = (f"async def g{number}():\n    time.sleep(f{number}(1, 2))\n" for number in range(100))
    here("big.py", "import time\n" + "".join(functions) + "".join(calls))
    code, lines, error = bglint_on(tmp_path)
    assert (code, error) == (1, "")
    assert Counter(line.split()[1] for line in lines) == {"BGL402": 100}
    assert lines[-1].startswith("big.py:50201:5:")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path: Path, here: Here) -> None:
    here("secret.py", SLEEPS).chmod(0)
    here("good.py", SLEEPS)
    code, lines, _ = bglint_on(tmp_path)
    assert code == 1
    assert lines_of(lines, "secret.py") == ["1:1: BGL000 Permission denied"]
    assert len(lines_of(lines, "good.py")) == 1


@pytest.mark.parametrize("extra", [(), ("--fix",), ("--diff",), ("--add-noqa",)])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_file_that_vanishes_once_it_was_found(tmp_path: Path, here: Here, jobs: str, extra: tuple[str, ...]) -> None:
    """The good file goes as soon as the folder has been listed."""
    for name in ("a.py", "b.py", "vanishing.py"):
        here(name, SLEEPS)
    program = """
import os
from bglint import discover
real = discover.discover
def discover_and_delete(*arguments):
    found = real(*arguments)
    os.unlink("vanishing.py")
    return found
discover.discover = discover_and_delete
from bglint.cli import main
main(["--isolated", "--quiet", "--output-format", "concise", *{arguments!r}])
"""
    done = subprocess.run(
        [sys.executable, "-c", program.replace("{arguments!r}", repr(["--jobs", jobs, *extra]))],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": SOURCE},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 1, told
    assert "vanishing.py:1:1: BGL000 No such file or directory" in told
    assert ("a.py:5:5: BGL402" in told) is (extra == ())
    assert "Traceback" not in told
