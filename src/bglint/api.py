"""What every face calls: lint paths, lint a text, fix a text, fix paths."""

from __future__ import annotations

import codecs
import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bglint import __version__
from bglint.config import ConfigError, Configuration, Options, Settings
from bglint.rules import codes
from bglint.source import Source, SourceError, decode, dominant_newline, read

if TYPE_CHECKING:
    from bglint.fix.apply import FixResult
    from bglint.fixing import Fixed
    from bglint.index.project import Project
    from bglint.model import Finding


class LintResult(NamedTuple):
    """What a run found and did.

    ``findings`` are those left after noqa, per-file-ignores and fixes, in order, and ``files`` is how many files were
    linted. ``fixed`` maps path → code → number of fixes, ``changes`` maps path → bytes (before, after).
    ``failures`` are whole sentences about what went wrong inside bglint or while writing: those files were left as
    they were. ``text_of`` gives the text, after fixing, that a finding's path stands for, or raises OSError.
    """

    findings: tuple[Finding, ...]
    files: int
    text_of: Callable[[str], str]
    failures: tuple[str, ...] = ()
    fixed: Mapping[str, Mapping[str, int]] = {}
    changes: Mapping[str, tuple[bytes, bytes]] = {}


class Checked(NamedTuple):
    """One file's findings, or why there are none: a sentence about a failure inside bglint."""

    findings: list[Finding]
    failure: str | None = None


Progress = Callable[[int, int], None]  # (how many files are linted, of how many)


class Session:
    """One run: its configuration, and one project for each set of settings in force."""

    def __init__(self, options: Options, cwd: Path | None = None, progress: Progress | None = None) -> None:
        self.cwd = (cwd or Path.cwd()).absolute()
        self.options = options
        self._progress = progress or (lambda done, total: None)
        self._projects: dict[int, Project] = {}
        self._held: dict[Path, Source] = {}

    @cached_property
    def configuration(self) -> Configuration:
        """Which settings hold for which file."""
        return Configuration(self.options, self.cwd, codes())

    def project(self, settings: Settings) -> Project:
        """The project that files under ``settings`` belong to."""
        found = self._projects.get(id(settings))
        if found is None:
            from bglint import engine
            from bglint.index.project import Project

            found = Project(
                settings.source_roots,
                lambda path: self.read(path).text,
                cwd=self.cwd,
                guards=[*settings.guards, *([settings.guard.replace(":", ".")] if settings.guard else [])],
                offload=settings.offload,
                blocking=settings.blocking,
                non_blocking=settings.non_blocking,
                kinds=engine.blocking_kinds(settings),
            )
            self._projects[id(settings)] = found
        return found

    def read(self, path: Path) -> Source:
        """A file: what was ``hold`` in its place, else from disk. Raises SourceError."""
        held = self._held.get(path)
        return read(path) if held is None else held

    def hold(self, source: Source) -> None:
        """Let ``source`` stand for the file at its path, from the next ``check`` on."""
        self._held[source.path] = source

    def release(self, path: Path) -> None:
        """Let the file on disk speak for itself again."""
        self._held.pop(path, None)

    def restart(self) -> None:
        """Forget all that was concluded from the files."""
        if self._projects:
            self._projects.clear()
            gc.collect()  # a project and its parts refer to each other, and nothing is collected meanwhile

    def note(self, files: Sequence[Path]) -> None:
        """Tell the projects which files this run lints, so that questions about callers cover them all."""
        for path in files:
            held = self._held.get(path)
            self.project(self.configuration.for_path(path)).lints(path, held)

    def display(self, path: Path) -> str:
        """A path as reports name it: relative to the working directory where it lies below it."""
        try:
            return path.relative_to(self.cwd).as_posix()
        except ValueError:
            return path.as_posix()

    def text(self, name: str) -> str:
        """The text of a file by the name that reports use. Raises OSError where there is none."""
        try:
            return self.read(self.cwd / name).text
        except SourceError as error:
            raise OSError(str(error)) from error

    def lint(self, path: Path) -> list[Finding]:
        """The findings in one file; a file that cannot be read is a BGL000."""
        try:
            source = self.read(path)
        except SourceError as error:
            return self.unreadable(error)
        return self.lint_decoded(source)

    def check(self, files: Sequence[Path], jobs: int | None) -> dict[Path, Checked]:
        """Lint many files from scratch, in ``jobs`` processes (None: as many as pay).

        What fails inside bglint costs one file.
        """
        self.restart()
        checked = self._without_rules(files)
        return self._with_rules(files, jobs) if checked is None else checked

    def _without_rules(self, files: Sequence[Path]) -> dict[Path, Checked] | None:
        """What the parser says of files that can matter to no rule; None where one of them, or of others, can."""
        from bglint.screen import MOST_FILES, matters, nothing_matters

        if len(files) > MOST_FILES:
            return None
        read: dict[Path, Source | SourceError] = {}
        for number, path in enumerate(files):
            try:
                read[path] = source = self.read(path)
            except SourceError as error:
                read[path] = error
                continue
            # One by one costs more than all at once, and where something matters, the first files mostly show it.
            if number < _FIRST_FILES and matters(source.data):
                return None
        linted = {str(path): source.data for path, source in read.items() if isinstance(source, Source)}
        roots = {str(root) for path in files for root in self.configuration.for_path(path).source_roots}
        if not nothing_matters(linted, roots):
            return None
        return {path: Checked(self._parsed(each)) for path, each in read.items()}

    def _parsed(self, source: Source | SourceError) -> list[Finding]:
        """The finding in a file that is not Python."""
        from bglint.syntax import check_syntax, unparsable

        if isinstance(source, SourceError):
            return self.unreadable(source)
        try:
            check_syntax(source.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            settings = self.configuration.for_path(source.path)
            found = [unparsable(self.display(source.path), error)] if settings.enabled("BGL000", True) else []
            return _kept(_not_ignored(found, source, settings), source, settings)
        return []

    def _with_rules(self, files: Sequence[Path], jobs: int | None) -> dict[Path, Checked]:
        from bglint.jobs import run, suitable

        self.note(files)
        jobs = suitable(files) if jobs is None else jobs
        islands = self._islands(files) if len(files) >= _MANY_FILES else []
        if jobs > 1 and max(map(len, islands), default=len(files)) > len(files) / jobs:
            # One of them is too much for one process. What all its files ask is worked out once, before processes part.
            for project in self._projects.values():
                project.prepare()
            islands = []
        check = partial(self._check_one, by_island=bool(islands))
        checked = run(check, files, jobs, self._died, lambda done: self._progress(done, len(files)), islands)
        return dict(zip(files, checked, strict=True))

    def _islands(self, files: Sequence[Path]) -> list[list[Path]]:
        """The files in groups that have nothing to do with each other."""
        groups: dict[tuple[int, tuple[Path, ...]], list[Path]] = {}
        for path in files:
            project = self.project(self.configuration.for_path(path))
            groups.setdefault((id(project), project.callers.island(path)[:1]), []).append(path)
        return list(groups.values())

    def _check_one(self, path: Path, *, by_island: bool) -> Checked:
        try:
            if by_island:
                self.project(self.configuration.for_path(path)).turn_to(path)
            return Checked(self.lint(path))
        except ConfigError:
            raise
        except Exception as error:
            return Checked([], internal_error(self.display(path), error))

    def _died(self, path: Path, how: str) -> Checked:
        return Checked([], f"{self.display(path)}: bglint {__version__} crashed on this file ({how}). {_PLEASE}")

    def lint_decoded(self, source: Source) -> list[Finding]:
        """The findings in a source, whatever lies on disk at its path."""
        settings = self.configuration.for_path(source.path)
        self.project(settings).lints(source.path, source)
        from bglint import engine

        found = engine.lint(source, self.project(settings), settings, self.display(source.path))
        found = _not_ignored(found, source, settings)
        if settings.enabled("BGL001", False) and b"noqa" in source.data:
            found = sorted([*found, *self._unused_noqa(source, found, settings)], key=lambda f: f.sort_key)
        return _kept(found, source, settings) if found else found

    def _unused_noqa(self, source: Source, found: Sequence[Finding], settings: Settings) -> list[Finding]:
        """The noqa comments that silence none of what was found; none where parts of the file were not linted."""
        from bglint import engine
        from bglint.unused_noqa import unused_noqa

        if any(finding.code == "BGL000" for finding in found):
            return []
        enabled = {rule.code for rule in engine.enabled_rules(settings)}
        unused = unused_noqa(source, found, enabled, codes(), self.display(source.path))
        return _not_ignored(unused, source, settings)

    def unreadable(self, error: SourceError) -> list[Finding]:
        """The finding for a file that cannot be read."""
        from bglint.model import Finding, Level, Location, Span

        path = Path(error.path)
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


_FIRST_FILES = 5
# From how many files on they are worth sorting by what they have to do with each other.
_MANY_FILES = 100


def _not_ignored(findings: list[Finding], source: Source, settings: Settings) -> list[Finding]:
    """Those that per-file-ignores do not silence."""
    ignored = settings.ignored_in(source.path) if findings and settings.per_file_ignores else None
    return findings if ignored is None else [f for f in findings if not ignored(f.code)]


def _kept(findings: list[Finding], source: Source, settings: Settings) -> list[Finding]:
    """Those that no noqa comment silences, without the fixes that nobody wants."""
    from dataclasses import replace

    from bglint.noqa import Noqa

    kept = [f if settings.may_fix(f.code) else replace(f, fix=None) for f in findings]
    if settings.ignore_noqa:
        return kept
    noqa = Noqa(source.lines)
    return [f for f in kept if not noqa.file_silences(f.code) and not noqa.silences(f.code, f.noqa_rows)]


_PLEASE = "This is a bug: please report it, with the file if you can."


def internal_error(name: str, error: Exception) -> str:
    """The sentence about an exception that linting the file ``name`` ended with: what it was, and where in bglint."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f", {Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else ""
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{name}: internal error in bglint {__version__} ({what}{where}). {_PLEASE}"


def lint_paths(
    paths: Sequence[Path],
    *,
    options: Options = Options(),
    jobs: int | None = 1,
    cwd: Path | None = None,
    progress: Progress | None = None,
) -> LintResult:
    """Lint files and folders in ``jobs`` processes (None: as many as pay).

    Raises ConfigError for a configuration that cannot be right.
    """
    session = Session(options, cwd, progress)
    files, unreadable = _discover(session, paths)
    checked = session.check(files, jobs).values()
    return LintResult(
        _sorted([*unreadable, *(finding for each in checked for finding in each.findings)]),
        len(files),
        session.text,
        tuple(each.failure for each in checked if each.failure),
    )


def fix_paths(
    paths: Sequence[Path],
    *,
    options: Options = Options(),
    unsafe: bool = False,
    write: bool = True,
    jobs: int | None = 1,
    cwd: Path | None = None,
    progress: Progress | None = None,
) -> LintResult:
    """Fix files and folders in place (with ``write=False``: only tell what would change). Raises ConfigError."""
    session = Session(options, cwd, progress)
    files, unreadable = _discover(session, paths)
    return _fix(session, files, unreadable, unsafe, write, jobs)


def silence_paths(
    paths: Sequence[Path],
    *,
    options: Options = Options(),
    reason: str = "",
    jobs: int | None = 1,
    cwd: Path | None = None,
    progress: Progress | None = None,
) -> LintResult:
    """Write noqa comments for what is found in files and folders; ``fixed`` counts it. Raises ConfigError."""
    from bglint.add_noqa import add_noqa_to_files

    session = Session(options, cwd, progress)
    files, unreadable = _discover(session, paths)
    return _result(session, files, unreadable, add_noqa_to_files(session, files, reason, jobs))


def check_data(
    data: bytes,
    path: Path,
    *,
    options: Options = Options(),
    fix: bool = False,
    unsafe: bool = False,
    cwd: Path | None = None,
) -> LintResult:
    """Lint, or fix, ``data`` as the content of ``path``; nothing is written.

    Under ``force_exclude`` an excluded path has no findings. Raises ConfigError.
    """
    session = Session(options, cwd)
    path = session.cwd / path
    settings = session.configuration.for_path(path)
    if settings.force_exclude and settings.excludes.match_below(str(path), str(settings.root)):
        return LintResult((), 0, session.text)
    try:
        session.hold(decode(data, path))
    except SourceError as error:
        return LintResult(_sorted(session.unreadable(error)), 1, _text_of(data))
    if fix:
        return _fix(session, [path], [], unsafe, False, 1)
    checked = session.check([path], 1)[path]
    return LintResult(_sorted(checked.findings), 1, session.text, (checked.failure,) if checked.failure else ())


def _text_of(data: bytes) -> Callable[[str], str]:
    return lambda name: data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")


def _discover(session: Session, paths: Sequence[Path]) -> tuple[list[Path], list[Finding]]:
    from bglint.discover import discover

    discovery = discover([session.cwd / p for p in paths], session.configuration.for_path, session.cwd)
    return discovery.files, [f for error in discovery.errors for f in session.unreadable(error)]


def _fix(
    session: Session, files: Sequence[Path], unreadable: list[Finding], unsafe: bool, write: bool, jobs: int | None
) -> LintResult:
    from bglint.fixing import fix_files

    return _result(session, files, unreadable, fix_files(session, files, unsafe=unsafe, write=write, jobs=jobs))


def _result(session: Session, files: Sequence[Path], unreadable: list[Finding], done: Fixed) -> LintResult:
    return LintResult(
        _sorted([*unreadable, *done.findings]),
        len(files),
        session.text,
        done.failures,
        {session.display(path): codes for path, codes in done.fixed.items()},
        {session.display(path): before_after for path, before_after in done.changes.items()},
    )


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda f: f.sort_key))


def lint_source(
    text: str | bytes, path: Path, *, options: Options = Options(), cwd: Path | None = None
) -> tuple[Finding, ...]:
    """Lint ``text`` as the content of ``path``; other modules of its project are read from disk.

    Raises ConfigError, and whatever goes wrong inside bglint.
    """
    session = Session(options, cwd)
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        source = decode(data, session.cwd / path)
    except SourceError as error:
        return tuple(session.unreadable(error))
    return tuple(session.lint_decoded(source))


def fix_source(
    text: str, path: Path, *, options: Options = Options(), unsafe: bool = False, cwd: Path | None = None
) -> FixResult:
    """Fix ``text`` as the content of ``path`` until it is stable; ``unsafe`` applies unsafe fixes too.

    Raises ConfigError, and whatever goes wrong inside bglint.
    """
    from bglint.fixing import fix_one

    session = Session(options, cwd)
    data = text.encode("utf-8", "surrogatepass")
    return fix_one(session, Source(session.cwd / path, data, text, "utf-8", False, dominant_newline(text)), unsafe)


def is_applicable(finding: Finding, unsafe: bool) -> bool:
    """Whether ``--fix`` would apply the finding's fix."""
    from bglint.model import Applicability

    return finding.fix is not None and (unsafe or finding.fix.applicability is Applicability.SAFE)
