"""junit: XML for CI dashboards, a suite per file and a test case per file and code."""

from __future__ import annotations

from html import escape
from itertools import groupby

from bglint.model import Finding
from bglint.report import Report
from bglint.report.rule_texts import RuleText, rule_texts
from bglint.report.text import printable

_CLEAN = (
    '  <testsuite name="bglint" tests="1" failures="0" errors="0" skipped="0">',
    '    <testcase name="No errors found" classname="bglint"/>',
    "  </testsuite>",
)


def render(report: Report, color: bool, width: int) -> str:
    """Return one XML document; a clean run is one passing case, since dashboards reject empty reports."""
    texts = {text.code: text for text in rule_texts(report.findings)}
    by_file = groupby(report.findings, key=lambda finding: finding.path)
    files = [(path, _by_code(tuple(findings))) for path, findings in by_file]
    failures = sum(len(codes) for _, codes in files)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="bglint" tests="{failures or 1}" failures="{failures}" errors="0" skipped="0">',
        *(line for path, codes in files for line in _suite(path, codes, texts)),
        *(() if files else _CLEAN),
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _by_code(findings: tuple[Finding, ...]) -> dict[str, list[Finding]]:
    codes: dict[str, list[Finding]] = {}
    for finding in findings:
        codes.setdefault(finding.code, []).append(finding)
    return codes


def _suite(path: str, codes: dict[str, list[Finding]], texts: dict[str, RuleText]) -> list[str]:
    count = len(codes)
    return [
        f'  <testsuite name="{_xml(path)}" tests="{count}" failures="{count}" errors="0" skipped="0">',
        *(line for code, findings in codes.items() for line in _case(path, findings, texts[code])),
        "  </testsuite>",
    ]


def _case(path: str, findings: list[Finding], text: RuleText) -> list[str]:
    start = findings[0].span.start
    message = findings[0].message if len(findings) == 1 else f"{len(findings)} × {text.name}"
    listed = "\n".join(
        f"line {finding.span.start.row}, col {finding.span.start.column}, {_xml(finding.message)}"
        for finding in findings
    )
    return [
        f'    <testcase name="bglint.{text.code}" classname="{_xml(path.removesuffix(".py"))}"'
        f' line="{start.row}" column="{start.column}">',
        f'      <failure type="{text.level.value}" message="{_xml(message)}">',
        f"{_xml(text.summary)}\n{listed}</failure>",
        "    </testcase>",
    ]


def _xml(text: str) -> str:
    # XML 1.0 cannot hold most control characters, not even escaped; parsers fold line breaks in attributes
    return escape(printable(text))
