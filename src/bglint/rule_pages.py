"""What a rule says about itself, for ``bglint rule``: its docstring, in parts."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bglint.model import Level
from bglint.selectors import nearest

if TYPE_CHECKING:
    from bglint.rules.base import Rule


@dataclass(frozen=True)
class RulePage:
    """One rule for readers. ``explanation`` is Markdown, ``sections`` are its headings and the text below each."""

    code: str
    name: str
    level: Level
    default: bool
    summary: str
    explanation: str

    @property
    def markdown(self) -> str:
        """The whole page."""
        state = "on by default" if self.default else "off by default"
        level = f"an {self.level.value}" if self.level.value[0] in "aeiou" else f"a {self.level.value}"
        return f"# {self.name} ({self.code})\n\nReported as {level}; {state}.\n\n{self.explanation}"

    @property
    def sections(self) -> dict[str, str]:
        """Heading → text."""
        found: dict[str, list[str]] = {}
        lines: list[str] = []
        in_code = False
        for line in self.explanation.splitlines():
            in_code ^= line.startswith("```")
            if line.startswith("## ") and not in_code:
                lines = found.setdefault(line[3:].strip(), [])
            else:
                lines.append(line)
        return {heading: "\n".join(text).strip() for heading, text in found.items()}


def rule_pages() -> list[RulePage]:
    """Return all rules' pages, by code."""
    from bglint.rules import all_rules

    return [_page(rule) for rule in all_rules()]


def find_page(code: str) -> RulePage:
    """Return the page of the rule with that code or name, in any case. Raises ValueError naming the nearest."""
    pages = rule_pages()
    for page in pages:
        if code.lower() in (page.code.lower(), page.name):
            return page
    hint = nearest(code, [word for page in pages for word in (page.code, page.name)])
    raise ValueError(f'there is no rule "{code}"{hint or "; bglint rule --all lists all rules"}')


def _page(rule: type[Rule]) -> RulePage:
    explanation = inspect.cleandoc(rule.__doc__ or "")
    summary = " ".join(explanation.partition("\n\n")[0].split())
    return RulePage(rule.code, rule.name, rule.level, rule.default, summary, explanation)
