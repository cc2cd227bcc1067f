"""Projects of every layout, their modules read on demand and dropped again, and random ones."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_resolve import described

from bglint import api
from bglint.config import Options
from bglint.index import callers
from bglint.index.facts import Scope
from bglint.index.linking import calls_on
from bglint.index.project import Project
from bglint.index.resolve import Resolver
from bglint.index.symbols import Symbol

SLEEPS = "import time\n\n\ndef nap():\n    time.sleep(1)\n"


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def calls_nap(line: str) -> str:
    return f"{line}\n\n\nasync def f():\n    nap()\n"


def found(cwd: Path, *paths: str, roots: tuple[str, ...] | None = None) -> list[str]:
    """The files under ``paths`` in which BGL402 reports, by their names."""
    options = Options(isolated=True, select=("BGL402",), source_roots=roots)
    result = api.lint_paths([cwd / path for path in paths], options=options, cwd=cwd)
    assert result.failures == ()
    return [finding.path for finding in result.findings]


# Layouts: the call in main.py is reported, whatever way leads to the file that sleeps.

LAYOUTS = {
    "side by side": ({"low.py": SLEEPS, "main.py": calls_nap("from low import nap")}, "."),
    "a package": (
        {"app/__init__.py": "", "app/low.py": SLEEPS, "app/main.py": calls_nap("from app.low import nap")},
        ".",
    ),
    "a package given by its folder": (
        {"app/__init__.py": "", "app/low.py": SLEEPS, "app/main.py": calls_nap("from app.low import nap")},
        "app",
    ),
    "src layout": (
        {
            "pyproject.toml": "[project]\nname = 'app'\n",
            "src/app/__init__.py": "",
            "src/app/low.py": SLEEPS,
            "src/app/main.py": calls_nap("from app.low import nap"),
        },
        ".",
    ),
    "a single file": ({"low.py": SLEEPS, "main.py": calls_nap("from low import nap")}, "main.py"),
    "a single file of a package": (
        {"app/__init__.py": "", "app/low.py": SLEEPS, "app/main.py": calls_nap("from .low import nap")},
        "app/main.py",
    ),
    "a script beside a package": (
        {"app/__init__.py": "", "app/low.py": SLEEPS, "main.py": calls_nap("from app.low import nap")},
        "main.py",
    ),
    "a namespace package": (
        {"space/app/low.py": SLEEPS, "main.py": calls_nap("from space.app.low import nap")},
        ".",
    ),
    "a relative import of a package within a namespace": (
        {"space/app/low.py": SLEEPS, "space/app/main.py": calls_nap("from .low import nap")},
        ".",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_modules_are_found_in_every_layout(tmp_path: Path, layout: str) -> None:
    files, given_path = LAYOUTS[layout]
    write(tmp_path, files)
    main = next(name for name in files if name.endswith("main.py"))
    assert found(tmp_path, given_path) == [main]


def test_several_roots_are_searched_in_their_order(tmp_path: Path) -> None:
    write(tmp_path, {"one/low.py": "def nap(): pass\n", "two/low.py": SLEEPS})
    for first, second in (("one", "two"), ("two", "one")):
        project = Project([tmp_path / first, tmp_path / second], Path.read_text)
        assert project.find("low") == tmp_path / first / "low.py"


def test_a_module_that_cannot_be_parsed_or_read_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, {"low.py": "def nap(:\n", "main.py": calls_nap("from low import nap")})
    assert found(tmp_path, "main.py") == []


def test_an_import_of_itself_ends(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": calls_nap("from main import nap")})
    assert found(tmp_path, "main.py") == []


# What is dropped is read again, and nothing changes by that.


def test_findings_do_not_depend_on_how_much_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    depth = 6
    write(tmp_path, {"m0.py": f"{SLEEPS}\n\nclass Table:\n    def load(self): nap()\n\n\ntable = Table()\n"})
    for i in range(1, depth):
        text = f"from m{i - 1} import nap as below, table\n\n\ndef nap(): below()\ndef load(): table.load()\n"
        write(tmp_path, {f"m{i}.py": f"{text}\n\nasync def f():\n    nap()\n    load()\n"})
    kept = api.lint_paths([tmp_path], options=Options(isolated=True), cwd=tmp_path)
    dropped: list[bool] = []
    trim = Project.trim

    def trim_at_once(self: Project) -> bool:
        self.budget = 0
        dropped.append(trim(self))
        return dropped[-1]

    monkeypatch.setattr(Project, "trim", trim_at_once)
    again = api.lint_paths([tmp_path], options=Options(isolated=True), cwd=tmp_path)
    assert sum(dropped) > depth
    assert len(kept.findings) == 2 * (depth - 1)
    assert again.findings == kept.findings


def test_nothing_is_dropped_while_somebody_compares_scopes(tmp_path: Path) -> None:
    write(tmp_path, {"low.py": SLEEPS})
    project = Project([tmp_path], Path.read_text, budget=0)
    before = project.function("low.nap")
    with project.held_still():
        assert not project.trim()
        assert project.function("low.nap") is before
    assert project.trim()
    after = project.function("low.nap")
    assert after is not None
    assert after is not before


# Files that can call each other are looked at together, and nothing of others is needed for them.


QUEUED = {
    "work.py": "from fastapi import HTTPException\n\n\ndef work() -> None:\n    raise HTTPException(404)\n",
    "route.py": "from fastapi import BackgroundTasks\n\nfrom .work import work\n\n\n"
    "def route(tasks: BackgroundTasks) -> None:\n    tasks.add_task(work)\n",
}


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("size", [1, 1_000])
def test_packages_that_do_not_import_each_other_are_linted_as_if_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, jobs: int
) -> None:
    shop = Path(__file__).parent.parent / "fixtures" / "apps" / "shop" / "shop"
    names = ["atelier", "shop", "store"]
    for name in names:
        for path in shop.rglob("*.py"):
            text = re.sub(r"\bshop\b", name, path.read_text())
            write(tmp_path, {f"{name}/{path.relative_to(shop).as_posix()}": text})
        write(tmp_path, {f"{name}/{path}": text for path, text in QUEUED.items()})
    every = Options(isolated=True, select=("BGL",))
    alone = [api.lint_paths([tmp_path / name], options=every, cwd=tmp_path).findings for name in names]
    monkeypatch.setattr(callers, "_WORTH_A_ROUND", size)
    monkeypatch.setattr(api, "_MANY_FILES", 1)
    together = api.lint_paths([tmp_path], options=every, cwd=tmp_path, jobs=jobs)
    assert {"BGL101", "BGL109", "BGL401"} <= {finding.code for finding in alone[-1]}
    assert list(together.findings) == [finding for findings in alone for finding in findings]


# Size: the resolver's steps grow with the module, no faster.


def steps(functions: int, monkeypatch: pytest.MonkeyPatch, folder: Path) -> int:
    text = "import requests\n\nshared = requests.Session()\n\n"
    text += "".join(
        f"def f{i}(x):\n    global last\n    last = x\n    return f{max(i - 1, 0)}(shared)\n" for i in range(functions)
    )
    write(folder, {"huge.py": text})
    project = Project([folder], Path.read_text)
    module = project.module_at(folder / "huge.py")
    assert module is not None
    taken = 0
    resolve = Resolver.resolve

    def counted(self: Resolver, node: ast.expr, scope: Scope) -> Symbol | None:
        nonlocal taken
        taken += 1
        return resolve(self, node, scope)

    with monkeypatch.context() as patch:
        patch.setattr(Resolver, "resolve", counted)
        for call, scope in calls_on(module, range(1, 10**6)):
            project.resolve(call.func, scope)
            project.resolve(call, scope)
    return taken


def test_a_huge_module_stays_linear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert steps(5_000, monkeypatch, tmp_path) <= 11 * steps(500, monkeypatch, tmp_path)


# Random projects.

MODULES = ("a", "b", "p", "p.c", "p.d")
NAMES = ("x", "y", "z", "sleep", "K")
IMPORTS = st.one_of(
    st.builds(
        "from {} import {} as {}".format, st.sampled_from(MODULES), st.sampled_from(NAMES), st.sampled_from(NAMES)
    ),
    st.builds("from {} import *".format, st.sampled_from(MODULES)),
    st.builds("import {} as {}".format, st.sampled_from(MODULES), st.sampled_from(NAMES)),
    st.builds("from . import {0}".format, st.sampled_from(("c", "d", "x"))),
    st.builds("from time import sleep as {}".format, st.sampled_from(NAMES)),
)
LINES = st.one_of(
    IMPORTS,
    st.builds("{} = {}".format, st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.builds("{0} = {1}.{2}".format, st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.builds("{0} = {1}()".format, st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.builds("{0}, {1} = {1}, {0}".format, st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.builds("def {0}({1}): return {2}({1})".format, *[st.sampled_from(NAMES)] * 3),
    st.builds("def {0}(q: {1}) -> {2}: return {1}.{0}".format, *[st.sampled_from(NAMES)] * 3),
    st.builds("class {0}({1}):\n    {2} = {0}\n    def z(self): return self.{2}".format, *[st.sampled_from(NAMES)] * 3),
    st.builds("class {0}({1}, {2}):\n    def x(self): self.y = super().x()".format, *[st.sampled_from(NAMES)] * 3),
    st.builds("def {0}():\n    global {1}\n    {1} = {2}".format, *[st.sampled_from(NAMES)] * 3),
    st.builds("{0} = [{1}]\nfor {1} in {0}: {2} = {1}".format, *[st.sampled_from(NAMES)] * 3),
    st.builds("@{0}\ndef {1}(): yield {2}".format, *[st.sampled_from(NAMES)] * 3),
)


def projects(lines: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, list[str]]]:
    return st.fixed_dictionaries({module: st.lists(lines, max_size=8) for module in MODULES})


def path_of(module: str) -> str:
    return f"{module.replace('.', '/')}/__init__.py" if module == "p" else f"{module.replace('.', '/')}.py"


def marked(project: Project, folder: Path) -> Iterator[tuple[str, ast.expr, Scope]]:
    for name in MODULES:
        module = project.module_at(folder / path_of(name))
        assert module is not None
        for position, node in enumerate(ast.walk(module.tree)):
            if isinstance(node, ast.Expr):
                yield f"{name} {position} {ast.unparse(node)}", node.value, module


def answers(lines: dict[str, list[str]], seed: int | None) -> dict[str, str]:
    """What every name, its call and its attributes are at the end of every module, asked in a random order."""
    asked = "\n".join([*NAMES, *(f"{name}()" for name in NAMES), *(f"{a}.{b}" for a in NAMES for b in NAMES)])
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, {path_of(module): "\n".join([*body, asked]) for module, body in lines.items()})
        project = Project([folder], Path.read_text)
        questions = list(marked(project, folder))
        if seed is not None:
            random.Random(seed).shuffle(questions)
        return {place: described(project.resolve(node, scope)) for place, node, scope in questions}


@given(projects(IMPORTS), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_answers_about_random_imports_do_not_depend_on_their_order(lines: dict[str, list[str]], seed: int) -> None:
    assert answers(lines, None) == answers(lines, seed)


@given(projects(LINES), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_every_question_about_a_random_project_is_answered(lines: dict[str, list[str]], seed: int) -> None:
    assert answers(lines, seed)


# Several packages of one name: an import means the one beside the file that imports.


def two_of_one_name(*, quick: str) -> dict[str, str]:
    """Two services with a package ``app`` each; that of ``quick`` sleeps nowhere."""
    other = "b" if quick == "a" else "a"
    files = {f"{service}/app/__init__.py": "" for service in "ab"}
    files |= {f"{service}/app/main.py": calls_nap("from app.low import nap") for service in "ab"}
    files |= {f"{service}/app/near.py": calls_nap("from .low import nap") for service in "ab"}
    files |= {f"{service}/app/whole.py": calls_nap("import app.low\nnap = app.low.nap") for service in "ab"}
    files |= {f"{service}/app/star.py": calls_nap("from app.low import *") for service in "ab"}
    files |= {f"{quick}/app/low.py": "def nap(): pass\n", f"{other}/app/low.py": SLEEPS}
    return files


@pytest.mark.parametrize("quick", ["a", "b"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_import_means_the_package_beside_the_file(tmp_path: Path, quick: str, jobs: int) -> None:
    write(tmp_path, two_of_one_name(quick=quick))
    options = Options(isolated=True, select=("BGL402",))
    result = api.lint_paths([tmp_path], options=options, cwd=tmp_path, jobs=jobs)
    other = "b" if quick == "a" else "a"
    names = ("main", "near", "star", "whole")
    assert [finding.path for finding in result.findings] == [f"{other}/app/{name}.py" for name in names]


def test_a_folder_without_init_inside_a_package_is_part_of_it(tmp_path: Path) -> None:
    files = {
        "shop/__init__.py": "",
        "shop/low.py": SLEEPS,
        "shop/routers/orders.py": calls_nap("from ..low import nap"),
        "shop/routers/audio/__init__.py": calls_nap("from ...low import nap"),
        "shop/routers/audio/player.py": calls_nap("from shop.low import nap"),
    }
    write(tmp_path, files)
    assert found(tmp_path, ".") == sorted(name for name in files if "routers" in name)
    project = Project([tmp_path], Path.read_text)
    assert project.module_name(tmp_path / "shop/routers/audio/player.py") == "shop.routers.audio.player"
    assert project.module_name(tmp_path / "shop/routers/orders.py") == "shop.routers.orders"


def test_chains_stay_within_the_package_beside_the_file(tmp_path: Path) -> None:
    shared = {
        "app/__init__.py": "",
        "app/middle.py": (
            "from app.low import Base\n\n\nclass Table(Base):\n    @property\n    def row(self): return self.load()\n"
        ),
        "app/main.py": (
            "from app.middle import Table\n\n\nasync def f(table: Table):\n    print(table.row)\n    table.load()\n"
        ),
    }
    files = {f"{service}/{name}": text for service in "ab" for name, text in shared.items()}
    files["a/app/low.py"] = "class Base:\n    def load(self): pass\n"
    files["b/app/low.py"] = "import time\n\n\nclass Base:\n    def load(self): time.sleep(1)\n"
    write(tmp_path, files)
    assert found(tmp_path, ".") == ["b/app/main.py", "b/app/main.py"]
    assert found(tmp_path, "a/app/main.py", "b/app/main.py") == ["b/app/main.py", "b/app/main.py"]
