"""Runs real projects' own tests before and after bglint fixed them, and compares them test by test.

    python benchmarks/realfix.py                       every project listed in projects.py
    python benchmarks/realfix.py starlette tenacity    only these
    python benchmarks/realfix.py --safe-only           without the unsafe fixes

The tests run on copies: untouched, after ``bglint --fix`` and after ``bglint --fix --unsafe-fixes``, each several
times, because what differs from run to run by itself says nothing about a fix. Exit code 1 if a safe fix changed the
outcome of a test, or a project could not be tried. What unsafe fixes change is listed with the rules that change it.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import TimeoutExpired
from xml.etree import ElementTree

from packages import DownloadError, python_files, scratch_copy
from projects import PROJECTS, Project, choose_projects, fetch_sdist, prepare_tests
from rich.console import Console
from rich.table import Table
from robustness import BglintError, by_code, lint
from runs import execute

_LIMIT = 900  # seconds for one run of a project's tests


class TestsError(Exception):
    """A project's tests did not run to their end, or did not run the copied code."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test ended: passed, failure, error, skipped or absent, and the first line of what it said."""

    word: str
    message: str = ""


Outcomes = Mapping[str, Outcome]
_ABSENT = Outcome("absent")


@dataclass(frozen=True, slots=True)
class Change:
    """A test that ends in another way after fixes than before; ``codes`` are the rules whose fixes alone do that."""

    test: str
    before: Outcome
    after: Outcome
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """What some fixes did: how many there are of each rule, in how many rows, and how many of those the tests run.

    ``unsteady`` is how many tests do not always end in the same way.
    """

    fixed: Counter[str]
    rows: int
    rows_run: int
    changes: list[Change]
    unsteady: int


@dataclass(slots=True)
class Report:
    """What one project showed: how its untouched tests end, and a trial for each kind of fix; or the ``problem``."""

    outcomes: Counter[str] = field(default_factory=Counter)
    safe: Trial | None = None
    unsafe: Trial | None = None
    problem: str | None = None


class Laboratory:
    """One project on its way through the trials: its source distribution and the Python that runs its tests."""

    def __init__(self, project: Project, select: str, runs: int) -> None:
        """Fetch what is needed. Raises DownloadError, and TestsError if other code than the copy would be tested."""
        self.project = project
        self.select = select
        self.runs = runs
        self.source = fetch_sdist(project)
        self.python = prepare_tests(project)
        with scratch_copy(self.source) as folder:
            show_origin = f"import {project.module}; print({project.module}.__file__)"
            done = execute([str(self.python), "-c", show_origin], folder, self._environment(folder))
            if not done.stdout.startswith(str(folder)):
                raise TestsError(f"{project.module} is not imported from the copy: {done.stdout}{done.stderr}")

    def observe(self, source: Path) -> list[Outcomes]:
        """Run the tests on fresh copies of ``source``. Raises TestsError."""
        return [self._run(source) for _ in range(self.runs)]

    def trial(self, before: Sequence[Outcomes], *options: str) -> Trial:
        """Let bglint fix a copy with ``options`` and compare its tests with those ``before``.

        Raises TestsError and BglintError.
        """
        with scratch_copy(self.source) as folder:
            fixed = self._fix(folder, self.select, options)
            after = self.observe(folder) if fixed else before
            if compare(before, after)[0]:  # by chance, perhaps: what does not repeat is no change
                after = [*after, self._run(folder)]
            changed_rows = rows_changed(self.source, folder)
            rows_run = self._rows_run(folder, changed_rows) if changed_rows else 0
        changes, unsteady = compare(before, after)
        if changes:
            changes = self._blame(changes, fixed, options)
        return Trial(fixed, sum(map(len, changed_rows.values())), rows_run, changes, unsteady)

    def _fix(self, folder: Path, select: str, options: Sequence[str]) -> Counter[str]:
        # Tests that lie among the sources stay as they are: they are what is measured with.
        sources = ("--extend-exclude", "tests")
        found = lint(folder, select, *sources, path=self.project.folder)
        left = lint(folder, select, *sources, *options, path=self.project.folder)
        return by_code(found) - by_code(left)

    def _blame(self, changes: Sequence[Change], fixed: Iterable[str], options: Sequence[str]) -> list[Change]:
        """Add to each change the rules whose fixes alone make it, found by trying them one by one."""
        culprits: dict[str, list[str]] = defaultdict(list)
        for code in sorted(fixed):
            with scratch_copy(self.source) as folder:
                self._fix(folder, code, options)
                outcomes = self._run(folder)
            for change in changes:
                if outcomes.get(change.test, _ABSENT).word == change.after.word:
                    culprits[change.test].append(code)
        return [replace(change, codes=tuple(culprits[change.test])) for change in changes]

    def _run(self, source: Path) -> Outcomes:
        with scratch_copy(source) as folder:
            return self._run_in(folder)

    def _run_in(self, folder: Path, *runner: str) -> Outcomes:
        """Run the tests in ``folder``, through the program and arguments ``runner``; return how they ended."""
        with tempfile.TemporaryDirectory(prefix="bglint-tests-") as scratch:
            report = Path(scratch) / "report.xml"
            pytest = ("-m", "pytest", "-p", "no:cacheprovider", "-o", "junit_family=xunit2", f"--junitxml={report}")
            command = [str(self.python), *runner, *pytest, *self.project.tests]
            try:
                done = execute(command, folder, self._environment(folder), _LIMIT)
            except TimeoutExpired as error:
                raise TestsError(f"the tests did not end within {_LIMIT} seconds") from error
            # 1 is for failed tests, which may be the project's own business.
            if done.returncode not in (0, 1) or not report.exists():
                raise TestsError(f"pytest ended with exit code {done.returncode}: {done.stdout[-2000:]}{done.stderr}")
            return read_outcomes(report.read_text("utf-8"))

    def _environment(self, folder: Path) -> dict[str, str]:
        programs = self.python.parent
        return {
            "PYTHONPATH": str(folder / self.project.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "PATH": os.pathsep.join([str(programs), os.environ.get("PATH", "")]),
        }

    def _rows_run(self, source: Path, rows: Mapping[str, set[int]]) -> int:
        """Return how many of the ``rows`` of ``source`` the tests execute. Raises TestsError."""
        with scratch_copy(source) as folder:
            self._run_in(
                folder, "-m", "coverage", "run", f"--rcfile={os.devnull}", "--data-file=rows", f"--include={folder}/*"
            )
            report = [
                str(self.python),
                "-m",
                "coverage",
                "json",
                f"--rcfile={os.devnull}",
                "-q",
                "--data-file=rows",
                "-o",
                "-",
            ]
            done = execute(report, folder)
        try:
            files = json.loads(done.stdout)["files"]
        except (ValueError, KeyError) as error:
            raise TestsError(f"coverage gave no report: {done.stdout[-500:]}{done.stderr[-500:]}") from error
        return sum(len(numbers & set(files[name]["executed_lines"])) for name, numbers in rows.items() if name in files)


def examine(project: Project, select: str, runs: int, unsafe: bool) -> Report:
    """Run the project's tests as they are, after the safe fixes, and after the ``unsafe`` ones too."""
    report = Report()
    try:
        laboratory = Laboratory(project, select, runs)
        before = laboratory.observe(laboratory.source)
        report.outcomes.update(outcome.word for outcome in before[0].values())
        report.safe = laboratory.trial(before, "--fix")
        if unsafe:
            report.unsafe = laboratory.trial(before, "--fix", "--unsafe-fixes")
    except (DownloadError, BglintError, TestsError) as error:
        report.problem = str(error)
    return report


def read_outcomes(report: str) -> dict[str, Outcome]:
    """Return how each test of a JUnit report ended, by its class and name."""
    outcomes: dict[str, Outcome] = {}
    for case in ElementTree.fromstring(report).iter("testcase"):
        test = f"{case.get('classname')}::{case.get('name')}"
        while test in outcomes:
            test += "'"  # the same parameters twice
        ends = [child for child in case if child.tag in ("failure", "error", "skipped")]
        first_line = (ends[0].get("message") or "").partition("\n")[0] if ends else ""
        outcomes[test] = Outcome("+".join(child.tag for child in ends) or "passed", first_line)
    return outcomes


def compare(before: Sequence[Outcomes], after: Sequence[Outcomes]) -> tuple[list[Change], int]:
    """Return the tests that always end in another way ``after``, and how many sometimes end in another way."""
    changes = []
    unsteady = 0
    for test in sorted({test for run in (*before, *after) for test in run}):
        old = [run.get(test, _ABSENT) for run in before]
        new = [run.get(test, _ABSENT) for run in after]
        old_words, new_words = {end.word for end in old}, {end.word for end in new}
        if not old_words & new_words:
            changes.append(Change(test, old[0], new[0]))
        elif len(old_words | new_words) > 1:
            unsteady += 1
    return changes, unsteady


def rows_changed(before: Path, after: Path) -> dict[str, set[int]]:
    """Return by file, below ``after``, the rows that are not as ``before``."""
    rows = {}
    for path in python_files(after):
        name = path.relative_to(after).as_posix()
        old, new = (before / name).read_bytes().splitlines(), path.read_bytes().splitlines()
        if old != new:
            operations = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
            rows[name] = {
                row + 1 for kind, _, _, low, high in operations if kind != "equal" for row in range(low, high)
            }
    return rows


def show(reports: Mapping[str, Report], console: Console) -> None:
    """Print a line for each project, then each test that ends in another way."""
    table = Table("project", "tests", "fixes", "rows", "run by tests", "outcomes changed", "unsteady")
    for name, report in reports.items():
        first = [name, ", ".join(f"{count} {word}" for word, count in report.outcomes.most_common())]
        for kind, trial in trials(report):
            fixes = ", ".join(f"{code} {count}" for code, count in sorted(trial.fixed.items())) or "none"
            numbers = (trial.rows, trial.rows_run, len(trial.changes), trial.unsteady)
            table.add_row(*first, f"{kind}: {fixes}", *map(str, numbers))
            first = ["", ""]
    console.print(table)
    for name, report in reports.items():
        lines = [f"PROBLEM {name}: {report.problem}"] if report.problem else []
        lines += [f"{kind.upper()} {name} {line_of(each)}" for kind, trial in trials(report) for each in trial.changes]
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def line_of(change: Change) -> str:
    """Return what changed, by which rules, and what the test said, on one line."""
    rules = ", ".join(change.codes) or "only several rules together"
    return f"{change.test}: {change.before.word} → {change.after.word} ({rules}): {change.after.message}"


def trials(report: Report) -> list[tuple[str, Trial]]:
    """Return the trials that there are, each with its kind: safe, or unsafe (which holds the safe fixes too)."""
    return [(kind, trial) for kind, trial in (("safe", report.safe), ("unsafe", report.unsafe)) if trial is not None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the projects named on the command line; 1 if a safe fix changed an outcome or one could not be tried."""
    parser = argparse.ArgumentParser(description="Run real projects' tests before and after bglint fixed them.")
    parser.add_argument("names", nargs="*", help=f"default: {', '.join(project.name for project in PROJECTS)}")
    parser.add_argument("--select", default="BGL", help="rules to use (default: all, opt-in ones too)")
    parser.add_argument("--runs", type=int, default=2, help="times that the tests run on each state (default: 2)")
    parser.add_argument("--safe-only", action="store_true", help="leave the unsafe fixes out")
    options = parser.parse_args(arguments)
    try:
        projects = choose_projects(options.names)
    except ValueError as error:
        parser.error(str(error))
    console = Console()
    reports = {}
    for project in projects:
        console.print(project.requirement, style="dim", highlight=False)
        reports[project.requirement] = examine(project, options.select, options.runs, not options.safe_only)
    show(reports, console)
    failed = any(report.problem or (report.safe and report.safe.changes) for report in reports.values())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
