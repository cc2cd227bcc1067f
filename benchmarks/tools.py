"""bglint and the tools it is measured against: pinned, each in an environment free of the others' plugins."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

RUFF = ("ruff==0.17.5",)
FLAKE8 = ("flake8==7.5.0", "pycodestyle==2.15.0", "pyflakes==4.1.0", "mccabe==0.7.0")
FLAKE8_ASYNC = (*FLAKE8, "flake8-async==26.8.1", "libcst==1.9.0", "PyYAML==6.0.3")

BGLINT = (sys.executable, "-m", "bglint")


@dataclass(frozen=True, slots=True)
class Tool:
    """A command that lints the folder it runs in.

    ``expected`` are the exit codes of a run that worked, ``threads`` the cores the tool may use,
    ``environment`` the variables it needs.
    """

    name: str
    command: tuple[str, ...]
    version_command: tuple[str, ...]
    threads: str
    expected: tuple[int, ...] = (0, 1)
    environment: Mapping[str, str] = field(default_factory=dict)


# What a linter that sees one line has counterparts for, as the rules that ruff runs here: the founding patterns.
FOUNDING = "BGL000,BGL101,BGL201,BGL203,BGL301,BGL303,BGL401,BGL402,BGL503"


def bglint(name: str, jobs: int, select: str | None = None) -> Tool:
    """Return bglint with ``jobs`` processes and the default rules or those in ``select``, run by this Python."""
    options = ("--isolated", "--no-cache", "--jobs", str(jobs), "--output-format", "concise", "--exit-zero")
    options += ("--select", select) if select else ()
    return Tool(
        name=name,
        command=(*BGLINT, "check", *options, "."),
        version_command=(*BGLINT, "--version"),
        threads=str(jobs),
        expected=(0,),
        environment=import_path(),
    )


def ruff(store: Path, name: str, threads: int | None = None) -> Tool:
    """Return ruff with the rules nearest to bglint's, on all cores unless ``threads`` says otherwise."""
    program = str(prepare(store, "ruff", RUFF) / "ruff")
    options = ("--isolated", "--no-cache", "--preview", "--select", "ASYNC2,RUF006,S113")
    return Tool(
        name=name,
        command=(program, "check", *options, "--output-format", "concise", "."),
        version_command=(program, "--version"),
        threads="all" if threads is None else str(threads),
        environment={} if threads is None else {"RAYON_NUM_THREADS": str(threads)},
    )


def flake8(store: Path) -> Tool:
    """Return flake8 with nothing but its own pycodestyle and pyflakes."""
    return _flake8("flake8", prepare(store, "flake8", FLAKE8), ())


def flake8_async(store: Path) -> Tool:
    """Return flake8 with flake8-async as its only plugin, and only that plugin's codes selected."""
    return _flake8("flake8-async", prepare(store, "flake8-async", FLAKE8_ASYNC), ("--select", "ASYNC"))


def _flake8(name: str, programs: Path, options: tuple[str, ...]) -> Tool:
    program = str(programs / "flake8")
    return Tool(
        name=name,
        command=(program, "--isolated", "--jobs", "1", *options, "."),
        version_command=(program, "--version"),
        threads="1",
    )


def prepare(store: Path, name: str, requirements: Sequence[str]) -> Path:
    """Return the program folder of an environment that holds exactly ``requirements``, making it if needed.

    Raises subprocess.CalledProcessError if they cannot be installed.
    """
    # The marker is written last and holds the pins: an interrupted or outdated environment is made anew.
    folder = store / "venvs" / name
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    marker = folder / "requirements.txt"
    wanted = "\n".join(requirements)
    if not marker.exists() or marker.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        install = [str(programs / "python"), "-m", "pip", "install", "-qq", "--no-deps", *requirements]
        subprocess.run(install, check=True)
        marker.write_text(wanted)
    return programs


def import_path() -> dict[str, str]:
    """Return the variables under which bglint can be imported from any folder as it can from this one.

    Its byte code is kept, as that of an installed program is, even where this environment wants none.
    """
    entries = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    paths = {"PYTHONPATH": os.pathsep.join(str(Path(entry).resolve()) for entry in entries)} if entries else {}
    return {"PYTHONDONTWRITEBYTECODE": "", **paths}
