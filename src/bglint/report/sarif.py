"""sarif: SARIF 2.1.0, for code scanning services and editors."""

from __future__ import annotations

from pathlib import PurePath
from urllib.parse import quote

from bglint import __version__
from bglint.model import Finding, Fix, Frame, Span
from bglint.report import Report
from bglint.report.fingerprint import fingerprints
from bglint.report.jsontext import dumps
from bglint.report.rule_texts import RuleText, rule_texts

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "%SRCROOT%"


def render(report: Report, color: bool, width: int) -> str:
    """Return one SARIF log with one run."""
    rules = rule_texts(report.findings)
    index = {rule.code: position for position, rule in enumerate(rules)}
    marks = fingerprints(report)
    run = {
        "tool": {"driver": {"name": "bglint", "version": __version__, "rules": [_rule(rule) for rule in rules]}},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The directory that bglint ran in."}}},
        "results": [
            _result(finding, index[finding.code], mark) for finding, mark in zip(report.findings, marks, strict=True)
        ],
    }
    return dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _rule(rule: RuleText) -> dict[str, object]:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.summary},
        "help": {"text": rule.help, "markdown": rule.help},
        "defaultConfiguration": {"level": rule.level.value},
    }


def _result(finding: Finding, rule_index: int, fingerprint: str) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": finding.level.value,
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": _physical(finding.path, _region(finding.span))}],
        "partialFingerprints": {"bglintLine/v1": fingerprint},
    }
    if finding.chain:
        result["codeFlows"] = [{"threadFlows": [{"locations": [_step(frame) for frame in finding.chain]}]}]
    if finding.fix is not None and finding.fix.edits:
        result["fixes"] = [_fix(finding.path, finding.fix)]
    return result


def _step(frame: Frame) -> dict[str, object]:
    physical = _physical(frame.filename, {"startLine": frame.row})
    return {"location": {"physicalLocation": physical, "message": {"text": frame.function}}}


def _fix(path: str, fix: Fix) -> dict[str, object]:
    replacements = [
        {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.content}} for edit in fix.edits
    ]
    return {
        "description": {"text": fix.message},
        "artifactChanges": [{"artifactLocation": _artifact(path), "replacements": replacements}],
        "properties": {"applicability": fix.applicability.value},
    }


def _physical(path: str, region: dict[str, int]) -> dict[str, object]:
    return {"artifactLocation": _artifact(path), "region": region}


def _artifact(path: str) -> dict[str, str]:
    pure = PurePath(path)
    if pure.is_absolute():
        return {"uri": pure.as_uri()}
    return {"uri": quote(pure.as_posix(), safe="/", errors="surrogateescape"), "uriBaseId": _ROOT}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.start.row,
        "startColumn": span.start.column,
        "endLine": span.end.row,
        "endColumn": span.end.column,
    }
