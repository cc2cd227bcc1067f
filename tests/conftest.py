"""What several test files share: files in a scratch folder, and the command line run there."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path

import pytest
from scratch import Done, Here, Run

from bglint import cli

# A shell that starts the tests in the background has them ignore interrupts, and so every process that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run ``bglint`` with the arguments, in ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "dumb")

    def run(*arguments: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as exit:
            cli.main(list(arguments))
        captured = capfdbinary.readouterr()
        return Done(int(exit.value.code or 0), captured.out, captured.err.decode("utf-8"))

    return run


@pytest.fixture
def here(tmp_path: Path) -> Here:
    """Write a file below ``tmp_path``."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write
