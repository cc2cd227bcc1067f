"""What bglint costs on a large corpus, beside what its parts cost one by one: processor time and peak memory.

    python benchmarks/scale.py                         some 3,000 files: ten packages that hardly import each other
    python benchmarks/scale.py --packages khoj letta   only these
    python benchmarks/scale.py --select BGL            with every rule

The work is linear where the whole takes as long as all parts together. Needs a system that tells what a process used.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packages import DownloadError, choose, fetch, megabytes, python_files
from rich.console import Console
from rich.table import Table
from runs import variables
from tools import bglint

CORPUS = ("bentoml", "chainlit", "crewai", "dstack", "gradio", "khoj", "letta", "mitmproxy", "octoprint", "sanic")


@dataclass(frozen=True, slots=True)
class Cost:
    """What linting a folder took: processor seconds, megabytes at the peak; the size of the folder."""

    name: str
    files: int
    source: float
    seconds: float
    memory: float


def lint(name: str, folder: Path, options: Sequence[str] = ()) -> Cost:
    """Lint a folder in one process and return what that took. Raises RuntimeError if it did not work."""
    tool = bglint(name, jobs=1)
    environment = variables(tool.environment)
    process = subprocess.Popen([*tool.command, *options], cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in tool.expected:
        raise RuntimeError(f"{name}: bglint ended with exit code {process.returncode}")
    files = python_files(folder)
    return Cost(name, len(files), megabytes(files), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def summary(parts: Sequence[Cost], whole: Cost) -> str:
    """Return the sentence that tells how the whole compares with its parts."""
    alone = sum(part.seconds for part in parts)
    return (
        f"{whole.files} files at once take {whole.seconds / alone:.2f} times as long as one by one "
        f"({whole.seconds:.1f} s, {alone:.1f} s), and {whole.memory:.0f} MB"
    )


def report(costs: Sequence[Cost], console: Console) -> None:
    """Print a table of the runs."""
    table = Table("corpus", "files", "MB of source", "CPU s", "s per MB", "MB at peak")
    for cost in costs:
        rate = f"{cost.seconds / max(cost.source, 0.001):.2f}"
        row = (str(cost.files), f"{cost.source:.1f}", f"{cost.seconds:.1f}", rate, f"{cost.memory:.0f}")
        table.add_row(cost.name, *row)
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Lint the packages named on the command line one by one and together; 1 if one could not be had or linted."""
    parser = argparse.ArgumentParser(description="Processor time and memory of a large corpus and of its parts.")
    parser.add_argument("--packages", nargs="+", metavar="NAME", default=CORPUS, help="names; default: ten packages")
    parser.add_argument("--select", help="rules, as for bglint; default: those that are on by default")
    options = parser.parse_args(arguments)
    rules = ("--select", options.select) if options.select else ()
    try:
        packages = choose(options.packages)
    except ValueError as error:
        parser.error(str(error))
    console = Console()
    parts: list[Cost] = []
    with tempfile.TemporaryDirectory(prefix="bglint-scale-") as scratch:
        try:
            for package in packages:
                folder = Path(shutil.copytree(fetch(package), Path(scratch) / package.name))
                parts.append(lint(package.name, folder, rules))
            whole = lint("all of them", Path(scratch), rules)
        except (DownloadError, RuntimeError) as error:
            print(error, file=sys.stderr)
            return 1
    report([*parts, whole], console)
    console.print(summary(parts, whole))
    return 0


if __name__ == "__main__":
    sys.exit(main())
