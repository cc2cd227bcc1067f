"""What ``bglint check`` prints, where it prints it, and how it exits."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bglint.errors import UserError
from bglint.report import Report, render

if TYPE_CHECKING:
    from bglint.api import LintResult
    from bglint.baseline import Baseline
    from bglint.model import Finding


class Flags(NamedTuple):
    """What the command line says that is no configuration."""

    fix: bool = False
    unsafe_fixes: bool = False
    fix_only: bool = False
    diff: bool = False
    show_fixes: bool = False
    output_format: str = "full"
    output_file: Path | None = None
    statistics: bool = False
    quiet: bool = False
    verbose: bool = False
    color: str = "auto"
    stdin_filename: str | None = None
    jobs: int | None = None
    exit_zero: bool = False
    exit_non_zero_on_fix: bool = False
    add_noqa: str | None = None
    baseline: Path | None = None
    write_baseline: Path | None = None

    @property
    def fixes(self) -> bool:
        """Whether fixes are worked out."""
        return self.fix or self.fix_only or self.diff

    @property
    def writes(self) -> bool:
        """Whether they are carried out, too."""
        return self.fixes and not self.diff

    @property
    def touches_files(self) -> bool:
        """Whether files may change."""
        return self.writes or self.add_noqa is not None


def echo(text: str | bytes, err: bool = False) -> None:
    """Write to stdout, or to stderr, at once and exactly as it is."""
    stream = sys.stderr if err else sys.stdout
    if isinstance(text, bytes):
        stream.flush()
        stream.buffer.write(text)
    else:
        stream.write(text)
    stream.flush()


def tell(result: LintResult, flags: Flags, *, stdout_is_taken: bool = False) -> None:
    """Print the report, the diff, or what was fixed, and every failure. Raises UserError for an --output-file."""
    if flags.diff:
        _tell_diff(result, flags)
    elif flags.add_noqa is not None:
        _tell_silenced(result, flags)
    elif flags.write_baseline is not None:
        _tell_unparsable(result)
    elif flags.fix_only:
        _tell_fixes(result, flags, stdout_is_taken)
    else:
        _tell_findings(result, flags, stdout_is_taken)
    for failure in result.failures:
        echo(f"error: {failure}\n", err=True)


def exit_code(result: LintResult, flags: Flags) -> int:
    """Return 2 if something failed, 1 if there is something to report (or would be to fix), else 0."""
    if result.failures:
        return 2
    if flags.exit_zero:
        return 0
    if flags.exit_non_zero_on_fix and result.fixed:
        return 1
    if flags.diff and result.changes:
        return 1
    left = _unparsable(result) if flags.fix_only or flags.diff else result.findings
    return 1 if left else 0


def _tell_findings(result: LintResult, flags: Flags, stdout_is_taken: bool) -> None:
    report = Report(
        findings=result.findings,
        text_of=result.text_of,
        fixed=result.fixed,
        files=result.files,
        unsafe_fixes=flags.unsafe_fixes,
        show_fixes=flags.show_fixes,
        summary=not flags.quiet and not (result.failures and not result.findings),  # that is no clean run
    )
    color = _use_color(flags, sys.stderr.isatty() if stdout_is_taken else sys.stdout.isatty())
    if flags.statistics:
        from bglint.report.statistics import statistics

        text = statistics(report, flags.output_format, color=color)
    else:
        text = render(report, flags.output_format, color=color, width=_width() if result.findings else 0)
    _put(text, flags, stdout_is_taken)


def _tell_fixes(result: LintResult, flags: Flags, stdout_is_taken: bool) -> None:
    _tell_unparsable(result)
    if flags.quiet:
        return
    from bglint.report.summary import fixes_listed

    listed = "".join(f"{line}\n" for line in fixes_listed(result.fixed)) if flags.show_fixes else ""
    number = _number_of_fixes(result)
    told = f"Fixed {number} error{'s' * (number != 1)}.\n" if number and not listed else listed
    _put(told, flags, stdout_is_taken)


def without_known(result: LintResult, known: Baseline, flags: Flags) -> LintResult:
    """Return the result without what the baseline of ``flags`` knows, and say how many that is."""
    from bglint.baseline import unknown

    assert flags.baseline is not None
    new = tuple(unknown(result.findings, known, flags.baseline, result.text_of, Path.cwd()))
    number = len(result.findings) - len(new)
    if number and not flags.quiet:
        echo(f"{number} known error{'s' * (number != 1)} left out, as {flags.baseline} says.\n", err=True)
    return result._replace(findings=new)


def into_baseline(result: LintResult, baseline: Path, flags: Flags) -> LintResult:
    """Write the baseline, and return what it cannot know. Raises UserError where it cannot be written."""
    from bglint.baseline import write_baseline

    try:
        number = write_baseline(baseline, result.findings, result.text_of, Path.cwd())
    except OSError as error:
        raise UserError(f"{baseline}: {error.strerror or error}") from error
    if not flags.quiet:
        echo(f"Wrote {number or 'no'} known error{'s' * (number != 1)} to {baseline}.\n", err=True)
    return result._replace(findings=tuple(_unparsable(result)))


def _tell_silenced(result: LintResult, flags: Flags) -> None:
    """Say what noqa comments were written for, and report what cannot have one."""
    if result.findings:
        _tell_findings(result._replace(fixed={}), flags, False)
    if not flags.quiet:
        number, files = _number_of_fixes(result), len(result.fixed)
        where = f" in {files} file{'s' * (files != 1)}" if files else ""
        echo(f"Silenced {number or 'no'} error{'s' * (number != 1)} with noqa comments{where}.\n", err=True)


def _tell_diff(result: LintResult, flags: Flags) -> None:
    from bglint.unified_diff import unified_diff

    patch = b"".join(unified_diff(before, after, path) for path, (before, after) in sorted(result.changes.items()))
    _put(patch, flags)
    _tell_unparsable(result)
    if flags.quiet:
        return
    number = _number_of_fixes(result)
    unsafe = sum(finding.fix is not None for finding in result.findings)
    more = f" ({unsafe} more with --unsafe-fixes)" if unsafe and not flags.unsafe_fixes else ""
    if number or more:
        echo(f"Would fix {number or 'no'} error{'s' * (number != 1)}{more}.\n", err=True)


def _tell_unparsable(result: LintResult) -> None:
    """Say which files were not looked at, where findings are not reported otherwise."""
    for finding in _unparsable(result):
        place = f"{finding.path}:{finding.span.start.row}:{finding.span.start.column}"
        echo(f"{place}: {finding.code} {finding.message}\n", err=True)


def _unparsable(result: LintResult) -> list[Finding]:
    return [finding for finding in result.findings if finding.code == "BGL000"]


def _number_of_fixes(result: LintResult) -> int:
    return sum(number for codes in result.fixed.values() for number in codes.values())


def _width() -> int:
    from shutil import get_terminal_size

    return get_terminal_size((100, 24)).columns


def _use_color(flags: Flags, is_terminal: bool) -> bool:
    if flags.color != "auto":
        return flags.color == "always"
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or flags.output_file is not None
    return is_terminal and not plain


def _put(text: str | bytes, flags: Flags, stdout_is_taken: bool = False) -> None:
    """Write to --output-file, else to stdout, else (with the fixed source there) to stderr."""
    if flags.output_file is None:
        echo(text, err=stdout_is_taken)
        return
    try:
        flags.output_file.parent.mkdir(parents=True, exist_ok=True)
        flags.output_file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UserError(f"{flags.output_file}: {error.strerror or error}") from error
