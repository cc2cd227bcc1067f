"""The hooks in the real pre-commit: installed from this very source, run on a scratch repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from scratch import Here

ROOT = Path(__file__).parent.parent
SLEEPS = "import time\n\n\nasync def nap():\n    time.sleep(1)\n"
NEEDED = ("src", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")
CONFIGURATION = """\
repos:
- repo: {repo}
  rev: {rev}
  hooks:
  - id: {hook}
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def can_install() -> bool:
    """Whether pip reaches an index: building the hook's environment needs one."""
    probe = [sys.executable, "-m", "pip", "index", "versions", "hatchling", "--retries", "0"]
    return subprocess.run(probe, capture_output=True, check=False, timeout=60).returncode == 0


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A repository of what is here now, and its one revision."""
    pytest.importorskip("pre_commit")
    if not can_install():
        pytest.skip("pip reaches no package index")
    folder = tmp_path_factory.mktemp("hooks")
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "all")
    return folder, git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """One store for all tests, so that the hook's environment is built once."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "GIT_DIR", "GIT_INDEX_FILE")
    }
    return {**kept, "PRE_COMMIT_HOME": str(tmp_path_factory.mktemp("store")), "PRE_COMMIT_COLOR": "never"}


def pre_commit(
    folder: Path, hooks: tuple[Path, str], environment: Mapping[str, str], hook: str
) -> subprocess.CompletedProcess[str]:
    """Run one hook on all files that git knows in ``folder``."""
    repo, rev = hooks
    (folder / ".pre-commit-config.yaml").write_text(CONFIGURATION.format(repo=repo, rev=rev, hook=hook), "utf-8")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_bglint_reports_and_changes_nothing(
    tmp_path: Path, here: Here, hooks: tuple[Path, str], environment: Mapping[str, str]
) -> None:
    file = here("a.py", SLEEPS)
    here("old/b.py", SLEEPS)
    here("notes.txt", SLEEPS)
    here("pyproject.toml", '[tool.bglint]\nextend-exclude = ["old"]\n')
    done = pre_commit(tmp_path, hooks, environment, "bglint")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BGL402" in done.stdout
    assert "a.py:5:5" in done.stdout
    # pre-commit names every file itself; excludes hold all the same.
    assert "old/b.py" not in done.stdout
    assert "Found 1 error" in done.stdout
    assert file.read_text("utf-8") == SLEEPS


def test_bglint_fix_fixes_and_fails_once(
    tmp_path: Path, here: Here, hooks: tuple[Path, str], environment: Mapping[str, str]
) -> None:
    file = here("a.py", SLEEPS)
    done = pre_commit(tmp_path, hooks, environment, "bglint-fix")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "files were modified by this hook" in done.stdout
    assert "await asyncio.sleep(1)" in file.read_text("utf-8")
    assert pre_commit(tmp_path, hooks, environment, "bglint-fix").returncode == 0
