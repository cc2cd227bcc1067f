"""What makes a finding the same finding in tomorrow's report, although lines above it came or went."""

from __future__ import annotations

import hashlib
from collections import Counter

from bglint.report import Report
from bglint.report.text import lines_reader


def fingerprints(report: Report) -> list[str]:
    """Return one fingerprint per finding, in their order, all different within the report.

    It rests on the code, the path, the text of the line (white space does not count) and, where these are the
    same, on which of them it is from the top.
    """
    lines_of = lines_reader(report)
    seen: Counter[tuple[str, str, str]] = Counter()
    result = []
    for finding in report.findings:
        lines, row = lines_of(finding.path), finding.span.start.row
        line = " ".join(lines[row - 1].split()) if row <= len(lines) else ""
        key = (finding.code, finding.path, line)
        seen[key] += 1
        # repr keeps the parts apart and encodes whatever a path may hold
        result.append(hashlib.sha256(repr((*key, seen[key])).encode()).hexdigest()[:32])
    return result
