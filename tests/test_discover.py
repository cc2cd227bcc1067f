"""Every Python file that is meant is found once, nothing that is excluded, and trouble is told, not thrown."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from bglint.config import Configuration, Options
from bglint.discover import Discovery, _Ignore, discover

Make = Callable[..., None]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(*names: str) -> None:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return make


def found(cwd: Path, *paths: str, **said: object) -> Discovery:
    configuration = Configuration(Options(**said), cwd, {})  # type: ignore[arg-type]
    return discover([Path(path) for path in paths or (".",)], configuration.for_path, cwd)


def names(cwd: Path, *paths: str, **said: object) -> list[str]:
    discovery = found(cwd, *paths, **said)
    assert not discovery.errors
    return [path.relative_to(cwd).as_posix() for path in discovery.files]


def test_python_files_and_stubs_are_found_in_order(tmp_path: Path, make: Make) -> None:
    make("b.py", "a/z.pyi", "a/b/c.py", "a.txt", "a/script", "a/x.pyc", ".hidden/h.py")
    assert names(tmp_path) == [".hidden/h.py", "a/b/c.py", "a/z.pyi", "b.py"]


def test_the_usual_folders_are_left_out(tmp_path: Path, make: Make) -> None:
    make("a.py", ".venv/b.py", "x/build/c.py", "node_modules/d/e.py", "lib/site-packages/f.py")
    assert names(tmp_path) == ["a.py"]


def test_a_file_named_by_itself_needs_no_suffix_and_ignores_excludes(tmp_path: Path, make: Make) -> None:
    make("script", "build/a.py", ".git/x")
    (tmp_path / ".gitignore").write_text("script\n")
    assert names(tmp_path, "script", "build/a.py") == ["build/a.py", "script"]


def test_a_folder_named_by_itself_ignores_excludes(tmp_path: Path, make: Make) -> None:
    make(".git/x", "build/a.py", "build/out/b.py")
    (tmp_path / ".gitignore").write_text("/build/\nout/\n!keep\n")
    assert names(tmp_path, "build") == ["build/a.py", "build/out/b.py"]


def test_force_exclude_holds_for_what_is_named_too(tmp_path: Path, make: Make) -> None:
    make("build/x/a.py", "b.py", "script")
    given_paths = ("build/x/a.py", "build", "b.py", "script")
    assert names(tmp_path, *given_paths, force_exclude=True) == ["b.py", "script"]


def test_folders_above_the_project_exclude_nothing(tmp_path: Path, make: Make) -> None:
    make("build/project/pyproject.toml", "build/project/a.py")
    assert names(tmp_path / "build/project", "a.py", force_exclude=True) == ["a.py"]


def test_exclude_replaces_the_defaults_and_extend_exclude_adds(tmp_path: Path, make: Make) -> None:
    make("build/a.py", "gen/b.py", "x/api_pb2.py", "x/legacy/c.py", "y/legacy/d.py", "z.py")
    assert names(tmp_path, exclude=["gen"], extend_exclude=["*_pb2.py", "x/legacy"]) == [
        "build/a.py",
        "y/legacy/d.py",
        "z.py",
    ]
    assert "build/a.py" not in names(tmp_path, extend_exclude=["gen/"])


def test_the_closest_configuration_decides_in_its_folder(tmp_path: Path, make: Make) -> None:
    make("svc/old/a.py", "old/b.py")
    (tmp_path / "svc/bglint.toml").write_text('extend-exclude = ["old"]\n')
    assert names(tmp_path) == ["old/b.py"]


def test_one_file_under_many_names_is_listed_once(tmp_path: Path, make: Make) -> None:
    make("src/a.py")
    (tmp_path / "link").symlink_to("src")
    (tmp_path / "aa.py").symlink_to("src/a.py")
    given_paths = ("src/a.py", "./src/../src/a.py", str(tmp_path / "src"), ".", "link/a.py")
    assert names(tmp_path, *given_paths) == ["src/a.py"]


def test_a_folder_outside_is_reached_through_its_link(tmp_path: Path, make: Make) -> None:
    make("outside/a.py", "project/b.py")
    (tmp_path / "project/lib").symlink_to(tmp_path / "outside")
    assert names(tmp_path / "project") == ["b.py", "lib/a.py"]


def test_loops_of_links_end(tmp_path: Path, make: Make) -> None:
    make("a/b/c.py")
    (tmp_path / "a/b/up").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to("self")
    assert names(tmp_path) == ["a/b/c.py"]


def test_a_link_to_nowhere_is_told_unless_it_is_an_editors_lock(tmp_path: Path, make: Make) -> None:
    make("a.py")
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    (tmp_path / ".#a.py").symlink_to("me@host.1234")
    discovery = found(tmp_path)
    assert discovery.files == [tmp_path / "a.py"]
    assert [(e.path, e.message) for e in discovery.errors] == [(str(tmp_path / "gone.py"), os.strerror(2))]


def test_a_path_that_does_not_exist_is_told_and_the_rest_found(tmp_path: Path, make: Make) -> None:
    make("a.py")
    discovery = found(tmp_path, "gone.py", "a.py")
    assert discovery.files == [tmp_path / "a.py"]
    assert [(e.path, e.row, e.message) for e in discovery.errors] == [(str(tmp_path / "gone.py"), 1, os.strerror(2))]


def test_an_unreadable_folder_is_told_and_the_rest_found(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("a/x.py", "b/y.py")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("/a"):
            raise PermissionError(13, os.strerror(13), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    discovery = found(tmp_path)
    assert discovery.files == [tmp_path / "b/y.py"]
    assert [(e.path, e.message) for e in discovery.errors] == [(str(tmp_path / "a"), os.strerror(13))]


# .gitignore


def test_ignore_files_count_at_every_level_and_the_deepest_wins(tmp_path: Path, make: Make) -> None:
    make("a.py", "x/a.py", "x/b.py", "x/keep/b.py", "gen/c.py", "x/gen/d.py")
    (tmp_path / ".gitignore").write_text("b.py\n/gen\n")
    (tmp_path / "x/keep/.gitignore").write_text("!b.py\n")
    assert names(tmp_path) == ["a.py", "x/a.py", "x/gen/d.py", "x/keep/b.py"]
    assert "x/b.py" in names(tmp_path, respect_gitignore=False)


def test_ignore_files_above_count_up_to_the_repositorys_root(tmp_path: Path, make: Make) -> None:
    make("repo/.git/info/x", "repo/pkg/a.py", "repo/pkg/b.py", "repo/pkg/c.py", "repo/pkg/d.py")
    (tmp_path / ".gitignore").write_text("a.py\n")
    (tmp_path / "repo/.gitignore").write_text("pkg/b.py\n")
    (tmp_path / "repo/.git/info/exclude").write_text("c.py\n")
    assert names(tmp_path, "repo/pkg") == ["repo/pkg/a.py", "repo/pkg/d.py"]


def test_outside_a_repository_ignore_files_above_do_not_count(tmp_path: Path, make: Make) -> None:
    make("pkg/a.py")
    (tmp_path / ".gitignore").write_text("a.py\n")
    assert names(tmp_path, "pkg") == ["pkg/a.py"]


def test_a_repository_inside_another_starts_anew(tmp_path: Path, make: Make) -> None:
    make(".git/x", "sub/.git/x", "sub/a.py", "a.py")
    (tmp_path / ".gitignore").write_text("a.py\n")
    assert names(tmp_path) == ["sub/a.py"]


def test_an_ignore_file_that_is_no_text_is_passed_over(tmp_path: Path, make: Make) -> None:
    make("a.py", "b.py")
    (tmp_path / ".gitignore").write_bytes(b"\xff\xfe\nb.py\n!\xff\n")
    assert names(tmp_path) == ["a.py"]


REAL = ["*.py[cod]", "a/", "/a", "a/b", "*.py", "!a.py", "**/a", "docs/_build/", "a b", "!", "# b.py", "?b.py"]
patterns = st.lists(
    st.text(st.sampled_from("ab*?/!#\\[] ."), min_size=1, max_size=6) | st.sampled_from(REAL),
    max_size=3,
)
paths = st.lists(st.sampled_from(["a", "b", "ab", "a b", "a.py", "x.pyc", "docs", "_build"]), min_size=1, max_size=3)


@given(patterns, paths, st.booleans())
def test_plain_patterns_are_decided_as_pathspec_decides_them(
    lines: list[str], parts: list[str], is_folder: bool
) -> None:
    try:
        spec = GitIgnoreSpec.from_lines(lines)
    except ValueError:
        return
    ignore = _Ignore("/r", lines)
    for depth in range(1, len(parts) + 1):
        path = "/".join(parts[:depth])
        folder = is_folder or depth < len(parts)
        ours = ignore.decide(f"/r/{path}", parts[depth - 1], folder)
        assert bool(ours) == bool(spec.check_file(path + "/" * folder).include)
        if ours:  # nothing inside is ever asked about
            break


@hypothesis_settings(max_examples=25, deadline=None)
@given(lines=st.lists(st.sampled_from(REAL), max_size=4))
def test_what_is_found_is_what_git_does_not_ignore(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    repository = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    for name in ("a.py", "b.py", "a/a.py", "a/b/ab.py", "b/a.py", "docs/_build/a.py", "a b/b.py"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).touch()
    (repository / ".gitignore").write_text("\n".join(lines) + "\n")
    listed = subprocess.run(
        ["git", "-C", str(repository), "ls-files", "-z", "--others", "--exclude-standard", "*.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert names(repository, exclude=[".git"]) == sorted(filter(None, listed.stdout.split("\0")))
