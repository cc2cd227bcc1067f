"""The progress bar: at a terminal, in long runs, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from scratch import Here

import bglint

pty = pytest.importorskip("pty")
SOURCE = str(Path(bglint.__file__).parent.parent)
SLEEPS = "import time\n\n\nasync def nap():\n    time.sleep(1)\n"
PROGRAM = """
    import sys
    import bglint.progress
    bglint.progress._PATIENCE = bglint.progress._REFRESH = {patience}
    from bglint.cli import main
    try:
        main({arguments!r})
    finally:
        print("rich imported" if "rich.progress" in sys.modules else "no rich")
"""


def shown(folder: Path, *arguments: str, patience: int = 0, term: str = "xterm") -> tuple[str, str]:
    """Return what bglint writes to a file as stdout, and to a terminal as stderr."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM.format(patience=patience, arguments=list(arguments)))],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": SOURCE, "TERM": term, "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=terminal,
    )
    os.close(terminal)
    assert process.stdout is not None
    out = process.stdout.read().decode()
    error = b""
    with open(controller, "rb", buffering=0) as stream:
        try:
            while data := stream.read(4096):
                error += data
        except OSError:  # Linux's way of saying that the other end is closed
            pass
    process.wait(timeout=60)
    return out, error.decode()


@pytest.fixture
def files(here: Here) -> None:
    for number in range(4):
        here(f"m{number}.py", SLEEPS)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("extra", [(), ("--fix",), ("--add-noqa",)])
def test_a_long_run_at_a_terminal_has_one(tmp_path: Path, jobs: str, extra: tuple[str, ...]) -> None:
    out, error = shown(tmp_path, "--isolated", "--jobs", jobs, "--output-format", "concise", *extra)
    assert "4/4" in error
    assert "Linting" not in out
    assert out.endswith("rich imported\n")


@pytest.mark.usefixtures("files")
def test_a_short_run_has_none_and_does_not_import_it(tmp_path: Path) -> None:
    out, error = shown(tmp_path, "--isolated", "--output-format", "concise", patience=60)
    assert error == ""
    assert out.endswith("no rich\n")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("extra", "term"), [(("--quiet",), "xterm"), ((), "dumb")])
def test_nobody_who_wants_none_has_one(tmp_path: Path, extra: tuple[str, ...], term: str) -> None:
    assert shown(tmp_path, "--isolated", *extra, term=term)[1] == ""
