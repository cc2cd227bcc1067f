"""Lints and fixes real packages and checks what must hold on all of them.

    python benchmarks/robustness.py                    the three packages of the benchmark
    python benchmarks/robustness.py --packages all     every pinned package

    python benchmarks/robustness.py --folders DIR...   sources that lie there already

One process and two report the same; ``--fix --unsafe-fixes`` leaves files that compile, with their newlines
and byte order mark, and changes nothing but reported statements, imports and helpers; no fix that was offered is
left over; a second run changes nothing. Exit code 1 if any of that does not hold or bglint crashes.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
import tokenize
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packages import BENCHMARK, SOURCE_SUFFIXES, DownloadError, choose, fetch, scratch_copy
from places import stray_rows
from rich.console import Console
from rich.table import Table
from runs import crash_of, execute
from tools import BGLINT, import_path

from bglint.rules import all_rules

Finding = Mapping[str, Any]
Files = Mapping[str, bytes]

_BOM = b"\xef\xbb\xbf"


class BglintError(Exception):
    """bglint crashed or printed no JSON, so nothing further can be checked on the package."""


@dataclass(slots=True)
class Report:
    """What one package showed: findings by code before and after, offered and refused fixes, and what did not hold."""

    files: int = 0
    found: Counter[str] = field(default_factory=Counter)
    offered: Counter[tuple[str, str]] = field(default_factory=Counter)
    remaining: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    changed_files: int = 0
    violations: list[str] = field(default_factory=list)


def examine(source: Path, select: str) -> Report:
    """Check a copy of the package in ``source`` with the rules in ``select``."""
    report = Report()
    with scratch_copy(source) as folder:
        try:
            _examine_copy(folder, select, report)
        except BglintError as error:
            report.violations.append(str(error))
    return report


def _examine_copy(folder: Path, select: str, report: Report) -> None:
    before = read_files(folder)
    alone = lint(folder, select, "--jobs", "1")
    together = lint(folder, select, "--jobs", "2")
    report.violations += first_difference("--jobs 1", alone, "--jobs 2", together)
    report.violations += file_violations(before, read_files(folder), may_change=False)
    report.files = sum(1 for name in before if name.endswith(SOURCE_SUFFIXES))
    report.found.update(by_code(alone))
    report.offered.update((each["code"], each["fix"]["applicability"]) for each in alone if each["fix"])
    report.refused.update((each["code"], each["fix_refused"]) for each in alone if each.get("fix_refused"))

    remaining = lint(folder, select, "--fix", "--unsafe-fixes")
    once = read_files(folder)
    report.remaining.update(by_code(remaining))
    report.changed_files = sum(1 for name in once if once[name] != before.get(name))
    report.violations += file_violations(before, once, may_change=True)
    report.violations += stray_changes(before, once, alone)
    report.violations += [f"fix offered but not applied: {place(each)}" for each in remaining if each["fix"]]
    report.violations += [
        f"{code}: {count - report.found[code]} more after fixing"
        for code, count in report.remaining.items()
        if count > report.found[code] and code not in revealed(report)
    ]

    again = lint(folder, select, "--fix", "--unsafe-fixes")
    report.violations += first_difference("first --fix", remaining, "second --fix", again)
    twice = read_files(folder)
    report.violations += [f"{name}: changed again by a second --fix" for name in once if once[name] != twice.get(name)]


def lint(folder: Path, select: str, *options: str, path: str = ".") -> list[Finding]:
    """Run bglint in ``folder`` on ``path`` and return its findings as JSON gives them. Raises BglintError."""
    common = ("--isolated", "--no-cache", "--select", select, "--output-format", "json", "--exit-zero")
    done = execute([*BGLINT, "check", *common, *options, path], folder, import_path())
    crash = crash_of(done, (0,))
    if crash:
        raise BglintError(f"bglint {' '.join(options)}: {crash}")
    try:
        findings: list[Finding] = json.loads(done.stdout)
    except ValueError as error:
        raise BglintError(f"bglint {' '.join(options)}: no JSON: {error}: {done.stdout[:200]!r}") from error
    return findings


def read_files(folder: Path) -> dict[str, bytes]:
    """Return every file below ``folder``, whatever its kind: a stray temporary file must be seen."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def by_code(findings: Sequence[Finding]) -> Counter[str]:
    """Count ``findings`` by code."""
    return Counter(each["code"] for each in findings)


def place(finding: Finding) -> str:
    """Return where and what a finding is, on one line."""
    location = finding["location"]
    return f"{finding['filename']}:{location['row']}:{location['column']}: {finding['code']}"


def first_difference(left_name: str, left: Sequence[Finding], right_name: str, right: Sequence[Finding]) -> list[str]:
    """Return one line on how two reports differ, none if they are the same."""
    if left == right:
        return []
    for ours, theirs in zip(left, right, strict=False):
        if ours != theirs:
            return [f"{left_name} says {place(ours)}, {right_name} says {place(theirs)}, or they differ in detail"]
    return [f"{left_name} has {len(left)} findings, {right_name} has {len(right)}"]


def file_violations(before: Files, after: Files, *, may_change: bool) -> list[str]:
    """Return what happened to files that must not: appeared, vanished, broken, other newlines or mark."""
    violations = [f"{name}: appeared" for name in after if name not in before]
    for name, content in before.items():
        if name not in after:
            violations.append(f"{name}: vanished")
        elif content != after[name]:
            problem = change_problem(content, after[name]) if may_change else "changed without --fix"
            violations += [f"{name}: {problem}"] if problem else []
    return violations


def stray_changes(before: Files, after: Files, findings: Sequence[Finding]) -> list[str]:
    """Return where files that still compile were changed though neither a finding, an import nor a helper is there."""
    by_file: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_file[finding["filename"]].append(finding)
    return [
        f"{name}:{row}: changed without a reason"
        for name, content in before.items()
        if content != after.get(name, content) and not compile_error(content) and not compile_error(after[name])
        for row in stray_rows(text_of(content), text_of(after[name]), by_file[name])
    ]


def text_of(source: bytes) -> str:
    """Return the source as text, its encoding found as Python finds it."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    return "\n".join(re.split("\r\n|\r|\n", source.decode(encoding)))


def revealed(report: Report) -> frozenset[str]:
    """Return the codes whose findings the fixes that were offered may bring to light: a task that runs can fail."""
    offered = {code for code, _ in report.offered}
    return frozenset().union(*(rule.reveals for rule in all_rules() if rule.code in offered))


def change_problem(before: bytes, after: bytes) -> str | None:
    """Return what is wrong with rewriting the source ``before`` to ``after``, None if nothing is."""
    if compile_error(before):
        return "changed although it did not compile before"
    error = compile_error(after)
    if error:
        return f"does not compile any more: {error}"
    if newlines(before) and newlines(after) - newlines(before):
        return "has newlines of another kind"
    if before.startswith(_BOM) != after.startswith(_BOM):
        return "byte order mark gained or lost"
    return None


def compile_error(source: bytes) -> str | None:
    """Return why Python does not compile ``source``, None if it does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "source", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def newlines(source: bytes) -> set[bytes]:
    r"""Return which of ``\r\n``, ``\n`` and ``\r`` end lines of ``source``."""
    return {line[len(line.rstrip(b"\r\n")) :] for line in source.splitlines(keepends=True)} - {b""}


def show(reports: Mapping[str, Report], console: Console) -> None:
    """Print the packages, then the codes, then why fixes were refused, then what did not hold."""
    packages = Table("package", "files", "findings", "left after --fix", "changed files", "violations")
    for name, report in reports.items():
        left, found = report.remaining.total(), report.found.total()
        numbers = (report.files, found, left, report.changed_files, len(report.violations))
        packages.add_row(name, *map(str, numbers))
    console.print(packages)

    found = sum((report.found for report in reports.values()), Counter[str]())
    offered = sum((report.offered for report in reports.values()), Counter[tuple[str, str]]())
    refused = sum((report.refused for report in reports.values()), Counter[tuple[str, str]]())
    remaining = sum((report.remaining for report in reports.values()), Counter[str]())
    codes = Table("code", "found", "offered safe", "offered unsafe", "refused", "gone after fixing", "left")
    for code in sorted(found | remaining):
        refusals = sum(count for (refused_code, _), count in refused.items() if refused_code == code)
        kinds = (offered[code, "safe"], offered[code, "unsafe"], refusals)
        codes.add_row(code, *map(str, (found[code], *kinds, max(0, found[code] - remaining[code]), remaining[code])))
    console.print(codes)

    for (code, reason), count in refused.most_common():
        console.print(f"{count:5} {code} not fixed: {reason}", markup=False, highlight=False)
    for name, report in reports.items():
        for violation in report.violations:
            console.print(f"VIOLATION {name}: {violation}", markup=False, highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine the packages named on the command line; 1 if anything did not hold."""
    parser = argparse.ArgumentParser(description="Lint and fix real packages; check what must hold.")
    parser.add_argument("--packages", nargs="+", metavar="NAME", help="names, or all; default: the benchmark's")
    parser.add_argument("--folders", nargs="+", metavar="DIR", type=Path, help="folders of sources instead of packages")
    parser.add_argument("--select", default="BGL", help="rules to use (default: all, opt-in ones too)")
    options = parser.parse_args(arguments)
    try:
        packages = choose(options.packages) if options.packages else () if options.folders else BENCHMARK
    except ValueError as error:
        parser.error(str(error))
    console = Console()
    reports = {}
    for package in packages:
        console.print(package.requirement, style="dim", highlight=False)
        try:
            reports[package.requirement] = examine(fetch(package), options.select)
        except DownloadError as error:
            reports[package.requirement] = Report(violations=[str(error)])
    for folder in options.folders or ():
        console.print(str(folder), style="dim", highlight=False)
        reports[str(folder)] = examine(folder, options.select)
    show(reports, console)
    return 1 if any(report.violations for report in reports.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
