"""Findings become text here: one module per output format, imported only when that format is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bglint.model import Finding

# format -> (module of this package, function in it); every function takes (report, color, width)
_RENDERERS = {
    "full": ("full", "render"),
    "concise": ("concise", "render"),
    "json": ("json_format", "render"),
    "json-lines": ("json_format", "render_lines"),
    "github": ("github", "render"),
    "gitlab": ("gitlab", "render"),
    "sarif": ("sarif", "render"),
    "junit": ("junit", "render"),
    "grouped": ("grouped", "render"),
    "pylint": ("pylint", "render"),
}

FORMATS: tuple[str, ...] = tuple(_RENDERERS)


class Report(NamedTuple):
    """All that a run has to say, whatever the format.

    ``findings`` are sorted. ``text_of`` takes a finding's path and returns that file's text, or raises
    OSError. ``fixed`` says how many fixes were applied in this run: path -> code -> number. ``files`` is how
    many files were linted. With ``unsafe_fixes`` the ``[*]`` marker counts unsafe fixes too. ``show_fixes``
    lists what was fixed, and without ``summary`` the text formats print the findings only.
    """

    findings: tuple[Finding, ...]
    text_of: Callable[[str], str]
    fixed: Mapping[str, Mapping[str, int]]
    files: int
    unsafe_fixes: bool
    show_fixes: bool
    summary: bool = True

    def fixable(self, finding: Finding) -> bool:
        """Return whether ``--fix``, with the options in force, would fix ``finding``."""
        from bglint.model import Applicability

        fix = finding.fix
        return fix is not None and (self.unsafe_fixes or fix.applicability is Applicability.SAFE)


def render(report: Report, format: str, *, color: bool = False, width: int = 100) -> str:
    """Return ``report`` in one of FORMATS, ending in a newline unless it is empty.

    ``color`` (ANSI) and ``width`` (cells of a line of source) matter to the formats that people read.
    Raises ValueError when the format is unknown.
    """
    if format not in _RENDERERS:
        raise ValueError(f"unknown output format {format!r}, expected one of {', '.join(FORMATS)}")
    module, function = _RENDERERS[format]
    text: str = getattr(import_module(f"{__name__}.{module}"), function)(report, color, width)
    return text
