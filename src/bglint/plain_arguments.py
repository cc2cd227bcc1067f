"""Command lines that can be read without click, which takes longer to import than a small run takes altogether.

Whatever is not plain (values to be checked, abbreviations, mistakes, ``--help``) is left to click. Both readings of a
plain command line are the same; a test compares them.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing is not worth its import here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# option → the value's name, and the value
_FLAGS: dict[str, tuple[str, bool]] = {
    "--fix": ("fix", True),
    "--no-fix": ("fix", False),
    "--unsafe-fixes": ("unsafe_fixes", True),
    "--no-unsafe-fixes": ("unsafe_fixes", False),
    "--fix-only": ("fix_only", True),
    "--diff": ("diff", True),
    "--show-fixes": ("show_fixes", True),
    "--exit-non-zero-on-fix": ("exit_non_zero_on_fix", True),
    "--statistics": ("statistics", True),
    "--quiet": ("quiet", True),
    "-q": ("quiet", True),
    "--verbose": ("verbose", True),
    "-v": ("verbose", True),
    "--exit-zero": ("exit_zero", True),
    "-e": ("exit_zero", True),
    "--isolated": ("isolated", True),
    "--ignore-noqa": ("ignore_noqa", True),
    "--force-exclude": ("force_exclude", True),
    "--no-force-exclude": ("force_exclude", False),
    "--respect-gitignore": ("respect_gitignore", True),
    "--no-respect-gitignore": ("respect_gitignore", False),
}
_WITHOUT_EFFECT = ("--no-cache", "-n")
_JOBS = ("--jobs", "-j")
_OTHER_COMMANDS = ("rule", "config", "version")


def plain_arguments(args: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Any]] | None:
    """Return the paths and the values of the options in a command line of ``check``; None if click has to read it."""
    if os.name == "nt" or "_BGLINT_COMPLETE" in os.environ:  # click expands globs there, and completes words
        return None
    if args and args[0] in _OTHER_COMMANDS:
        return None
    rest = list(args[1:] if args and args[0] == "check" else args)
    paths: list[str] = []
    values: dict[str, Any] = {}
    while rest:
        arg = rest.pop(0)
        if arg in _FLAGS:
            name, value = _FLAGS[arg]
            values[name] = value
        elif arg in _JOBS and rest and rest[0].isascii() and rest[0].isdigit() and int(rest[0]) > 0:
            values["jobs"] = int(rest.pop(0))
        elif not arg.startswith("-"):
            paths.append(arg)
        elif arg not in _WITHOUT_EFFECT:
            return None
    return tuple(paths), values
