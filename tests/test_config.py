"""One schema for files, command line and flake8; the closest file wins; errors name the place and the nearest word."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bglint.config import ConfigError, Configuration, Options, Settings, settings_origin
from bglint.selectors import PathPatterns, Selection, anchored

CODES = {
    "BGL000": "unparsable-file",
    "BGL101": "unguarded-background-task",
    "BGL102": "called-background-task",
    "BGL201": "gather-outside-task-group",
    "BGL209": "gather-without-timeout",
}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, *lines: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def configuration(cwd: Path, **said: object) -> Configuration:
    return Configuration(Options(**said), cwd, CODES)  # type: ignore[arg-type]


def settings(cwd: Path, name: str = "app.py", **said: object) -> Settings:
    return configuration(cwd, **said).for_path(cwd / name)


def refusal(cwd: Path, **said: object) -> str:
    with pytest.raises(ConfigError) as caught:
        settings(cwd, **said)
    return str(caught.value)


def on(found: Settings, defaults: Mapping[str, bool] | None = None) -> set[str]:
    usual = {code: code != "BGL209" for code in CODES}
    return {code for code, default in (defaults or usual).items() if found.enabled(code, default)}


# Which file counts


def test_without_a_file_the_defaults_are_in_force(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert (found.root, found.source_roots) == (tmp_path, (tmp_path,))
    assert (found.join_timeout, found.http_timeout, found.target_version) == (10.0, 10.0, (3, 10))
    assert (found.guard, found.guards, found.blocking, found.respect_gitignore) == (None, (), {}, True)
    assert on(found) == set(CODES) - {"BGL209"}


def test_the_closest_file_wins_and_nothing_is_merged(tmp_path: Path, write: Write) -> None:
    write("bglint.toml", "join-timeout = 3", 'guards = ["a.b"]')
    write("svc/pyproject.toml", "[tool.bglint]", "http-timeout = 4")
    found = settings(tmp_path, "svc/deep/app.py")
    assert (found.join_timeout, found.http_timeout, found.guards) == (10.0, 4.0, ())
    assert found.root == tmp_path / "svc"
    assert settings(tmp_path).join_timeout == 3.0


def test_a_pyproject_without_our_table_does_not_stop_the_search(tmp_path: Path, write: Write) -> None:
    write("bglint.toml", "join-timeout = 3")
    write("svc/pyproject.toml", "[project]", 'name = "bglint-user"')
    assert settings(tmp_path, "svc/app.py").join_timeout == 3.0


def test_in_one_folder_our_own_file_wins(tmp_path: Path, write: Write) -> None:
    write("pyproject.toml", "[tool.bglint]", "join-timeout = 1")
    write(".bglint.toml", "join-timeout = 2")
    assert settings(tmp_path).join_timeout == 2.0
    write("bglint.toml", "join-timeout = 3")
    assert settings(tmp_path).join_timeout == 3.0


def test_files_under_one_configuration_share_one_object(tmp_path: Path, write: Write) -> None:
    write("bglint.toml")
    everything = configuration(tmp_path)
    assert everything.for_path(tmp_path / "a.py") is everything.for_path(Path("b/c/d.py"))


def test_isolated_reads_no_file(tmp_path: Path, write: Write) -> None:
    write("pyproject.toml", "[project]", 'requires-python = ">=3.12"', "[tool.bglint]", "join-timeout = 3")
    found = settings(tmp_path, isolated=True)
    assert (found.join_timeout, found.target_version) == (10.0, (3, 10))


def test_a_named_file_is_the_only_one(tmp_path: Path, write: Write) -> None:
    write("svc/bglint.toml", "join-timeout = 3")
    write("other/strict.toml", "http-timeout = 4")
    found = settings(tmp_path, "svc/app.py", config=Path("other/strict.toml"))
    assert (found.join_timeout, found.http_timeout, found.root) == (10.0, 4.0, tmp_path / "other")


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    assert refusal(tmp_path, config=Path("gone.toml")) == "gone.toml: No such file or directory"


def test_a_named_pyproject_without_our_table_is_an_error(tmp_path: Path, write: Write) -> None:
    write("pyproject.toml", "[project]")
    assert refusal(tmp_path, config=Path("pyproject.toml")) == "pyproject.toml:1: has no [tool.bglint] table"


def test_the_root_without_a_file_is_the_projects(tmp_path: Path, write: Write) -> None:
    write("svc/pyproject.toml", "[project]")
    write("svc/src/app.py")
    found = settings(tmp_path, "svc/src/app.py")
    assert (found.root, found.source_roots) == (tmp_path / "svc", (tmp_path / "svc", tmp_path / "svc/src"))


# extend


def test_extend_takes_what_the_file_does_not_say_from_another(tmp_path: Path, write: Write) -> None:
    write("base.toml", "join-timeout = 3", "http-timeout = 3", 'source-roots = ["lib"]', 'ignore = ["BGL1"]')
    write("svc/bglint.toml", 'extend = "../base.toml"', "http-timeout = 4", 'extend-select = ["BGL101"]')
    found = settings(tmp_path, "svc/app.py")
    assert (found.join_timeout, found.http_timeout) == (3.0, 4.0)
    assert found.source_roots == (tmp_path / "lib",)
    assert on(found) == {"BGL000", "BGL101", "BGL201"}


def test_files_that_extend_each_other_are_an_error(tmp_path: Path, write: Write) -> None:
    write("bglint.toml", "", 'extend = "b.toml"')
    write("b.toml", 'extend = "bglint.toml"')
    expected = 'b.toml:1: "extend" goes round in a circle: bglint.toml → b.toml → bglint.toml'
    assert refusal(tmp_path) == expected


def test_extending_a_file_that_is_missing_is_an_error(tmp_path: Path, write: Write) -> None:
    write("bglint.toml", "", 'extend = "b.toml"')
    assert refusal(tmp_path) == 'bglint.toml:2: "extend" names no file: b.toml'


# Codes


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"select": ["BGL1"]}, {"BGL101", "BGL102"}),
        ({"select": ["BGL"]}, set(CODES)),
        ({"select": ["ALL"], "ignore": ["BGL2"]}, {"BGL000", "BGL101", "BGL102"}),
        ({"select": ["gather-without-timeout"]}, {"BGL209"}),
        ({"extend_select": ["BGL209"]}, set(CODES)),
        ({"ignore": ["BGL1"]}, {"BGL000", "BGL201"}),
        ({"ignore": ["BGL1"], "extend_select": ["BGL101"]}, {"BGL000", "BGL101", "BGL201"}),
        ({"select": ["BGL1"], "ignore": ["BGL101"]}, {"BGL102"}),
        ({"select": ["BGL101"], "ignore": ["BGL101"]}, set()),
        ({"select": ["BGL101"], "extend_ignore": ["BGL1"]}, {"BGL101"}),
        ({"select": []}, set()),
    ],
)
def test_the_most_specific_selector_wins_and_ignore_wins_ties(
    tmp_path: Path, said: dict[str, object], expected: set[str]
) -> None:
    assert on(settings(tmp_path, **said)) == expected


@pytest.mark.parametrize(
    ("file", "said", "expected"),
    [
        ('ignore = ["BGL101"]', {"select": ["BGL1"]}, {"BGL101", "BGL102"}),
        ('ignore = ["BGL101"]', {"extend_select": ["BGL1"]}, {"BGL000", "BGL101", "BGL102", "BGL201"}),
        ('select = ["BGL101", "BGL201"]', {"ignore": ["BGL2"]}, {"BGL101"}),
        ('ignore = ["BGL1"]', {"ignore": ["BGL2"]}, {"BGL000"}),
    ],
)
def test_the_command_line_speaks_last(
    tmp_path: Path, write: Write, file: str, said: dict[str, object], expected: set[str]
) -> None:
    write("bglint.toml", file)
    assert on(settings(tmp_path, **said)) == expected


@given(st.lists(st.sampled_from(["BGL", "BGL1", "BGL10", "BGL101", "BGL2"])), st.sampled_from(sorted(CODES)))
def test_what_is_selected_and_ignored_alike_is_off(selectors: list[str], code: str) -> None:
    both = Selection(select=tuple(selectors), ignore=tuple(selectors))
    assert not both.decide(code, True)


def test_fixes_are_allowed_by_code(tmp_path: Path) -> None:
    found = settings(tmp_path, fixable=["BGL1"], unfixable=["BGL102"])
    assert [code for code in CODES if found.may_fix(code)] == ["BGL101"]
    assert all(settings(tmp_path).may_fix(code) for code in CODES)


# Paths


def test_per_file_ignores_go_by_name_place_and_negation(tmp_path: Path, write: Write) -> None:
    write(
        "bglint.toml",
        "[per-file-ignores]",
        '"conftest.py" = ["BGL101"]',
        '"tests/*" = ["BGL2"]',
        '"!svc/**" = ["unparsable-file"]',
    )
    found = settings(tmp_path)

    def ignored(name: str) -> list[str]:
        return [code for code in CODES if found.ignored_in(tmp_path / name)(code)]

    assert ignored("svc/conftest.py") == ["BGL101"]
    assert ignored("tests/deep/test_a.py") == ["BGL000", "BGL201", "BGL209"]
    assert ignored("svc/tests/test_a.py") == []


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("a.py", "/p/x/a.py", True),
        ("a*.py", "/p/x/abc.py", True),
        ("x/*.py", "/p/x/y/a.py", True),
        ("x/*.py", "/p/y/x/a.py", False),
        ("**/x/*.py", "/p/x/a.py", True),
        ("**/x/*.py", "/p/y/x/a.py", True),
        ("./x/a.py", "/p/x/a.py", True),
        ("**/{x,y}/*", "/p/y/a.py", True),
        ("x/?.py", "/p/x/ab.py", False),
        ("x/[!a-c].py", "/p/x/d.py", True),
        ("x/[!a-c].py", "/p/x/b.py", False),
        ("x/[", "/p/x/[", True),
        ("/q/*.py", "/q/a.py", True),
        ("x.py", "/p/xxpy", False),
    ],
)
def test_patterns_mean_what_they_mean_to_ruff(pattern: str, path: str, expected: bool) -> None:
    compiled = PathPatterns([anchored(pattern, Path("/p"))])
    assert compiled.match(path, path.rpartition("/")[2]) is expected


@given(st.text(st.sampled_from("ab*?[]{}!-^\\,/."), max_size=12), st.text(st.sampled_from("ab/-^]\\"), max_size=6))
def test_any_pattern_can_be_asked(pattern: str, path: str) -> None:
    compiled = PathPatterns([anchored(pattern, Path("/p"))])
    assert compiled.match(f"/p/{path}", path) in (True, False)


@given(st.text(st.characters(exclude_characters="*?[{/\0"), min_size=1, max_size=8))
def test_a_pattern_without_specials_means_itself(name: str) -> None:
    assert PathPatterns([name]).match(f"/p/{name}", name)
    assert PathPatterns([f"/p/{name}"]).match(f"/p/{name}", name)


def test_folders_with_special_names_are_taken_literally() -> None:
    assert PathPatterns([anchored("x/*.py", Path("/p[1]{a}*"))]).match("/p[1]{a}*/x/a.py", "a.py")


# Values


def test_every_key_reaches_the_settings(tmp_path: Path, write: Write) -> None:
    write(
        "pyproject.toml",
        "[tool.bglint]",
        'select = ["BGL1"]',
        'exclude = ["gen"]',
        'extend-exclude = ["x/y"]',
        "force-exclude = true",
        "respect-gitignore = false",
        'target-version = "py312"',
        'fastapi-version = "0.118"',
        'guard = "pkg.safety:guarded"',
        'guards = ["pkg.log_errors"]',
        "join-timeout = 2.5",
        "http-timeout = 7",
        'offload = ["pkg.in_thread"]',
        'non-blocking = ["pkg.cached"]',
        'source-roots = ["lib"]',
        "[tool.bglint.blocking]",
        '"pkg.db.query" = "database"',
    )
    found = settings(tmp_path)
    assert found.select == ("BGL1",)
    assert found.exclude == ("gen",)
    assert found.extend_exclude == (f"{tmp_path}/x/y",)
    assert (found.force_exclude, found.respect_gitignore) == (True, False)
    assert (found.target_version, found.fastapi_version) == ((3, 12), "0.118")
    assert (found.guard, found.guards) == ("pkg.safety:guarded", ("pkg.log_errors",))
    assert (found.join_timeout, found.http_timeout) == (2.5, 7.0)
    assert (found.offload, found.non_blocking) == (("pkg.in_thread",), ("pkg.cached",))
    assert found.blocking == {"pkg.db.query": "database"}
    assert found.source_roots == (tmp_path / "lib",)


def test_origins_tell_file_command_line_and_default_apart(tmp_path: Path, write: Write) -> None:
    write("pyproject.toml", "[project]", 'requires-python = ">=3.11"', "[tool.bglint]", "join-timeout = 2")
    origins = settings_origin(settings(tmp_path, http_timeout=3))
    assert origins["join_timeout"] == "pyproject.toml"
    assert origins["http_timeout"] == "command line"
    assert origins["guards"] == "default"
    assert origins["target_version"] == "requires-python"


@pytest.mark.parametrize(
    ("requires", "expected"),
    [
        (">=3.11", (3, 11)),
        (">=3.9,<4", (3, 9)),
        ("~=3.12", (3, 12)),
        ("==3.13.*", (3, 13)),
        ("<4", (3, 10)),
        (">=3", (3, 10)),
        ("nonsense", (3, 10)),
    ],
)
def test_the_target_is_the_oldest_python_that_the_project_allows(
    tmp_path: Path, write: Write, requires: str, expected: tuple[int, int]
) -> None:
    write("pyproject.toml", "[project]", f'requires-python = "{requires}"')
    assert settings(tmp_path).target_version == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["[project]", 'dependencies = ["uvicorn", "fastapi>=0.100"]'], "0.100"),
        (["[project]", 'dependencies = ["FastAPI[standard]==0.105.0 ; python_version > \\"3\\""]'], "0.105.0"),
        (["[project]", 'dependencies = ["fastapi-users>=9", "fastapi~=0.110"]'], "0.110"),
        (["[tool.poetry.dependencies]", 'fastapi = "^0.109.1"'], "0.109.1"),
        (["[tool.poetry.dependencies]", 'fastapi = {version = "0.99.*", extras = ["all"]}'], "0.99"),
    ],
)
def test_the_fastapi_version_is_the_projects_own(tmp_path: Path, write: Write, lines: list[str], expected: str) -> None:
    write("pyproject.toml", *lines)
    assert settings(tmp_path).fastapi_version == expected


def test_an_unpinned_fastapi_is_the_installed_one(tmp_path: Path, write: Write) -> None:
    from importlib.metadata import version

    write("pyproject.toml", "[project]", 'dependencies = ["fastapi"]')
    assert settings(tmp_path).fastapi_version == version("fastapi")


# Errors


@pytest.mark.parametrize(
    ("lines", "row", "words"),
    [
        (['guards = ["a"]', "join_timeout = 3"], 2, 'unknown key "join_timeout"; did you mean "join-timeout"?'),
        (["zzz = 3"], 1, 'unknown key "zzz"; the keys are extend, select'),
        (['select = "BGL1"'], 1, '"select": expected a list of strings, not "BGL1"'),
        (["select = [", '  "BGL101",', '  "BLG101"]'], 3, 'unknown selector "BLG101"; did you mean "BGL101"?'),
        (['ignore = ["BGL999"]'], 1, 'unknown selector "BGL999"; selectors are BGL, its prefixes (BGL0, BGL1'),
        (['ignore = ["unguarded-task"]'], 1, 'did you mean "unguarded-background-task"?'),
        (["", "join-timeout = true"], 2, '"join-timeout": expected a positive number of seconds, not true'),
        (["join-timeout = 0"], 1, "expected a positive number of seconds, not 0"),
        (["http-timeout = nan"], 1, "expected a positive number of seconds, not nan"),
        (["force-exclude = 1"], 1, "expected true or false, not 1"),
        (['target-version = "py2"'], 1, 'expected a Python version such as "py311" or "3.11", not "py2"'),
        (["target-version = 3.11"], 1, 'expected a Python version such as "py311" or "3.11", not 3.11'),
        (['fastapi-version = ">=0.1"'], 1, 'expected a version such as "0.118" in quotes, not ">=0.1"'),
        (['guard = "pkg.safety.guarded"'], 1, 'expected "package.module:function", not "pkg.safety.guarded"'),
        (['guards = ["a b"]'], 1, 'expected a dotted name such as "package.module.function", not "a b"'),
        (["[blocking]", '"a.b" = "database"', '"c.d" = "datbase"'], 3, 'did you mean "database"?'),
        (["[per-file-ignores]", '"a.py" = ["E501"]'], 2, '"a.py": unknown selector "E501"'),
        (['blocking = "http"'], 1, '"blocking": expected a table of dotted names and kinds, not "http"'),
        (["guards = 1", "join-timeout = = 2"], 2, "broken TOML: "),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_row(
    tmp_path: Path, write: Write, lines: list[str], row: int, words: str
) -> None:
    write("bglint.toml", *lines)
    message = refusal(tmp_path)
    assert message.startswith(f"bglint.toml:{row}: ")
    assert words in message


def test_the_row_is_that_of_our_own_table(tmp_path: Path, write: Write) -> None:
    write("pyproject.toml", "[tool.ruff]", 'select = ["E"]', "[tool.bglint]", 'select = ["E501"]')
    assert refusal(tmp_path).startswith('pyproject.toml:4: "select": unknown selector "E501"')


def test_a_table_that_is_none_is_an_error(tmp_path: Path, write: Write) -> None:
    write("pyproject.toml", "[tool]", "bglint = 3")
    assert refusal(tmp_path) == 'pyproject.toml:2: "tool.bglint" must be a table'


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"select": ["BLG101"]}, 'command line: --select: unknown selector "BLG101"; did you mean "BGL101"?'),
        (
            {"extend_ignore": ["bgl201"]},
            'command line: --extend-ignore: unknown selector "bgl201"; did you mean "BGL201"?',
        ),
        ({"join_timeout": -1}, "command line: --join-timeout: expected a positive number of seconds, not -1"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_named_so(tmp_path: Path, said: dict[str, object], message: str) -> None:
    assert refusal(tmp_path, **said) == message


toml = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just("BGL101"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from([name for name in Options._fields if name not in ("config", "isolated")]), toml)
def test_any_value_is_taken_or_refused_in_words(name: str, value: object) -> None:
    message = ""
    try:
        settings(Path("/nowhere"), **{name: value})
    except ConfigError as error:
        message = str(error)
    assert not message or message.startswith(f"command line: --{name.replace('_', '-')}: ")


def test_importing_costs_nothing_that_is_not_needed() -> None:
    heavy = "packaging tomllib tomli pathspec importlib.metadata rich libcst difflib"
    code = f"import sys, bglint.config, bglint.discover; print([m for m in '{heavy}'.split() if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
