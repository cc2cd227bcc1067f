"""Baselines: a file of the findings that are known already, so that a run reports the new ones only.

A finding is known by its file, its code, the function or class around it, and its line of source with the white space
made even: it stays known when lines move, and another finding in its place is not it.
"""

from __future__ import annotations

import ast
import json
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bglint.config import ConfigError
from bglint.syntax import parsed

if TYPE_CHECKING:
    from bglint.model import Finding

_VERSION = 1
# What could not be read was not linted: there is no telling what is in it.
_NEVER_KNOWN = "BGL000"


class Fingerprint(NamedTuple):
    """What makes a finding the same tomorrow. ``path`` is relative to the baseline's folder, ``scope`` dotted."""

    path: str
    code: str
    scope: str
    line: str


Baseline = Counter[Fingerprint]


def read_baseline(path: Path) -> Baseline:
    """Return what is in the file. Raises ConfigError, which names the place, for one that holds no baseline."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except (UnicodeError, RecursionError) as error:
        raise ConfigError(f"{path}: no baseline: {error}") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: no baseline: {error.msg}") from error
    if not isinstance(document, dict) or not isinstance(document.get("findings"), list):
        raise ConfigError(f"{path}: no baseline: it has no list of findings; --write-baseline makes one")
    if document.get("version") != _VERSION:
        version = json.dumps(document.get("version"))
        raise ConfigError(f"{path}: baseline of version {version}, expected {_VERSION}; --write-baseline makes one")
    known: Baseline = Counter()
    for number, entry in enumerate(document["findings"], 1):
        if not _is_entry(entry):
            raise ConfigError(f"{path}: no baseline: its finding number {number} is {json.dumps(entry)[:80]}")
        known[Fingerprint(*(entry[name] for name in Fingerprint._fields))] += entry["count"]
    return known


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or set(entry) != {*Fingerprint._fields, "count"}:
        return False
    count = entry["count"]
    return all(isinstance(entry[name], str) for name in Fingerprint._fields) and type(count) is int and count > 0


def write_baseline(path: Path, findings: Sequence[Finding], text_of: Callable[[str], str], cwd: Path) -> int:
    """Write a baseline that knows ``findings``, and return how many that is; what cannot be parsed is never known.

    ``text_of`` and ``cwd`` are what a finding's path stands for. Raises OSError.
    """
    counted = Counter(prints for prints in _fingerprints(findings, text_of, cwd, path) if prints is not None)
    entries = [{**prints._asdict(), "count": count} for prints, count in sorted(counted.items())]
    # One entry a line: that is what people read in the diff of two baselines.
    lines = ",\n".join(f"    {json.dumps(entry, ensure_ascii=False)}" for entry in entries)
    listed = f"[\n{lines}\n  ]" if lines else "[]"
    text = f'{{\n  "version": {_VERSION},\n  "findings": {listed}\n}}\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "backslashreplace"))
    return counted.total()


def unknown(
    findings: Sequence[Finding], known: Baseline, path: Path, text_of: Callable[[str], str], cwd: Path
) -> list[Finding]:
    """Return the findings that the baseline at ``path`` does not know, in their order.

    Where there are more of a kind than it knows, the last ones are new.
    """
    left = Counter(known)
    new = []
    for finding, prints in zip(findings, _fingerprints(findings, text_of, cwd, path), strict=True):
        if prints is not None and left[prints] > 0:
            left[prints] -= 1
        else:
            new.append(finding)
    return new


def _fingerprints(
    findings: Iterable[Finding], text_of: Callable[[str], str], cwd: Path, baseline: Path
) -> Iterator[Fingerprint | None]:
    """Yield the fingerprint of each finding, None for one that is never known."""
    folder = os.path.dirname(os.path.abspath(cwd / baseline))
    files: dict[str, _File] = {}
    for finding in findings:
        if finding.code == _NEVER_KNOWN:
            yield None
            continue
        if finding.path not in files:
            path = os.path.relpath(os.path.abspath(cwd / finding.path), folder).replace(os.sep, "/")
            files[finding.path] = _File(path, _text(text_of, finding.path))
        file, row = files[finding.path], finding.span.start.row
        yield Fingerprint(file.path, finding.code, file.scope(row), file.line(row))


def _text(text_of: Callable[[str], str], path: str) -> str:
    try:
        return text_of(path)
    except (OSError, UnicodeError):  # gone since it was linted
        return ""


class _File:
    """What the fingerprints of one file need of it."""

    def __init__(self, path: str, text: str) -> None:
        from bglint.report.text import split_lines

        self.path = path
        self._lines = split_lines(text)
        self._scopes = _scopes(text)

    def line(self, row: int) -> str:
        return " ".join(self._lines[row - 1].split()) if row <= len(self._lines) else ""

    def scope(self, row: int) -> str:
        """The dotted name of the innermost function or class around a row; empty for the module."""
        before = bisect_right(self._scopes, row, key=lambda scope: scope[0])
        return next((name for _, last, name in reversed(self._scopes[:before]) if row <= last), "")


def _scopes(text: str) -> list[tuple[int, int, str]]:
    """Return the first and last row, and dotted name, of every function and class, outer ones first."""
    try:
        tree = parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: list[tuple[int, int, str]] = []
    pending: list[tuple[ast.AST, str]] = [(tree, "")]
    while pending:
        node, around = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            around = f"{around}.{node.name}" if around else node.name
            found.append((node.lineno, node.end_lineno or node.lineno, around))
        pending.extend((child, around) for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr))
    return sorted(found)
