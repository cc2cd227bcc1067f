"""What every face calls: lint paths, lint a text, fix a text, fix paths."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bglint import engine
from bglint.config import Configuration, Options, Settings
from bglint.model import Applicability, Finding, Level, Location, Span
from bglint.rules import codes
from bglint.source import Source, SourceError, decode, read

if TYPE_CHECKING:
    from bglint.fix.apply import FixResult
    from bglint.index.project import Project


@dataclass(frozen=True)
class LintResult:
    """The findings left after noqa and per-file-ignores, in order, and how many files were linted."""

    findings: tuple[Finding, ...]
    files: int


@dataclass(frozen=True)
class FixRun:
    """What fixing did: the findings left, what was applied where, and every changed file's text before and after.

    ``fixed`` maps path → code → count, ``changes`` path → (before, after). ``failures`` are texts about bugs of
    bglint's own: those files were left as they were.
    """

    findings: tuple[Finding, ...]
    files: int
    fixed: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    changes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    failures: tuple[str, ...] = ()


class Session:
    """One run: its configuration, and one project for each set of settings in force."""

    def __init__(self, options: Options, cwd: Path | None = None) -> None:
        self.cwd = (cwd or Path.cwd()).absolute()
        self.options = options
        self._projects: dict[int, Project] = {}

    @cached_property
    def configuration(self) -> Configuration:
        """Which settings hold for which file."""
        return Configuration(self.options, self.cwd, codes())

    def project(self, settings: Settings) -> Project:
        """The project that files under ``settings`` belong to."""
        found = self._projects.get(id(settings))
        if found is None:
            from bglint.index.project import Project

            found = Project(
                settings.source_roots,
                lambda path: read(path).text,
                cwd=self.cwd,
                guards=settings.guards,
                offload=settings.offload,
                blocking=settings.blocking,
                non_blocking=settings.non_blocking,
                kinds=engine.blocking_kinds(settings),
            )
            self._projects[id(settings)] = found
        return found

    def note(self, files: Sequence[Path]) -> None:
        """Tell the projects which files this run lints, so that questions about callers cover them all."""
        for path in files:
            self.project(self.configuration.for_path(path)).lints(path)

    def display(self, path: Path) -> str:
        """A path as reports name it: relative to the working directory where it lies below it."""
        try:
            return path.relative_to(self.cwd).as_posix()
        except ValueError:
            return path.as_posix()

    def lint(self, path: Path) -> list[Finding]:
        """The findings in one file on disk; a file that cannot be read is a BGL000."""
        try:
            source = read(path)
        except SourceError as error:
            return self._unreadable(error, path)
        return self.lint_decoded(source)

    def lint_decoded(self, source: Source) -> list[Finding]:
        """The findings in a source, whatever lies on disk at its path."""
        settings = self.configuration.for_path(source.path)
        self.project(settings).lints(source.path, source.data)
        found = engine.lint(source, self.project(settings), settings, self.display(source.path))
        return _kept(found, source, settings) if found else found

    def _unreadable(self, error: SourceError, path: Path) -> list[Finding]:
        settings = self.configuration.for_path(path)
        if not settings.enabled("BGL000", True):
            return []
        place = Location(error.row, error.column)
        return [
            Finding(
                "BGL000",
                "unparsable-file",
                Level.ERROR,
                error.message,
                self.display(path),
                Span(place, place),
            )
        ]


def _kept(findings: list[Finding], source: Source, settings: Settings) -> list[Finding]:
    """Those that neither a noqa comment nor per-file-ignores silence."""
    from bglint.noqa import Noqa

    ignored = settings.ignored_in(source.path)
    kept = [f for f in findings if not ignored(f.code)]
    if settings.ignore_noqa:
        return kept
    noqa = Noqa(source.lines)
    return [f for f in kept if not noqa.file_silences(f.code) and not noqa.silences(f.code, f.noqa_rows)]


def lint_paths(
    paths: Sequence[Path], *, options: Options = Options(), jobs: int = 1, cwd: Path | None = None
) -> LintResult:
    """Lint files and folders. Raises ConfigError for a configuration that cannot be right."""
    from bglint.discover import discover

    session = Session(options, cwd)
    discovery = discover([session.cwd / p for p in paths], session.configuration.for_path, session.cwd)
    findings = [f for error in discovery.errors for f in session._unreadable(error, Path(error.path))]
    session.note(discovery.files)
    for chunk in _in_parallel(session.lint, discovery.files, jobs):
        findings.extend(chunk)
    return LintResult(tuple(sorted(findings, key=lambda f: f.sort_key)), len(discovery.files))


def lint_source(
    text: str | bytes, path: Path, *, options: Options = Options(), cwd: Path | None = None
) -> tuple[Finding, ...]:
    """Lint ``text`` as the content of ``path``; other modules of its project are read from disk."""
    session = Session(options, cwd)
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        source = decode(data, session.cwd / path)
    except SourceError as error:
        return tuple(session._unreadable(error, session.cwd / path))
    return tuple(session.lint_decoded(source))


def fix_source(
    text: str, path: Path, *, options: Options = Options(), unsafe: bool = False, cwd: Path | None = None
) -> FixResult:
    """Fix ``text`` as the content of ``path`` until it is stable; ``unsafe`` applies unsafe fixes too."""
    return _fix_text(Session(options, cwd), text, (cwd or Path.cwd()).absolute() / path, unsafe)


def _fix_text(session: Session, text: str, path: Path, unsafe: bool) -> FixResult:
    from bglint.fix.apply import fix_text

    settings = session.configuration.for_path(path)

    def lint(current: str) -> list[Finding]:
        return session.lint_decoded(
            Source(path, current.encode("utf-8", "surrogatepass"), current, "utf-8", False, _newline(current))
        )

    def wanted(finding: Finding) -> bool:
        return is_applicable(finding, unsafe) and settings.may_fix(finding.code)

    return fix_text(text, lint, wanted)


def _newline(text: str) -> str:
    counts = Counter({"\r\n": text.count("\r\n")})
    counts["\n"] = text.count("\n") - counts["\r\n"]
    counts["\r"] = text.count("\r") - counts["\r\n"]
    best = max(counts.values())
    return next(n for n in ("\n", "\r\n", "\r") if counts[n] == best)


def is_applicable(finding: Finding, unsafe: bool) -> bool:
    """Whether ``--fix`` would apply the finding's fix."""
    return finding.fix is not None and (unsafe or finding.fix.applicability is Applicability.SAFE)


def fix_paths(
    paths: Sequence[Path],
    *,
    options: Options = Options(),
    unsafe: bool = False,
    write: bool = True,
    cwd: Path | None = None,
) -> FixRun:
    """Fix files and folders in place (with ``write=False``: only tell what would change)."""
    from bglint.discover import discover

    session = Session(options, cwd)
    discovery = discover([session.cwd / p for p in paths], session.configuration.for_path, session.cwd)
    findings = [f for error in discovery.errors for f in session._unreadable(error, Path(error.path))]
    fixed: dict[str, Mapping[str, int]] = {}
    changes: dict[str, tuple[str, str]] = {}
    failures: list[str] = []
    session.note(discovery.files)
    for path in discovery.files:
        left, done = _fix_file(session, path, unsafe, write)
        findings.extend(left)
        if done is None:
            continue
        name = session.display(path)
        if done.failure is not None:
            failures.append(f"{name}: {done.failure}")
        elif done.applied:
            fixed[name] = dict(done.applied)
            changes[name] = done.before_after
    return FixRun(
        tuple(sorted(findings, key=lambda f: f.sort_key)),
        len(discovery.files),
        fixed,
        changes,
        tuple(failures),
    )


@dataclass(frozen=True)
class _FileFix:
    applied: Mapping[str, int]
    before_after: tuple[str, str]
    failure: str | None


def _fix_file(
    session: Session, path: Path, unsafe: bool, write: bool
) -> tuple[list[Finding], _FileFix | None]:
    try:
        source = read(path)
    except SourceError as error:
        return session._unreadable(error, path), None
    found = session.lint_decoded(source)
    settings = session.configuration.for_path(path)
    if not any(is_applicable(f, unsafe) and settings.may_fix(f.code) for f in found):
        return found, None
    result = _fix_text(session, source.text, path, unsafe)
    if result.failure is not None or not result.applied:
        return found, _FileFix(
            {}, (source.text, source.text), str(result.failure) if result.failure else None
        )
    if write and source.encode(source.text) != source.data:
        return found, _FileFix(
            {}, (source.text, source.text), "its bytes do not survive decoding and encoding"
        )
    if write:
        from bglint.fix.write import atomic_write

        try:
            atomic_write(path, source.encode(result.text))
        except OSError as error:
            session.project(settings).add(path, source.text)
            return found, _FileFix({}, (source.text, source.text), f"could not be written: {error}")
    return list(result.remaining), _FileFix(result.applied, (source.text, result.text), None)


def _in_parallel(
    work: Callable[[Path], list[Finding]], files: Sequence[Path], jobs: int
) -> list[list[Finding]]:
    """``work`` for every file: here for one job, in forked processes for more, biggest files first."""
    if jobs <= 1 or len(files) < 2 * jobs or not hasattr(os, "fork"):
        return [work(path) for path in files]
    from bglint.jobs import run

    return run(work, files, jobs)
