"""Running a command on a folder of sources: how long it takes, what it finds, whether it crashes."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_FINDING = re.compile(r"^\S.*?:\d+:\d+: ", re.MULTILINE)
_TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True, slots=True)
class Run:
    """One run's outcome. A run that ``timed_out`` was stopped: its ``seconds`` are a lower bound."""

    seconds: float
    findings: int
    crash: str | None = None
    timed_out: bool = False


def measure(
    command: Sequence[str],
    folder: Path,
    *,
    expected: Sequence[int] = (0,),
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Run:
    """Run ``command`` in ``folder`` and time it from the start of the process to its end.

    An exit code that is not ``expected``, or a traceback, is a crash. ``environment`` as for ``execute``.
    """
    started = time.perf_counter()
    try:
        done = execute(command, folder, environment, timeout)
    except subprocess.TimeoutExpired:
        return Run(time.perf_counter() - started, 0, timed_out=True)
    seconds = time.perf_counter() - started
    return Run(seconds, count_findings(done.stdout), crash_of(done, expected))


def execute(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` in ``folder`` with ``environment`` added to the variables; return what it printed.

    Raises subprocess.TimeoutExpired.
    """
    return subprocess.run(
        command,
        cwd=folder,
        env=variables(environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
    )


def variables(more: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of this process with ``more``, but for an inherited PYTHONPATH.

    It could put the checkout's bglint within reach of the other tools.
    """
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, **more}


def count_findings(output: str) -> int:
    """Return how many lines of ``output`` have the form ``path:row:column: ...``."""
    return len(_FINDING.findall(output))


def crash_of(done: subprocess.CompletedProcess[str], expected: Sequence[int]) -> str | None:
    """Return how a finished run crashed (exit code and the end of its stderr), None if it did not."""
    if done.returncode in expected and _TRACEBACK not in done.stderr:
        return None
    return f"exit code {done.returncode}\n{done.stderr[-3000:]}"
