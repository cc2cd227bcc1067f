"""Which real projects bglint's fixes are tried on, and how their source distributions get here.

Every project is pinned, and so is everything its tests need: ``locks/NAME.txt`` holds an exact version of each
distribution, the project's own wheel among them, whose metadata and entry points the tests may ask for. The code
that the tests run is always a copy of the source distribution's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packages import STORE, DownloadError
from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import Version
from tools import prepare

_LOCKS = Path(__file__).resolve().parent / "locks"


@dataclass(frozen=True, slots=True)
class Project:
    """One pinned project: bglint fixes ``folder``, which is imported from ``root``; ``tests`` is for pytest."""

    name: str
    version: str
    folder: str
    tests: tuple[str, ...] = ("tests",)
    root: str = "."

    @property
    def requirement(self) -> str:
        """The pinned requirement, ``name==version``."""
        return f"{self.name}=={self.version}"

    @property
    def module(self) -> str:
        """What ``folder`` is called when it is imported."""
        return ".".join(Path(self.folder).relative_to(self.root).parts)

    @property
    def lock(self) -> list[str]:
        """The pinned requirements of its tests."""
        return (_LOCKS / f"{self.name}.txt").read_text("utf-8").split()


# In all of them bglint finds something to fix; starlette's findings lost their fix here, because it failed under trio.
# Left out are tests that need a network, a database server or a file that the source distribution lacks, and those
# that wait for processes by the clock. `addopts=` drops plugins that measure.
PROJECTS = (
    Project("aiocache", "0.12.3", "aiocache", ("-o", "addopts=", "-o", "filterwarnings=default", "tests/ut")),
    Project("aiosmtpd", "1.4.6", "aiosmtpd", ("-c", os.devnull, "--rootdir=.", "aiosmtpd")),
    Project("google-api-core", "2.44.0", "google/api_core", ("-W", "ignore::pytest.PytestDeprecationWarning", "tests")),
    Project("gql", "4.4.0", "gql"),
    Project("graphql-core", "3.3.2", "src/graphql", ("tests/execution", "tests/pyutils"), root="src"),
    Project("mangum", "0.22.0", "mangum"),
    Project(
        "sse-starlette",
        "3.7.0",
        "sse_starlette",
        ("tests", "--ignore=tests/test_issue167.py", "--ignore=tests/test_sse.py", "-m", "not integration"),
    ),
    Project("starlette", "1.10.0", "starlette"),
    Project("tenacity", "9.2.1", "tenacity"),
    Project("uvicorn", "0.54.0", "uvicorn", ("-o", "addopts=", "--ignore=tests/supervisors", "tests")),
)


def choose_projects(names: Sequence[str]) -> tuple[Project, ...]:
    """Take project names in any spelling; return the pinned projects, all of them for none.

    Raises ValueError for a name that is not listed here.
    """
    known = {canonicalize_name(project.name): project for project in PROJECTS}
    unknown = [name for name in names if canonicalize_name(name) not in known]
    if unknown:
        raise ValueError(f"not a project: {', '.join(unknown)}; there are: {', '.join(known)}")
    return tuple(known[canonicalize_name(name)] for name in names) or PROJECTS


def fetch_sdist(project: Project, store: Path = STORE) -> Path:
    """Return the folder with the project's source distribution, downloading and unpacking what ``store`` lacks.

    Raises DownloadError.
    """
    folder = store / "sdists" / f"{canonicalize_name(project.name)}-{project.version}"
    if not folder.exists():
        downloads = store / "downloads"
        archive = find_sdist(project, downloads) or _download(project, downloads)
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            with tarfile.open(archive) as opened:
                opened.extractall(partial, filter="data")
        except tarfile.TarError as error:
            raise DownloadError(f"{archive}: {error}") from error
        # Only a complete folder gets the final name: an interrupted run is not taken for a finished one.
        (top,) = partial.iterdir()
        top.rename(folder)
        partial.rmdir()
    return folder


def find_sdist(project: Project, folder: Path) -> Path | None:
    """Return the project's source distribution in ``folder``, if it is there."""
    wanted = (canonicalize_name(project.name), Version(project.version))
    return next((path for path in sorted(folder.glob("*.tar.gz")) if _identity(path) == wanted), None)


def _identity(path: Path) -> tuple[str, Version] | None:
    try:
        return parse_sdist_filename(path.name)
    except InvalidSdistFilename:
        return None


def _download(project: Project, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    choice = ["--no-deps", "--no-binary", project.name, "--dest", str(folder)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *choice, project.requirement]
    done = subprocess.run(command, capture_output=True, text=True)
    archive = find_sdist(project, folder)
    if done.returncode or archive is None:
        raise DownloadError(f"{project.requirement}: {done.stderr.strip() or 'pip downloaded no source distribution'}")
    return archive


def prepare_tests(project: Project, store: Path = STORE) -> Path:
    """Return the Python of an environment that holds exactly the project's lock. Raises DownloadError."""
    try:
        return prepare(store, f"tests-{project.name}", project.lock) / "python"
    except (subprocess.CalledProcessError, OSError) as error:
        raise DownloadError(f"{project.requirement}: its tests' environment cannot be made: {error}") from error
