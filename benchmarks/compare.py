"""Times bglint, ruff, flake8-async and plain flake8 side by side on pinned real packages.

    python benchmarks/compare.py            five rounds on three packages, half an hour, nearly all of it flake8's
    python benchmarks/compare.py --quick    three rounds on the smallest package

The tools take turns within a round, so that a busy moment of the machine hits all of them. No time is ever a
failure: the exit code is 1 only if a tool crashed or a package could not be had.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from packages import BENCHMARK, STORE, DownloadError, Package, choose, fetch, megabytes, python_files, scratch_copy
from rich.console import Console
from rich.table import Table
from runs import Run, execute, measure
from startup import BASELINE, start_up_tools, write_ordinary_modules
from tools import FOUNDING, Tool, bglint, flake8, flake8_async, ruff

TOOLS = ("bglint", "bglint-9", "bglint-j2", "ruff", "ruff-1", "flake8", "flake8-async")
SLOW_LIMIT = 20 * 60.0
# flake8-async's cost as measured on these packages; decides only whether --quick can afford it.
SLOW_SECONDS_PER_MEGABYTE = 47


@dataclass(frozen=True, slots=True)
class Timing:
    """One tool's runs on one package, warm-up left out. ``findings`` and ``crash`` are the last run's."""

    tool: str
    threads: str
    seconds: tuple[float, ...]
    findings: int
    crash: str | None = None
    timed_out: bool = False

    @property
    def median(self) -> float:
        """The median of the runs' seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class Comparison:
    """All tools' timings on one folder."""

    package: str
    kind: str
    files: int
    megabytes: float
    timings: tuple[Timing, ...]


def timing_of(tool: Tool, runs: Sequence[Run]) -> Timing:
    """Put one tool's ``runs`` together; the first crash among them is kept."""
    crash = next((run.crash for run in runs if run.crash), None)
    return Timing(
        tool.name,
        tool.threads,
        tuple(run.seconds for run in runs),
        runs[-1].findings,
        crash,
        any(run.timed_out for run in runs),
    )


def interleave(tools: Sequence[Tool], folder: Path, rounds: int) -> list[Timing]:
    """Run all ``tools`` in turn, ``rounds`` times after one round that is thrown away unless it crashed."""
    runs: dict[str, list[Run]] = {tool.name: [] for tool in tools}
    for number in range(rounds + 1):
        for tool in tools:
            run = measure(tool.command, folder, expected=tool.expected, environment=tool.environment)
            if number or run.crash:
                runs[tool.name].append(run)
    return [timing_of(tool, runs[tool.name]) for tool in tools]


def ratio(timing: Timing, timings: Iterable[Timing], base: str) -> str:
    """Return how many times ``base``'s median this is: ``≥`` if it was stopped, ``–`` without base."""
    found = next((other for other in timings if other.tool == base and not other.crash), None)
    if found is None or timing.crash:
        return "–"
    return f"{'≥ ' if timing.timed_out else ''}{timing.median / found.median:.1f}"


def compare(package: Package, fast: Sequence[Tool], slow: Sequence[Tool], rounds: int) -> Comparison:
    """Time ``fast`` tools in ``rounds`` and ``slow`` ones once. Raises DownloadError."""
    source = fetch(package)
    files = python_files(source)
    with scratch_copy(source) as folder:
        timings = interleave(fast, folder, rounds) if fast else []
        for tool in slow:
            run = measure(
                tool.command,
                folder,
                expected=tool.expected,
                environment=tool.environment,
                timeout=SLOW_LIMIT,
            )
            timings.append(timing_of(tool, [run]))
    return Comparison(package.requirement, package.kind, len(files), megabytes(files), tuple(timings))


def measure_start_up(rounds: int) -> Comparison:
    """Time starting bglint, against starting Python."""
    with tempfile.TemporaryDirectory(prefix="bglint-benchmark-") as scratch:
        folder = Path(scratch) / "ordinary"
        write_ordinary_modules(folder)
        files = python_files(folder)
        timings = tuple(interleave(start_up_tools(), folder, rounds))
        return Comparison("start-up", "ordinary modules", len(files), megabytes(files), timings)


def select_tools(skip: Sequence[str]) -> tuple[list[Tool], list[Tool]]:
    """Return the tools to run in every round and the one too slow for that, without those to ``skip``."""
    makers: dict[str, Callable[[], Tool]] = {
        "bglint": lambda: bglint("bglint", 1),
        "bglint-9": lambda: bglint("bglint-9", 1, FOUNDING),
        "bglint-j2": lambda: bglint("bglint-j2", 2),
        "ruff": lambda: ruff(STORE, "ruff"),
        "ruff-1": lambda: ruff(STORE, "ruff-1", threads=1),
        "flake8": lambda: flake8(STORE),
    }
    fast = [make() for name, make in makers.items() if name not in skip]
    return fast, [] if "flake8-async" in skip else [flake8_async(STORE)]


def affordable(package: Package, *, quick: bool) -> bool:
    """Say whether flake8-async should run on ``package``: a quick run wants under a minute."""
    return not quick or package.megabytes * SLOW_SECONDS_PER_MEGABYTE < 60


def version_of(tool: Tool) -> str:
    """Return the tool's version line, for flake8 with its plugins."""
    done = execute(tool.version_command, STORE, tool.environment)
    return " ".join((done.stdout or done.stderr).split())


def table_of(comparison: Comparison, columns: Sequence[tuple[str, str]]) -> Table:
    """Show a comparison; ``columns`` are the ratios to show, as heading and name of the base."""
    title = f"{comparison.package} ({comparison.kind}): {comparison.files} files, {comparison.megabytes:.1f} MB"
    table = Table(title=title, title_justify="left")
    table.add_column("tool")
    for heading in ("threads", "median s", "min – max", *(name for name, _ in columns), "findings"):
        table.add_column(heading, justify="right")
    for timing in comparison.timings:
        bound = "≥ " if timing.timed_out else ""
        table.add_row(
            timing.tool,
            timing.threads,
            f"{bound}{timing.median:.3f}",
            f"{min(timing.seconds):.3f} – {max(timing.seconds):.3f}",
            *(ratio(timing, comparison.timings, base) for _, base in columns),
            "crashed" if timing.crash else "?" if timing.timed_out else str(timing.findings),
        )
    return table


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Time bglint and its neighbours side by side.")
    parser.add_argument("--packages", nargs="+", metavar="NAME", help="default: the three of the benchmark")
    parser.add_argument("--rounds", type=int, help="how often every tool runs (default 5, quick 3)")
    parser.add_argument("--quick", action="store_true", help="the smallest package, flake8-async if affordable")
    parser.add_argument("--skip", nargs="+", choices=TOOLS, default=[], metavar="TOOL", help=", ".join(TOOLS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement there")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (3 if options.quick else 5)
    try:
        options.packages = choose(options.packages or [package.name for package in BENCHMARK])
    except ValueError as error:
        parser.error(str(error))
    if options.quick:
        options.packages = [min(options.packages, key=lambda package: package.megabytes)]
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison and print it; 1 if a tool crashed or a package could not be had."""
    options = parse(arguments)
    console = Console(width=max(100, Console().width))
    fast, slow = select_tools(options.skip)
    versions = {tool.name: version_of(tool) for tool in (*fast, *slow)}
    machine = f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}"
    console.print(f"{machine}, {os.cpu_count()} cores, medians of {options.rounds} rounds", highlight=False)
    for name, version in versions.items():
        console.print(f"  {name}: {version}", highlight=False, markup=False)
    comparisons = []
    for package in options.packages:
        try:
            afforded = slow if affordable(package, quick=options.quick) else []
            comparisons.append(compare(package, fast, afforded, options.rounds))
        except DownloadError as error:
            console.print(str(error), markup=False)
            return 1
        console.print(
            table_of(comparisons[-1], [("× ruff", "ruff"), ("× ruff-1", "ruff-1"), ("× bglint-9", "bglint-9")])
        )
    if "bglint" not in options.skip:
        comparisons.append(measure_start_up(max(10, options.rounds)))
        console.print(table_of(comparisons[-1], [("× python", BASELINE)]))
    if options.json:
        report = {
            "machine": machine,
            "cores": os.cpu_count(),
            "versions": versions,
            "comparisons": [asdict(each) for each in comparisons],
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report_crashes(comparisons, console)


def report_crashes(comparisons: Iterable[Comparison], console: Console) -> int:
    """Print what crashed tools said; return 1 if there are any."""
    crashes = [(each.package, timing) for each in comparisons for timing in each.timings if timing.crash is not None]
    for package, timing in crashes:
        console.print(f"{timing.tool} crashed on {package}: {timing.crash}", markup=False, highlight=False)
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
