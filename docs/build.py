"""Writes docs/rules/: a page for each rule from its docstring and its spec file in fixtures/, and a table of all.

``python docs/build.py`` writes them, ``python docs/build.py --check`` only tells which are not up to date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "src"))

from bglint.rule_pages import RulePage, rule_pages  # noqa: E402

FIXTURES = ROOT / "fixtures"
PAGES = ROOT / "docs" / "rules"
NOTE = "<!-- Written by docs/build.py: change the rule's docstring, or its file in fixtures/. -->\n\n"

_FENCE = re.compile(r"(`{3,})(.*)")
_MARKER = re.compile(r"# error: (.*)$")
_CODE = re.compile(r"BGL\d{3}")
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
_FILE = re.compile(r"file=(\S+)")
_GROUPS = {
    "0": "The tool itself",
    "1": "Background tasks of FastAPI and Starlette",
    "2": "asyncio tasks",
    "3": "Threads, futures, processes",
    "4": "Blocking the event loop",
    "5": "Errors nobody sees",
}


def pages() -> dict[Path, str]:
    """Every file below docs/rules/ and what it is to hold."""
    rules = rule_pages()
    built = {PAGES / f"{page.code}.md": NOTE + page.markdown + "\n" + examples(page) for page in rules}
    return {**built, PAGES / "README.md": NOTE + table(rules)}


def spec(page: RulePage) -> str:
    """The text of a rule's spec file; empty for a rule without one."""
    path = FIXTURES / f"{page.code}-{page.name}.md"
    return path.read_text("utf-8") if path.is_file() else ""


def examples(page: RulePage) -> str:
    """The spec file as a section of the page: headings one level down, markers and fences for human readers."""
    text = spec(page)
    lines = "\n".join(_readable(text.splitlines()[1:])) if text else ""
    return f"\n## Examples\n{lines}\n" if lines else ""


def _readable(lines: list[str]) -> Iterator[str]:
    closing = ""
    for line in lines:
        fence = _FENCE.fullmatch(line)
        if closing:
            if line == closing:
                closing = ""
            elif line.lstrip().startswith("# error-below: "):
                continue
            yield _MARKER.sub(_codes, line)
        elif fence:
            closing = fence[1]
            yield from _opening(fence[1], fence[2])
        else:
            yield f"#{line}" if line.startswith("#") else line


def _codes(marker: re.Match[str]) -> str:
    return "# " + ", ".join(_CODE.findall(_STRINGS.sub("", marker[1])))


def _opening(fence: str, info: str) -> Iterator[str]:
    """The first line of a code block, and a word about what it is."""
    language, _, rest = info.partition(" ")
    file = _FILE.search(rest)
    where = f"`{file[1]}`" if file else ""
    if "unsafe-fixed" in rest:
        yield f"\n{where + ', w' if where else 'W'}ith `--fix --unsafe-fixes`:\n"
    elif "fixed" in rest:
        yield f"\n{where + ', w' if where else 'W'}ith `--fix`:\n"
    elif where:
        yield f"\n{where}:\n"
    elif language == "toml":
        yield "\nConfiguration:\n"
    yield fence + language


def table(rules: list[RulePage]) -> str:
    """The page that lists all rules."""
    lines = [
        "# Rules",
        "",
        "**On**: on by default. An error is wrong whenever it runs, a warning is a risk. `--fix` makes safe fixes,",
        "`--fix --unsafe-fixes` the others, too.",
    ]
    for digit, title in _GROUPS.items():
        lines += ["", f"## {title}", "", "| Code | Name | Level | On | Fix | |", "|---|---|---|---|---|---|"]
        lines += [_row(page) for page in rules if page.code[3] == digit]
    return "\n".join(lines) + "\n"


def _row(page: RulePage) -> str:
    state = "yes" if page.default else "no"
    summary = page.summary.rstrip(".")
    return f"| [{page.code}]({page.code}.md) | {page.name} | {page.level.value} | {state} | {fix(page)} | {summary} |"


def fix(page: RulePage) -> str:
    """Which kinds of fixes the rule's spec file shows."""
    text = spec(page)
    kinds = [
        kind
        for kind, sign in (("safe", "fixed"), ("unsafe", "unsafe-fixed"))
        if re.search(rf"^```python (?:\S+ )*{sign}\b", text, re.MULTILINE) or f"fix={kind}" in text
    ]
    return ", ".join(kinds) or "–"


def outdated() -> list[Path]:
    """The files that are not what they are to be, or should not be there."""
    wanted = pages()
    wrong = [p for p, text in wanted.items() if not p.is_file() or p.read_text("utf-8") != text]
    return wrong + [p for p in sorted(PAGES.glob("*.md")) if p not in wanted]


def main() -> int:
    """Write what is outdated, or with ``--check`` name it and return 1."""
    wrong = outdated()
    if "--check" in sys.argv[1:]:
        for path in wrong:
            print(f"{path.relative_to(ROOT)} is not up to date: run python docs/build.py")
        return 1 if wrong else 0
    wanted = pages()
    PAGES.mkdir(parents=True, exist_ok=True)
    for path in wrong:
        if path in wanted:
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
