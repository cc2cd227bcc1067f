"""Runs the spec: every case of every file in fixtures/, in every form that a program can take."""

from __future__ import annotations

import codecs
import functools
import importlib.metadata
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import fixtures_variants as variants
import pytest
from fixtures_format import Case, Expected, Fixture, FixtureError, SourceFile, parse_filename, parse_fixture

import bglint
from bglint import api
from bglint.config import Options
from bglint.fix.apply import FixResult
from bglint.index.project import Project
from bglint.model import Applicability, Finding
from bglint.rules import all_rules

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIXTURES = Path(__file__).parent.parent / "fixtures"
SPEC_FILES = [
    path
    for folder in (FIXTURES, FIXTURES / "proofs", FIXTURES / "listings")
    for path in sorted(folder.glob("*.md"))
    if path.name != "README.md"
]
# What a rule's repair may bring to light: a task that runs at last can fail.
REVEALS = {rule.code: rule.reveals for rule in all_rules()}
DEFAULT_CODES = tuple(rule.code for rule in all_rules() if rule.default)
LOOP_RULES = ("BGL2", "BGL4")
# Synchronous code can start a task or hand a coroutine to a loop, and then drop the result.
ALSO_WITHOUT_ASYNC = frozenset({"BGL203", "BGL204", "BGL208"})
UNPARSABLE = "BGL000"
CONFIG = "bglint.toml"

Place = tuple[str, int, int, str]
"""Path, row, column, code: what all faces must agree on."""


@dataclass(frozen=True)
class Spec:
    """A case, the rule it belongs to, and the spec file it comes from."""

    origin: Path
    code: str
    case: Case

    @property
    def config(self) -> str:
        """The case's bglint.toml: its own keys and, unless they say otherwise, only its rule on Python 3.11."""
        known = tomllib.loads(self.case.config).keys()
        defaults = {"select": f'["{self.code}"]', "target-version": '"py311"'}
        return "".join(f"{k} = {v}\n" for k, v in defaults.items() if k not in known) + self.case.config

    def write(self, root: Path, transform: Callable[[str], str] = str, prefix: bytes = b"") -> None:
        """Write the case's files, transformed, and its configuration below ``root``."""
        root.mkdir(parents=True, exist_ok=True)
        (root / CONFIG).write_text(self.config, "utf-8")
        for file in self.case.files:
            path = root / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(prefix + transform(file.text).encode())


def read_spec(path: Path) -> Fixture:
    return parse_fixture(path.read_text("utf-8"), spec_name(path))


def spec_name(path: Path) -> str:
    """The name of a spec file; listings are about many rules, and go by the code of none that a case can hold."""
    return f"BGL000-{path.name}" if path.parent.name == "listings" else path.name


def all_specs() -> Iterator[Spec]:
    for path in SPEC_FILES:
        try:
            fixture = read_spec(path)
        except FixtureError:
            continue  # test_the_file_follows_the_format reports it; the other files still run.
        for case in fixture.cases:
            yield Spec(path, fixture.code, case)


SPECS = tuple(all_specs())


def spec_id(spec: Spec) -> str:
    return "/".join([*spec.origin.relative_to(FIXTURES).with_suffix("").parts, spec.case.title])


every_case = pytest.mark.parametrize("spec", SPECS, ids=spec_id)


@pytest.mark.parametrize("path", SPEC_FILES, ids=lambda path: path.stem)
def test_the_file_follows_the_format(path: Path) -> None:
    parse_filename(spec_name(path))
    assert read_spec(path).cases


# What the tests ask the linter.


def options_of(root: Path, select: tuple[str, ...] | None = None) -> Options:
    """The project's own configuration, or the same with other rules."""
    return Options(config=root / CONFIG, select=select)


def fix_text(root: Path, path: str, text: str, unsafe: bool) -> FixResult:
    return api.fix_source(text, root / path, options=options_of(root), unsafe=unsafe, cwd=root)


def lint(root: Path) -> tuple[Finding, ...]:
    """The findings of the project in ``root``, its own configuration in force."""
    return api.lint_paths([root], options=options_of(root), cwd=root).findings


def lint_text(root: Path, path: str, text: str, select: tuple[str, ...] | None = None) -> tuple[Finding, ...]:
    """The findings in the project's file ``path``, if its text were ``text``."""
    return api.lint_source(text, root / path, options=options_of(root, select), cwd=root)


def place(finding: Finding) -> Place:
    start = finding.span.start
    return (Path(finding.path).as_posix(), start.row, start.column, finding.code)


def places(findings: Sequence[Finding]) -> list[Place]:
    return sorted(map(place, findings))


def rows_and_columns(findings: Sequence[Finding]) -> list[tuple[int, int, str]]:
    """Places without the path, for one file's text."""
    return sorted(place(finding)[1:] for finding in findings)


def skip_unless_parsable(spec: Spec) -> None:
    """Skip a case that the running Python cannot parse: a newer syntax, or one about unparsable files."""
    if any(variants.parse(file.text) is None for file in spec.case.files):
        pytest.skip("this Python cannot compile the case")


# Findings.


@every_case
def test_findings_are_exactly_the_marked_ones(spec: Spec, tmp_path: Path) -> None:
    if not any(expected.code == UNPARSABLE for file in spec.case.files for expected in file.expected):
        skip_unless_parsable(spec)
    spec.write(tmp_path)
    findings = lint(tmp_path)
    assert sorted((path, row, code) for path, row, _, code in map(place, findings)) == sorted(
        (file.path, expected.row, expected.code) for file in spec.case.files for expected in file.expected
    )
    for file in spec.case.files:
        found = [finding for finding in findings if Path(finding.path).as_posix() == file.path]
        assert [problem for pair in paired(file, found) for problem in differences(*pair)] == []
        assert all(starts_at_text(file.text, finding) for finding in found)
        assert rows_and_columns(lint_text(tmp_path, file.path, file.text)) == rows_and_columns(found)


def paired(file: SourceFile, found: Sequence[Finding]) -> Iterator[tuple[Expected, Finding]]:
    """Markers and findings of equal row and code, each in the order of the line."""
    return zip(
        sorted(file.expected, key=lambda expected: (expected.row, expected.code, expected.column or 0)),
        sorted(found, key=lambda it: (it.span.start.row, it.code, it.span.start.column)),
        strict=True,
    )


def differences(expected: Expected, finding: Finding) -> Iterator[str]:
    """What the marker asks for and the finding does not have."""
    where = f"row {expected.row} {expected.code}"
    fix = "none" if finding.fix is None else finding.fix.applicability.value
    if expected.column not in (None, finding.span.start.column):
        yield f"{where}: column is {finding.span.start.column}, not {expected.column}"
    if (expected.message or "") not in finding.message:
        yield f"{where}: {expected.message!r} is not in the message {finding.message!r}"
    if expected.fix not in (None, fix):
        yield f"{where}: fix is {fix}, not {expected.fix}; refused: {finding.fix_refused}"
    if (expected.refused or "") not in (finding.fix_refused or ""):
        yield f"{where}: {expected.refused!r} is not in the refusal {finding.fix_refused!r}"


def starts_at_text(text: str, finding: Finding) -> bool:
    """Whether the finding's span starts at a visible character of the text, and ends later."""
    if finding.code == UNPARSABLE:
        return True  # The parser may stop anywhere, also behind the last line.
    start, end = finding.span.start, finding.span.end
    character = text.split("\n")[start.row - 1][start.column - 1 : start.column]
    return bool(character.strip()) and start < end


# Fixes.


@every_case
@pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])
def test_fixes_are_exactly_the_fixed_blocks(spec: Spec, unsafe: bool, tmp_path: Path) -> None:
    skip_unless_parsable(spec)
    spec.write(tmp_path)
    for file in spec.case.files:
        result = fix_text(tmp_path, file.path, file.text, unsafe)
        assert result.failure is None
        wanted = file.unsafe_fixed if unsafe else file.fixed
        if wanted is None and not unsafe and file.unsafe_fixed is not None:
            wanted = file.text
        if wanted is not None:
            assert result.text == wanted
        check_fixed(tmp_path, file, result.text, unsafe)
        windows = fix_text(tmp_path, file.path, variants.crlf(file.text), unsafe)
        assert windows.text == variants.crlf(result.text)


def check_fixed(root: Path, file: SourceFile, text: str, unsafe: bool) -> None:
    """What holds for every fixed text, whatever it looks like."""
    assert variants.parse(text) is not None
    again = fix_text(root, file.path, text, unsafe)
    assert (again.text, sum(again.applied.values())) == (text, 0)

    before = lint_text(root, file.path, file.text)
    left = Counter(finding.code for finding in before if not fixable(finding, unsafe))
    assert (text == file.text) == (sum(left.values()) == len(before))
    revealed = frozenset().union(*(REVEALS[finding.code] for finding in before if fixable(finding, unsafe)))
    assert counted(lint_text(root, file.path, text), revealed) <= left

    old, new = (counted(lint_text(root, file.path, source, DEFAULT_CODES), revealed) for source in (file.text, text))
    assert new <= old


def counted(findings: Iterable[Finding], left_out: frozenset[str]) -> Counter[str]:
    """How many findings there are of each code but those left out."""
    return Counter(finding.code for finding in findings if finding.code not in left_out)


def fixable(finding: Finding, unsafe: bool) -> bool:
    """Whether the fix of this finding is applied."""
    return finding.fix is not None and (unsafe or finding.fix.applicability is Applicability.SAFE)


# Other forms of the same program.


@every_case
def test_windows_line_ends_change_nothing(spec: Spec, tmp_path: Path) -> None:
    spec.write(tmp_path / "plain")
    spec.write(tmp_path / "crlf", variants.crlf)
    assert places(lint(tmp_path / "crlf")) == places(lint(tmp_path / "plain"))


@every_case
def test_a_byte_order_mark_changes_nothing(spec: Spec, tmp_path: Path) -> None:
    spec.write(tmp_path / "plain")
    spec.write(tmp_path / "bom", prefix=codecs.BOM_UTF8)
    assert places(lint(tmp_path / "bom")) == places(lint(tmp_path / "plain"))


@every_case
def test_tabs_change_nothing_but_columns(spec: Spec, tmp_path: Path) -> None:
    skip_unless_parsable(spec)
    if any(variants.tabs(file.text) is None for file in spec.case.files):
        pytest.skip("a string over several lines would change")
    spec.write(tmp_path / "plain")
    spec.write(tmp_path / "tabs", lambda text: variants.tabs(text) or text)
    lines = {file.path: file.text.split("\n") for file in spec.case.files}
    assert places(lint(tmp_path / "tabs")) == sorted(
        (path, row, column - 3 * variants.indent_tabs(lines[path][row - 1]), code)
        for path, row, column, code in map(place, lint(tmp_path / "plain"))
    )


@every_case
def test_columns_count_characters(spec: Spec, tmp_path: Path) -> None:
    spec.write(tmp_path / "plain")
    spec.write(tmp_path / "comment", lambda text: variants.NON_ASCII_COMMENT + text)
    findings = places(lint(tmp_path / "plain"))
    assert places(lint(tmp_path / "comment")) == [(path, row + 1, column, code) for path, row, column, code in findings]
    texts = {file.path: file.text for file in spec.case.files}
    for path, row in sorted({(path, row) for path, row, _, _ in findings}):
        if (text := variants.with_statement_before(texts[path], row)) is not None:
            moved = len(variants.NON_ASCII_STATEMENT)
            assert rows_and_columns(lint_text(tmp_path / "plain", path, text)) == sorted(
                (there, column + moved * (there == row), code)
                for where, there, column, code in findings
                if where == path
            )


@every_case
def test_noqa_silences_the_line(spec: Spec, tmp_path: Path) -> None:
    spec.write(tmp_path)
    findings = places(lint(tmp_path))
    texts = {file.path: file.text for file in spec.case.files}
    for path, row, code in sorted({(path, row, code) for path, row, _, code in findings}):
        if (text := variants.with_noqa(texts[path], row, code)) is not None:
            before = {(there, column, its) for where, there, column, its in findings if where == path}
            after = set(rows_and_columns(lint_text(tmp_path, path, text)))
            assert after <= before
            assert [found for found in after if (found[0], found[2]) == (row, code)] == []


@every_case
def test_a_large_project_is_surveyed_with_the_same_findings_and_fixes(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec.write(tmp_path)
    found, fixed = lint(tmp_path), fixed_together(tmp_path)
    monkeypatch.setattr(Project, "is_large", True)
    assert lint(tmp_path) == found
    assert fixed_together(tmp_path) == fixed


def fixed_together(root: Path) -> tuple[Mapping[str, object], tuple[Finding, ...]]:
    """What fixing all files of the project in ``root`` would change, and what is left then."""
    result = api.fix_paths([root], options=options_of(root), unsafe=True, write=False, cwd=root)
    return result.changes, result.findings


@every_case
def test_rules_about_the_loop_are_silent_without_async(spec: Spec, tmp_path: Path) -> None:
    skip_unless_parsable(spec)
    if any(variants.without_async(file.text) is None for file in spec.case.files):
        pytest.skip("not a program without async")
    spec.write(tmp_path, lambda text: variants.without_async(text) or text)
    assert [
        finding
        for finding in lint(tmp_path)
        if finding.code.startswith(LOOP_RULES) and finding.code not in ALSO_WITHOUT_ASYNC
    ] == []


# The faces. One run of each per spec file, over all its cases.

Faces = Mapping[str, Mapping[str, list[tuple[Place, str]]]]


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Faces]:
    """For a spec file: face → folder of the case → what it reports there, with the messages."""

    @functools.cache
    def run(origin: Path) -> Faces:
        root = tmp_path_factory.mktemp("faces")
        for spec in SPECS:
            if spec.origin == origin:
                spec.write(root / folder(spec))
        return {"command line": by_folder(run_command_line(root)), "flake8": by_folder(run_flake8(root))}

    return run


@every_case
def test_command_line_and_flake8_report_the_same(spec: Spec, faces: Callable[[Path], Faces], tmp_path: Path) -> None:
    skip_unless_parsable(spec)
    spec.write(tmp_path)
    reports = faces(spec.origin)
    command_line = reports["command line"].get(folder(spec), [])
    assert [found for found, _ in command_line] == places(lint(tmp_path))
    assert reports["flake8"].get(folder(spec), []) == command_line


def folder(spec: Spec) -> str:
    return f"case{SPECS.index(spec)}"


def by_folder(reports: Sequence[tuple[Place, str]]) -> Mapping[str, list[tuple[Place, str]]]:
    result: dict[str, list[tuple[Place, str]]] = {}
    for (path, row, column, code), message in sorted(set(reports)):
        case, _, inside = path.removeprefix("./").partition("/")
        result.setdefault(case, []).append(((inside, row, column, code), message))
    return result


def run_command_line(root: Path) -> list[tuple[Place, str]]:
    output = run_module(root, "bglint", "check", "--output-format", "json", ".")
    return [
        (
            (
                Path(os.path.relpath(root / item["filename"], root)).as_posix(),
                item["location"]["row"],
                item["location"]["column"],
                item["code"],
            ),
            item["message"],
        )
        for item in json.loads(output)
    ]


def run_flake8(root: Path) -> list[tuple[Place, str]]:
    installed = importlib.metadata.entry_points(group="flake8.extension", name="BGL")
    plugin = "" if installed else "[flake8:local-plugins]\nextension =\n    BGL = bglint.flake8:Plugin\n"
    (root / "flake8.ini").write_text(f"[flake8]\nselect = BGL\n{plugin}", "utf-8")
    line = "%(path)s\t%(row)d\t%(col)d\t%(code)s\t%(text)s"
    output = run_module(root, "flake8", "--config", "flake8.ini", "--jobs", "1", "--format", line, ".")
    reports = []
    for report in output.splitlines():
        path, row, column, code, message = report.split("\t", 4)
        reports.append(((path.removeprefix("./"), int(row), int(column), code), message))
    return reports


def run_module(root: Path, *arguments: str) -> str:
    """Run ``python -m`` in ``root``; findings (exit code 1) are fine, anything else is not."""
    source = str(Path(bglint.__file__).parent.parent)
    result = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": source, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert result.returncode in (0, 1), result.stderr
    assert "Traceback" not in result.stderr, result.stderr
    return result.stdout
