"""The rules' pages are built from docstrings and spec files, and committed: what is committed is what is built."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bglint
from bglint.rules import all_rules

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "rules"


def run(*arguments: str) -> str:
    """What a Python command prints; whether it fails is part of it."""
    environment = {**os.environ, "PYTHONPATH": str(Path(bglint.__file__).parent.parent), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, *arguments]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8")
    return result.stdout + result.stderr


def test_the_pages_are_up_to_date() -> None:
    assert run("docs/build.py", "--check") == ""


def test_every_rule_has_its_page_and_its_row_in_the_table() -> None:
    table = (PAGES / "README.md").read_text("utf-8")
    for rule in all_rules():
        assert (PAGES / f"{rule.code}.md").is_file()
        assert f"| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.level.value} |" in table


def test_a_page_says_what_the_command_says_and_shows_the_spec() -> None:
    page = (PAGES / "BGL501.md").read_text("utf-8")
    said = run("-m", "bglint", "rule", "BGL501").strip()
    assert said
    assert said in page
    examples = page.partition("\n## Examples\n")[2]
    assert "#### Silent: raised again" in examples
    assert "With `--fix`:\n\n```python" in examples
    assert "  # BGL501\n" in examples
    assert "# error" not in examples
