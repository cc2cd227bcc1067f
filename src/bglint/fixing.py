"""Fixes many files: in memory until nothing is left to fix, then file by file onto the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bglint.api import Checked, Session, internal_error, is_applicable
from bglint.model import Finding
from bglint.rules import all_rules
from bglint.source import Source, SourceError, decode, read

if TYPE_CHECKING:
    from bglint.fix.apply import FixResult

# A repair in one file can show or hide a finding in another; more rounds than this would be going in circles.
_MOST_ROUNDS = 10


@dataclass(frozen=True)
class Fixed:
    """The findings left, how many fixes of each code are in each file, its bytes (before, after), what failed."""

    findings: list[Finding]
    fixed: Mapping[Path, Mapping[str, int]]
    changes: Mapping[Path, tuple[bytes, bytes]]
    failures: tuple[str, ...]


def fix_files(session: Session, files: Sequence[Path], *, unsafe: bool, write: bool, jobs: int | None) -> Fixed:
    """Fix ``files`` until nothing changes any more, and write them if ``write``.

    All files are linted side by side, then fixed one after the other, and linted again if any has changed, so that
    the outcome is the same whatever ``jobs`` is, and a second run finds nothing to do.
    """
    checked = first = session.check(files, jobs)
    before: dict[Path, Source] = {}
    applied: dict[Path, Counter[str]] = {}
    failed: dict[Path, str] = {}
    for _ in range(_MOST_ROUNDS):
        changed = False
        for path in files:
            if path in failed or not any(is_applicable(finding, unsafe) for finding in checked[path].findings):
                continue
            try:
                source = session.read(path)
                after, counts = _fixed(session, source, unsafe)
            except _Failure as failure:
                failed[path] = str(failure)
                session.restart()  # it has seen texts that are not to be
                continue
            except SourceError:  # gone since it was linted; the next round says so
                changed = True
                continue
            if counts:
                changed = True
                before.setdefault(path, source)
                applied.setdefault(path, Counter()).update(counts)
                session.hold(after)
        if not changed:
            break
        checked = session.check(files, jobs)
    unwritten = write_held(session, before) if write else {}
    return Fixed(
        [finding for path in files for finding in (first if path in unwritten else checked)[path].findings],
        {path: counts for path, counts in applied.items() if path not in unwritten},
        {path: (source.data, session.read(path).data) for path, source in before.items() if path not in unwritten},
        (*_failures(checked.values()), *failed.values(), *unwritten.values()),
    )


def fix_one(session: Session, source: Source, unsafe: bool) -> FixResult:
    """Fix one source in memory; see ``fix_text`` for what can come of it. Raises what linting raises."""
    from bglint.fix.apply import fix_text

    def lint(text: str) -> list[Finding]:
        data = text.encode("utf-8", "surrogatepass")
        return session.lint_decoded(Source(source.path, data, text, "utf-8", False, source.newline))

    revealed = {rule.code: rule.reveals for rule in all_rules()}
    return fix_text(source.text, lint, lambda finding: is_applicable(finding, unsafe), reveals=revealed.__getitem__)


class _Failure(Exception):
    """A sentence about why a file is left as it is."""


def _fixed(session: Session, source: Source, unsafe: bool) -> tuple[Source, Mapping[str, int]]:
    """Return the fixed source and the number of fixes by code. Raises _Failure."""
    name = session.display(source.path)
    if source.encode(source.text) != source.data:
        raise _Failure(f"{name}: not fixed: its bytes do not survive being read and written as {source.encoding}.")
    try:
        result = fix_one(session, source, unsafe)
    except Exception as error:
        raise _Failure(internal_error(name, error)) from error
    if result.failure is not None:
        raise _Failure(result.failure.message)
    try:
        after = decode(source.encode(result.text), source.path)
    except (UnicodeEncodeError, SourceError) as error:
        raise _Failure(f"{name}: not fixed: the result cannot be written as {source.encoding} ({error}).") from error
    return after, result.applied


def write_held(session: Session, before: Mapping[Path, Source]) -> dict[Path, str]:
    """Write what the session holds for each file; return why for those that could not be written, which
    the session lets go."""
    unwritten = {}
    for path, source in before.items():
        problem = _written(path, source.data, session.read(path).data)
        if problem:
            session.release(path)
            unwritten[path] = f"{session.display(path)}: not fixed: {problem}."
    return unwritten


def _written(path: Path, before: bytes, after: bytes) -> str | None:
    """Write one file; return what was in the way."""
    from bglint.fix.write import atomic_write

    try:
        if read(path).data != before:
            return "it was changed by somebody else meanwhile"
        atomic_write(path, after)
    except SourceError as error:
        return error.message
    except OSError as error:
        return error.strerror or str(error)
    return None


def _failures(checked: Iterable[Checked]) -> list[str]:
    return [each.failure for each in checked if each.failure]
