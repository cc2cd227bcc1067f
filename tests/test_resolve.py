"""The resolver's specs in fixtures/resolution/, and that they hold whatever is asked first."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from resolution_format import Case, read_cases

from bglint import api
from bglint.config import Options
from bglint.index.facts import Scope
from bglint.index.linking import calls_on
from bglint.index.project import Project
from bglint.index.symbols import Symbol

SPECS = Path(__file__).parent.parent / "fixtures" / "resolution"
CASES = [
    pytest.param(case, id=f"{path.stem}: {case.title}")
    for path in sorted(SPECS.glob("*.md"))
    for case in read_cases(path.read_text("utf-8"))
]
BLOCKING = ("BGL401", "BGL402")


def described(symbol: Symbol | None) -> str:
    """A qualified name, with ``()`` for an instance of that class; ``?`` for the unknown."""
    if symbol is None:
        return "?"
    return f"{symbol.name}()" if symbol.instance and not symbol.name.endswith("()") else symbol.name


def questions(project: Project, folder: Path, case: Case) -> Iterator[tuple[tuple[str, int], ast.expr, Scope]]:
    """The arguments of all ``reveal`` calls of a case, by file and row."""
    for name in case.files:
        module = project.module_at(folder / name)
        assert module is not None, name
        for call, scope in calls_on(module, range(1, 10**6)):
            if isinstance(call.func, ast.Name) and call.func.id == "reveal":
                yield (name, call.lineno), call.args[0], scope


@pytest.mark.parametrize("case", CASES)
def test_it_is_what_the_spec_says(tmp_path: Path, case: Case) -> None:
    case.write(tmp_path)
    project = Project([tmp_path], Path.read_text)
    asked = list(questions(project, tmp_path, case))
    assert {place: described(project.resolve(node, scope)) for place, node, scope in asked} == case.revealed


@pytest.mark.parametrize("case", CASES)
def test_what_blocks_through_it_is_reported_and_nothing_else(tmp_path: Path, case: Case) -> None:
    case.write(tmp_path)
    options = Options(isolated=True, select=BLOCKING, source_roots=(str(tmp_path),))
    result = api.lint_paths([tmp_path], options=options, cwd=tmp_path)
    assert result.failures == ()
    assert sorted((f.path, f.span.start.row, f.code) for f in result.findings) == case.errors


@pytest.mark.parametrize("case", [p for p in CASES if p.values[0].revealed])  # type: ignore[attr-defined]
def test_answers_do_not_depend_on_what_was_asked_before(tmp_path: Path, case: Case) -> None:
    case.write(tmp_path)
    for seed in range(3):
        project = Project([tmp_path], Path.read_text)
        asked = list(questions(project, tmp_path, case))
        random.Random(seed).shuffle(asked)
        assert {place: described(project.resolve(node, scope)) for place, node, scope in asked} == case.revealed
