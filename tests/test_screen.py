"""The first screen lets nothing through that a rule could report, and the tool starts fast where nothing can."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scratch import Here, Run
from test_fixtures import Spec, all_specs, spec_id

import bglint
from bglint import screen
from bglint.index import launches
from bglint.rules import all_rules
from bglint.rules.base import Rule
from bglint.screen import matters, nothing_matters

SOURCE = str(Path(bglint.__file__).parent.parent)
SLEEPS = "import time\n\n\nasync def nap():\n    time.sleep(1)\n"
ORDINARY = '''"""Orders."""

import re


def total(rows):
    try:
        return ", ".join(rows)
    except KeyError:
        pass
'''

# These report nothing but in functions that something runs in the background.
IN_THE_BACKGROUND = ("BGL501", "BGL502")
WITHOUT_WORDS = ("BGL000", "BGL001")


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_every_rules_words_are_among_those_of_the_screen(rule: type[Rule]) -> None:
    if rule.code in WITHOUT_WORDS:
        return
    if rule.code in IN_THE_BACKGROUND:
        triggers, needs = launches._WORDS, frozenset[str]()
    else:
        triggers, needs = rule.triggers, rule.needs
    words = [[f"x{word}(" for word in group] for group in (triggers, needs) if group]
    assert any(all(matters(word.encode()) for word in group) for group in words), (triggers, needs)


@pytest.mark.parametrize("spec", [spec for spec in all_specs() if spec.case.reports], ids=spec_id)
def test_whatever_is_reported_gets_through(spec: Spec, tmp_path: Path) -> None:
    if {expected.code for file in spec.case.files for expected in file.expected} <= {"BGL000"}:
        return
    spec.write(tmp_path)
    for file in spec.case.files:
        path = tmp_path / file.path
        if file.expected:
            # Alone, as when an editor or a hook lints one file: what it imports and belongs to counts, too.
            assert not nothing_matters({str(path): path.read_bytes()}, {str(tmp_path), str(tmp_path / "src")})


class TestOtherFiles:
    """A file of which nothing can be said by itself matters for what its project does with it."""

    @pytest.fixture
    def nothing(self, tmp_path: Path) -> object:
        def nothing(*names: str) -> bool:
            paths = [tmp_path / name for name in names]
            return nothing_matters({str(path): path.read_bytes() for path in paths}, {str(tmp_path)})

        return nothing

    def test_other_files_of_its_package(self, here: Here, nothing: object) -> None:
        here("app/__init__.py", "")
        here("app/sub/__init__.py", "")
        here("app/sub/a.py", ORDINARY)
        assert nothing("app/sub/a.py")  # type: ignore[operator]
        here("app/b.py", SLEEPS)
        assert not nothing("app/sub/a.py")  # type: ignore[operator]

    def test_what_it_imports(self, here: Here, nothing: object) -> None:
        here("a.py", ORDINARY + "import os, b\n")
        here("b.py", "from c.d import e\n")
        here("c/d.py", ORDINARY)
        here("unrelated.py", SLEEPS)
        assert nothing("a.py")  # type: ignore[operator]
        here("c/d.py", SLEEPS)
        assert not nothing("a.py")  # type: ignore[operator]

    def test_a_folder_without_a_mark_below_the_root(self, here: Here, nothing: object) -> None:
        here("scripts/a.py", ORDINARY)
        here("scripts/b.py", ORDINARY)
        assert nothing("scripts/a.py")  # type: ignore[operator]
        here("scripts/b.py", SLEEPS)
        assert not nothing("scripts/a.py")  # type: ignore[operator]

    def test_too_many_to_ask(self, here: Here, nothing: object, monkeypatch: pytest.MonkeyPatch) -> None:
        here("a.py", ORDINARY + "import b\n")
        here("b.py", ORDINARY)
        monkeypatch.setattr(screen, "MOST_FILES", 1)
        assert not nothing("a.py")  # type: ignore[operator]


class TestTheSameWithAndWithoutRules:
    FILES = {
        "fine.py": ORDINARY,
        "empty.py": "",
        "broken.py": "def f(:\n",
        "nul.py": "x = 1\0",
        "latin.py": b"x = '\xe9'\n",
        "ignored.py": "def g(:\n",
    }
    OPTIONS = ("--isolated", "--output-format", "json", "--per-file-ignores", "ignored.py:BGL000", ".", "missing.py")

    def test_files_that_are_not_python(self, run: Run, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, content in self.FILES.items():
            here(name, content)
        without = run(*self.OPTIONS)
        monkeypatch.setattr(screen, "nothing_matters", lambda linted, roots: False)
        assert run(*self.OPTIONS) == without
        assert without.code == 1
        assert without.out.count('"code": "BGL000"') == 4

    def test_unless_that_is_not_asked_for(self, run: Run, here: Here) -> None:
        here("broken.py", "def f(:\n")
        assert run("--isolated", "--select", "BGL4").code == 0


HEAVY = (
    *("dataclasses", "inspect"),
    *("ast", "click", "rich", "libcst", "tempfile", "json", "concurrent.futures", "asyncio", "pickle", "difflib"),
    *("tomllib", "shutil", "importlib.metadata", "pathspec", "packaging"),
    *("bglint.engine", "bglint.index", "bglint.rules.base", "bglint.model", "bglint.jobs", "bglint.fix"),
)


def imported(folder: Path, *arguments: str) -> set[str]:
    """Return the modules that a run imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bglint", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": SOURCE},
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


class TestStartUp:
    def test_the_version_needs_nothing(self, tmp_path: Path) -> None:
        names = imported(tmp_path, "--version")
        assert not names.intersection((*HEAVY, "typing", "bglint.checking", "bglint.config"))

    def test_files_in_which_nothing_matters_need_no_rule(self, tmp_path: Path, here: Here) -> None:
        here("a.py", ORDINARY)
        names = imported(tmp_path, "check", "--isolated", "--no-cache", "--jobs", "1", "--exit-zero", ".")
        assert not names.intersection(HEAVY)

    def test_files_without_candidates_need_no_libcst(self, tmp_path: Path, here: Here) -> None:
        here("a.py", "async def f():\n    return 1\n")
        names = imported(tmp_path, "check", "--isolated", ".")
        assert "bglint.engine" in names
        assert not names.intersection(("libcst", "click", "rich", "tempfile", "concurrent.futures", "asyncio"))
