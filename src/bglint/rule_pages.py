"""What a rule says about itself, for ``bglint rule``: its docstring, in parts."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from bglint.model import Level
from bglint.selectors import nearest

_UNPARSABLE = """
A file that cannot be read or parsed.

## What it does
Reports files that cannot be opened, decoded or parsed, with the parser's own words and the version of Python that
bglint runs on.

## Why is this bad?
Nothing in such a file is checked. Source that uses newer syntax than the Python that runs bglint looks like this, too.

## Example
```python
async def handler(:
    ...
```

## Use instead
```python
async def handler():
    ...
```

## Fix safety
There is no fix. If the syntax is right but newer, run bglint with a newer Python.

## References
- [Python: source encoding and syntax](https://docs.python.org/3/reference/lexical_analysis.html)
"""


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

    pages = [_page(rule.code, rule.name, rule.level, rule.default, rule.__doc__ or "") for rule in all_rules()]
    return [_page("BGL000", "unparsable-file", Level.ERROR, True, _UNPARSABLE), *pages]


def find_page(code: str) -> RulePage:
    """Return the page of the rule with that code or name, in any case. Raises ValueError naming the nearest."""
    pages = rule_pages()
    for page in pages:
        if code.lower() in (page.code.lower(), page.name):
            return page
    hint = nearest(code, [word for page in pages for word in (page.code, page.name)])
    raise ValueError(f'there is no rule "{code}"{hint or "; bglint rule --all lists all rules"}')


def _page(code: str, name: str, level: Level, default: bool, doc: str) -> RulePage:
    explanation = inspect.cleandoc(doc)
    summary = " ".join(explanation.partition("\n\n")[0].split())
    return RulePage(code, name, level, default, summary, explanation)
