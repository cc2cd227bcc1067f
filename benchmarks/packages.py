"""Which real packages bglint is measured on, and how their sources get here.

Every package is pinned, so that two runs a year apart read the same files. Only wheels are downloaded, for
one fixed platform and Python: the same bytes arrive on every machine, and nothing of a package is executed.

    python benchmarks/packages.py            the three packages of the benchmark
    python benchmarks/packages.py --all      every package listed here
    python benchmarks/packages.py uvicorn    only these
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version
from rich.console import Console
from rich.table import Table

STORE = Path(__file__).resolve().parent / ".packages"
SOURCE_SUFFIXES = (".py", ".pyi")

_WHEEL_CHOICE = [
    "--no-deps",
    "--only-binary=:all:",
    "--implementation=cp",
    "--python-version=3.11",
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux2014_x86_64",
    "--abi=cp311",
    "--abi=abi3",
    "--abi=none",
]


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned package: how many Python ``files`` and ``megabytes`` of source it holds, and what it is."""

    name: str
    version: str
    files: int
    megabytes: float
    kind: str

    @property
    def requirement(self) -> str:
        """The pinned requirement, ``name==version``."""
        return f"{self.name}=={self.version}"


BENCHMARK = (
    Package("open_webui", "0.12.4", 288, 4.9, "FastAPI application"),
    Package("langflow-base", "1.13.0", 938, 7.8, "FastAPI application"),
    Package("django", "5.2.19", 885, 5.7, "library with little async code"),
)

FURTHER = (
    Package("agno", "3.1.10", 1176, 21.4, "agents, asyncio"),
    Package("aiogram", "3.31.0", 763, 3.1, "bot framework, asyncio"),
    Package("aiohttp", "3.14.5", 54, 1.0, "HTTP client and server"),
    Package("apache-airflow-core", "3.3.2", 749, 5.5, "scheduler with a FastAPI server"),
    Package("arize-phoenix", "20.26.1", 669, 5.9, "FastAPI application"),
    Package("bentoml", "1.4.40", 293, 2.4, "model server, Starlette"),
    Package("browser-use", "0.13.14", 171, 2.4, "browser agent, asyncio"),
    Package("celery", "5.7.0", 161, 1.7, "task queue, threads"),
    Package("chainlit", "2.12.0", 66, 0.6, "FastAPI application"),
    Package("crewai", "1.15.30", 538, 4.6, "agents, threads and asyncio"),
    Package("dagster", "1.13.28", 810, 8.2, "orchestrator, threads"),
    Package("discord.py", "2.7.1", 145, 3.1, "bot framework, asyncio"),
    Package("distributed", "2026.8.0", 172, 2.3, "cluster scheduler, asyncio"),
    Package("dstack", "0.22.5", 785, 4.2, "FastAPI application"),
    Package("esphome", "2026.6.5", 1655, 5.9, "command line, threads"),
    Package("fastapi", "0.165.0", 54, 0.9, "web framework"),
    Package("fastapi-users", "15.0.5", 35, 0.1, "FastAPI library"),
    Package("fastmcp-slim", "4.2.0", 277, 3.4, "protocol server, asyncio"),
    Package("feast", "0.67.0", 700, 6.2, "feature store with a FastAPI server"),
    Package("gradio", "6.31.0", 243, 4.7, "FastAPI application"),
    Package("homeassistant", "2024.3.3", 6725, 32.8, "very large asyncio application"),
    Package("jupyter_server", "2.21.1", 88, 0.8, "server, Tornado"),
    Package("khoj", "1.42.10", 224, 1.2, "FastAPI application on Django models"),
    Package("langgraph-api", "0.16.7", 226, 2.3, "server, Starlette"),
    Package("letta", "0.16.0", 475, 5.0, "FastAPI application"),
    Package("litellm", "1.109.1", 3022, 42.2, "very large FastAPI application"),
    Package("litestar", "2.25.0", 374, 1.9, "web framework"),
    Package("marimo", "0.25.2", 949, 6.7, "notebook server, Starlette"),
    Package("matrix-synapse", "1.163.2", 596, 9.5, "server, Twisted"),
    Package("mcp", "2.3.0", 124, 1.2, "protocol library, anyio"),
    Package("mitmproxy", "11.0.2", 251, 1.6, "proxy, asyncio"),
    Package("mlflow", "3.18.0", 1342, 17.3, "tracking server, Flask and FastAPI"),
    Package("mlrun", "1.12.1", 380, 5.4, "orchestrator client, threads and asyncio"),
    Package("nicegui", "3.18.0", 267, 1.0, "user interface on FastAPI"),
    Package("octoprint", "1.11.8", 199, 2.9, "server, threads"),
    Package("opentrons", "10.1.0", 674, 5.7, "robot control, asyncio and threads"),
    Package("prefect", "3.9.1", 864, 7.2, "orchestrator with a FastAPI server"),
    Package("pyload-ng", "0.5.0b3.dev101", 567, 2.1, "download manager, threads"),
    Package("ray", "2.60.0", 2593, 28.2, "cluster runtime with a FastAPI server"),
    Package("sanic", "25.12.1", 132, 0.9, "web framework"),
    Package("sqlmodel", "0.0.50", 16, 0.1, "small library"),
    Package("starlette", "1.10.0", 36, 0.3, "web framework"),
    Package("sympy", "1.14.0", 1533, 26.2, "large library, no async, deep expressions"),
    Package("telethon", "1.45.0", 156, 5.8, "protocol client, generated code"),
    Package("tornado", "6.6.1", 78, 1.9, "web framework"),
    Package("uvicorn", "0.54.0", 45, 0.3, "server"),
    Package("zenml", "0.98.0", 1433, 11.4, "orchestrator with a FastAPI server"),
)

ALL = BENCHMARK + FURTHER


class DownloadError(Exception):
    """A package could not be downloaded or unpacked; the message says which and why."""


def choose(names: Sequence[str]) -> tuple[Package, ...]:
    """Take package names in any spelling; return the pinned packages, all of them for ``all``.

    Raises ValueError for a name that is not listed here.
    """
    if list(names) == ["all"]:
        return ALL
    known = {canonicalize_name(package.name): package for package in ALL}
    unknown = [name for name in names if canonicalize_name(name) not in known]
    if unknown:
        raise ValueError(f"not a package of the benchmark: {', '.join(unknown)}; there are: {', '.join(known)}")
    return tuple(known[canonicalize_name(name)] for name in names)


def fetch(package: Package, store: Path = STORE) -> Path:
    """Return the folder with the package's Python sources, downloading and unpacking what ``store`` lacks.

    Raises DownloadError.
    """
    folder = store / "sources" / f"{canonicalize_name(package.name)}-{package.version}"
    if not folder.exists():
        wheel = find_wheel(package, store / "downloads") or _download(package, store / "downloads")
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            unpack_sources(wheel, partial)
        except (zipfile.BadZipFile, ValueError) as error:
            raise DownloadError(f"{wheel}: {error}") from error
        # Only a complete folder gets the final name: an interrupted run is not taken for a finished one.
        partial.rename(folder)
    return folder


def find_wheel(package: Package, folder: Path) -> Path | None:
    """Return the package's wheel in ``folder``, if it is there."""
    wanted = (canonicalize_name(package.name), Version(package.version))
    for path in sorted(folder.glob("*.whl")):
        try:
            name, version, _, _ = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if (name, version) == wanted:
            return path
    return None


def _download(package: Package, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", *_WHEEL_CHOICE, "--dest", str(folder)]
    done = subprocess.run([*command, package.requirement], capture_output=True, text=True)
    wheel = find_wheel(package, folder)
    if done.returncode or wheel is None:
        raise DownloadError(f"{package.requirement}: {done.stderr.strip() or 'pip downloaded no wheel'}")
    return wheel


def unpack_sources(wheel: Path, folder: Path) -> int:
    """Write the wheel's Python files below ``folder`` and return how many there are.

    Raises ValueError for a member that would land outside ``folder``, zipfile.BadZipFile for a damaged wheel.
    """
    root = folder.resolve()
    count = 0
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if member.is_dir() or not member.filename.endswith(SOURCE_SUFFIXES):
                continue
            target = (root / member.filename).resolve()
            if not target.is_relative_to(root):
                raise ValueError(f"{member.filename} lies outside the package")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(member))
            count += 1
    return count


@contextmanager
def scratch_copy(source: Path) -> Iterator[Path]:
    """Give a copy of ``source`` that may be changed, gone afterwards.

    It lies outside any checkout, so that no ignore file and no configuration but the package's own is in play.
    """
    with tempfile.TemporaryDirectory(prefix="bglint-benchmark-") as scratch:
        yield Path(shutil.copytree(source, Path(scratch) / "package"))


def python_files(folder: Path) -> list[Path]:
    """Return every Python file below ``folder``, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix in SOURCE_SUFFIXES and path.is_file())


def megabytes(files: Iterable[Path]) -> float:
    """Return the files' size together, in millions of bytes."""
    return sum(path.stat().st_size for path in files) / 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch the packages named on the command line and print what they hold; 1 if one could not be had."""
    parser = argparse.ArgumentParser(description="Download the pinned packages.")
    parser.add_argument("names", nargs="*", help="default: the three packages of the benchmark")
    parser.add_argument("--all", action="store_true", help="every package that is listed here")
    options = parser.parse_args(arguments)
    try:
        packages = choose(["all"] if options.all else options.names) or BENCHMARK
    except ValueError as error:
        parser.error(str(error))
    table = Table("package", "version", "files", "MB", "what it is")
    failures = []
    for package in packages:
        try:
            files = python_files(fetch(package))
        except DownloadError as error:
            failures.append(str(error))
            continue
        if len(files) != package.files:
            failures.append(f"{package.requirement}: {len(files)} Python files, expected {package.files}")
        table.add_row(package.name, package.version, str(len(files)), f"{megabytes(files):.1f}", package.kind)
    Console().print(table)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
