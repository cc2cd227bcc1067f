"""The catalogue is complete: every rule has its documentation, spec file and proof; imports stay cheap."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fixtures_format import parse_filename, parse_fixture

import bglint
from bglint.rules import all_rules, codes

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"
SPEC_FILES = [
    path
    for folder in (FIXTURES, FIXTURES / "proofs")
    for path in sorted(folder.glob("*.md"))
    if path.name != "README.md"
]
RULES = {rule.code: rule for rule in all_rules()}
# There are not ten ways to stay silent about a file that cannot be parsed; tests of the engine cover it.
WITHOUT_SPEC_FILE = frozenset({"BGL000"})
# How many cases of each kind a rule needs: more for those that nearly every code base meets.
MINIMUM = 8
MINIMUM_FOUNDING = 10
FOUNDING = ("BGL101", "BGL201", "BGL203", "BGL301", "BGL303", "BGL401", "BGL402", "BGL503")
# Every other rule says what happens at run time, and has to show it.
CLAIMS_NOTHING = {
    "BGL000": "what the parser says, not what the program does",
    "BGL001": "about comments, which do nothing at run time",
}
DOCSTRING_SECTIONS = (
    "What it does",
    "Why is this bad?",
    "Example",
    "Use instead",
    "Fix safety",
    "References",
)
SLOW_TO_IMPORT = ("libcst", "rich", "pathspec", "packaging")


def sections(docstring: str) -> dict[str, str]:
    """The docstring's sections, by heading in their order. A heading may be underlined, or start with #."""
    found: dict[str, str] = {}
    heading = ""
    for line in inspect.cleandoc(docstring).splitlines():
        title = line.strip("# :")
        if title in DOCSTRING_SECTIONS:
            heading = title
            found[heading] = ""
        elif heading and not re.fullmatch(r"[-=~]*", line):
            found[heading] += line
    return found


def test_codes_and_names_are_unique() -> None:
    rules = all_rules()
    assert rules
    for values in (Counter(rule.code for rule in rules), Counter(rule.name for rule in rules)):
        assert [value for value, count in values.items() if count > 1] == []


@pytest.mark.parametrize("code", RULES)
class TestEveryRule:
    def test_has_a_code_that_flake8_accepts_and_a_kebab_case_name(self, code: str) -> None:
        assert re.fullmatch(r"BGL\d{3}", code)
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", RULES[code].name)

    def test_documents_itself_section_by_section(self, code: str) -> None:
        documented = sections(RULES[code].__doc__ or "")
        assert tuple(documented) == DOCSTRING_SECTIONS
        assert [heading for heading, text in documented.items() if not text.strip()] == []


@pytest.mark.parametrize("code", sorted(RULES.keys() - WITHOUT_SPEC_FILE))
def test_every_rule_has_a_spec_file_with_enough_cases(code: str) -> None:
    path = FIXTURES / f"{code}-{RULES[code].name}.md"
    assert path.is_file()
    cases = parse_fixture(path.read_text("utf-8"), path.name).cases
    reported = sum(case.reports for case in cases)
    enough = MINIMUM_FOUNDING if code in FOUNDING else MINIMUM
    assert reported >= enough
    assert len(cases) - reported >= enough


@pytest.mark.parametrize("path", SPEC_FILES, ids=lambda path: path.stem)
def test_every_spec_file_belongs_to_a_rule(path: Path) -> None:
    code, name = parse_filename(path.name)
    assert codes().get(code) == name


def proof_of(code: str) -> Path:
    return ROOT / "tests" / "proofs" / f"test_{code.lower()}.py"


@pytest.mark.parametrize("code", sorted(RULES.keys() - CLAIMS_NOTHING.keys()))
def test_every_rule_that_says_what_happens_at_run_time_proves_it_by_its_fixtures_code(code: str) -> None:
    assert proof_of(code).is_file()
    proof = proof_of(code).read_text("utf-8")
    assert "pytest.mark.proof" in proof
    assert f'fixture_app("{code}", ' in proof
    assert (FIXTURES / "proofs" / f"{code}-{RULES[code].name}.md").is_file()


@pytest.mark.parametrize("code", CLAIMS_NOTHING)
def test_the_rules_without_a_proof_are_rules_and_have_none(code: str) -> None:
    assert code in RULES
    assert not proof_of(code).exists()


def test_every_proof_belongs_to_a_rule() -> None:
    proven = {path.stem.removeprefix("test_").upper() for path in (ROOT / "tests" / "proofs").glob("test_bgl*.py")}
    assert proven <= RULES.keys()


@pytest.mark.parametrize("path", sorted((FIXTURES / "proofs").glob("*.md")), ids=lambda path: path.stem)
def test_every_program_of_a_proof_is_run(path: Path) -> None:
    code, _ = parse_filename(path.name)
    proof = proof_of(code).read_text("utf-8")
    names = [case.title.partition(": ")[2] for case in parse_fixture(path.read_text("utf-8"), path.name).cases]
    assert [name for name in names if f'"{name}"' not in proof] == []


@pytest.mark.parametrize("module", ["cli", "rules", "config", "flake8", "engine"])
def test_importing_is_cheap(module: str) -> None:
    program = f"import sys, bglint.{module}; print(*set({SLOW_TO_IMPORT!r}).intersection(sys.modules))"
    source = str(Path(bglint.__file__).parent.parent)
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
        timeout=60,
    )
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "", "")
