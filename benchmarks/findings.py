"""Prints findings in real packages with the code around them, for reading by hand.

    python benchmarks/findings.py --select BGL101,BGL201 --sample 10
    python benchmarks/findings.py --select BGL203 --packages letta dstack --context 12

The same seed picks the same findings, so that verdicts can be compared before and after a change.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packages import BENCHMARK, DownloadError, Package, choose, fetch, scratch_copy
from robustness import BglintError, lint


@dataclass(frozen=True, slots=True)
class Sighting:
    """A finding (as JSON gives it) in a package whose sources lie in ``folder``."""

    package: Package
    folder: Path
    finding: Mapping[str, Any]


def collect(packages: Iterable[Package], select: str) -> list[Sighting]:
    """Lint ``packages``. Raises DownloadError, and BglintError if bglint crashes."""
    sightings = []
    for package in packages:
        folder = fetch(package)
        with scratch_copy(folder) as copy:
            findings = lint(copy, select)
        sightings += [Sighting(package, folder, finding) for finding in findings]
    return sightings


def sample(sightings: Iterable[Sighting], size: int | None, seed: int) -> dict[str, list[Sighting]]:
    """Return by code at most ``size`` sightings (all if None), picked by ``seed``, in their first order."""
    by_code: dict[str, list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        by_code[sighting.finding["code"]].append(sighting)
    if size is None:
        return dict(sorted(by_code.items()))
    chosen = {}
    for code, group in sorted(by_code.items()):
        # One generator per code: what other rules report does not change which findings of this one are read.
        picked = random.Random(f"{seed} {code}").sample(range(len(group)), min(size, len(group)))
        chosen[code] = [group[index] for index in sorted(picked)]
    return chosen


def excerpt(source: str, first: int, last: int, context: int) -> str:
    """Return rows ``first`` to ``last`` of ``source``, marked, with ``context`` rows around, all numbered."""
    lines = source.split("\n")  # not splitlines: a form feed or U+2028 ends no row
    start, end = max(1, first - context), min(len(lines), last + context)
    width = len(str(end))
    return "\n".join(
        f"{'>' if first <= row <= last else ' '} {row:{width}} │ {lines[row - 1]}".rstrip()
        for row in range(start, end + 1)
    )


def describe(sighting: Sighting, context: int) -> str:
    """Return a finding with its code, call chain and fix, as lines of text."""
    finding = sighting.finding
    first, last = finding["location"]["row"], finding["end_location"]["row"]
    column = finding["location"]["column"]
    source = (sighting.folder / finding["filename"]).read_text(encoding="utf-8", errors="replace")
    parts = [
        f"{sighting.package.requirement} {finding['filename']}:{first}:{column}",
        f"{finding['code']} {finding['name']}: {finding['message']}",
        excerpt(source, first, last, context),
    ]
    parts += [f"  → {step['function']} ({step['filename']}:{step['row']})" for step in finding["chain"]]
    if finding["fix"]:
        parts.append(f"  fix ({finding['fix']['applicability']}): {finding['fix']['message']}")
        parts += [f"    row {edit['location']['row']}: {edit['content']!r}" for edit in finding["fix"]["edits"]]
    elif finding.get("fix_refused"):
        parts.append(f"  not fixed: {finding['fix_refused']}")
    return "\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings asked for on the command line; 1 if bglint crashed or a package could not be had."""
    parser = argparse.ArgumentParser(description="Print findings with the code around them.")
    parser.add_argument("--select", default="BGL", help="rules, as for bglint (default: all)")
    parser.add_argument("--packages", nargs="+", metavar="NAME", help="names, or all; default: the benchmark's")
    parser.add_argument("--sample", type=int, metavar="N", help="at most N findings of each rule (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="picks which (default: 0)")
    parser.add_argument("--context", type=int, default=8, metavar="ROWS", help="rows around (default: 8)")
    options = parser.parse_args(arguments)
    try:
        packages = choose(options.packages) if options.packages else BENCHMARK
    except ValueError as error:
        parser.error(str(error))
    try:
        sightings = collect(packages, options.select)
    except (DownloadError, BglintError) as error:
        print(error, file=sys.stderr)
        return 1
    chosen = sample(sightings, options.sample, options.seed)
    for code, group in chosen.items():
        total = sum(1 for sighting in sightings if sighting.finding["code"] == code)
        print(f"══ {code}: {len(group)} of {total}\n")
        for number, sighting in enumerate(group, start=1):
            print(f"── {number} {describe(sighting, options.context)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
