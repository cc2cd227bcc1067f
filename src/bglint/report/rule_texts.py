"""What the rules say about themselves, for formats that carry documentation."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass

from bglint.model import Finding, Level


@dataclass(frozen=True)
class RuleText:
    """A rule for readers: ``summary`` is one line, ``help`` is Markdown."""

    code: str
    name: str
    level: Level
    summary: str
    help: str


def rule_texts(findings: Iterable[Finding]) -> list[RuleText]:
    """Return the texts of the rules that ``findings`` name, sorted by code.

    A code without a rule of its own, such as a file that cannot be parsed, is described by its first finding.
    """
    from bglint.rules import all_rules

    documented = {
        rule.code: _text(rule.code, rule.name, rule.level, inspect.cleandoc(rule.__doc__ or "")) for rule in all_rules()
    }
    named = {finding.code: finding for finding in reversed(tuple(findings))}
    return [
        documented.get(code) or _text(code, finding.name, finding.level, "") for code, finding in sorted(named.items())
    ]


def rule_names() -> dict[str, str]:
    """Return every rule's name by its code."""
    from bglint.rules import all_rules

    return {rule.code: rule.name for rule in all_rules()}


def _text(code: str, name: str, level: Level, doc: str) -> RuleText:
    return RuleText(code, name, level, summary=_summary(doc) or name, help=doc or name)


def _summary(doc: str) -> str:
    paragraphs = (block.splitlines() for block in doc.split("\n\n"))
    prose = ([line.strip() for line in lines if line.strip() and not line.startswith("#")] for lines in paragraphs)
    return " ".join(next((lines for lines in prose if lines), ()))
