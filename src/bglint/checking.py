"""What ``bglint check`` does once its command line is read: lint, fix or show the diff, and report."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bglint.check_output import Flags, echo, exit_code, into_baseline, tell, without_known
from bglint.config import Options
from bglint.errors import UserError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from bglint.api import LintResult, Progress
    from bglint.baseline import Baseline


def check(paths: Sequence[str], values: Mapping[str, Any]) -> int:
    """Run the command with these values of its options, and return its exit code.

    Raises UserError for options and files that cannot be right, KeyboardInterrupt never.
    """
    flags = Flags(**{name: value for name, value in values.items() if name in Flags._fields})
    options = Options(**{name: value for name, value in values.items() if name in Options._fields})
    try:
        _refuse_contradictions(flags)
        return _check(_sources(paths, flags), flags, options)
    except KeyboardInterrupt:
        whole = " Every file is whole, either as it was or changed." if flags.touches_files else ""
        echo(f"Interrupted.{whole}\n", err=True)
        return 130


def _refuse_contradictions(flags: Flags) -> None:
    if flags.add_noqa is not None and flags.fixes:
        raise UserError("--add-noqa is for what is not fixed: run --fix, --fix-only or --diff before.")
    if sum(value is not None for value in (flags.add_noqa, flags.baseline, flags.write_baseline)) > 1:
        raise UserError("--add-noqa, --baseline and --write-baseline do not go together.")


def _sources(paths: Sequence[str], flags: Flags) -> Sequence[Path] | None:
    """Return the paths to lint, None for the standard input."""
    if flags.stdin_filename is None and "-" not in paths:
        return [Path(path) for path in paths or (".",)]
    others = [path for path in paths if path != "-"]
    if others:
        raise UserError(f'"{others[0]}" cannot be linted together with the standard input.')
    if flags.add_noqa is not None:
        raise UserError("--add-noqa changes files: it has no use for the standard input.")
    return None


def _check(paths: Sequence[Path] | None, flags: Flags, options: Options) -> int:
    from bglint import api

    started = time.perf_counter()
    known = _known(flags)
    if paths is None:
        name, data = Path(flags.stdin_filename or "-"), sys.stdin.buffer.read()
        result = api.check_data(data, name, options=options, fix=flags.fixes, unsafe=flags.unsafe_fixes)
        if flags.writes:
            echo(next((after for _, after in result.changes.values()), data))
    else:
        with _progress(flags) as progress:
            result = _on_files(paths, flags, options, progress)
    if flags.verbose:
        _say_what_was_done(paths or [Path(flags.stdin_filename or "-")], options, result.files, started)
    if not (result.files or result.findings or flags.quiet):
        echo("warning: no Python files found under the given paths\n", err=True)
    if flags.write_baseline is not None:
        result = into_baseline(result, flags.write_baseline, flags)
    elif known is not None:
        result = without_known(result, known, flags)
    tell(result, flags, stdout_is_taken=paths is None and flags.writes)
    return exit_code(result, flags)


def _on_files(paths: Sequence[Path], flags: Flags, options: Options, progress: Progress | None) -> LintResult:
    from bglint import api

    if flags.add_noqa is not None:
        return api.silence_paths(paths, options=options, reason=flags.add_noqa, jobs=flags.jobs, progress=progress)
    if flags.fixes:
        unsafe, write = flags.unsafe_fixes, flags.writes
        return api.fix_paths(paths, options=options, unsafe=unsafe, write=write, jobs=flags.jobs, progress=progress)
    return api.lint_paths(paths, options=options, jobs=flags.jobs, progress=progress)


def _progress(flags: Flags) -> AbstractContextManager[Progress | None]:
    """Return the progress bar, for people at a terminal who have not asked for silence."""
    if flags.quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        from contextlib import nullcontext

        return nullcontext()
    from bglint.progress import ProgressBar

    return ProgressBar()


def _known(flags: Flags) -> Baseline | None:
    """Read the baseline first of all: it would be a pity to find it broken in the end. Raises UserError."""
    if flags.baseline is None:
        return None
    from bglint.baseline import read_baseline

    return read_baseline(flags.baseline)


def _say_what_was_done(paths: Sequence[Path], options: Options, files: int, started: float) -> None:
    from bglint.api import Session

    session = Session(options)
    for path in paths:
        settings = session.configuration.for_path(path / "__init__.py" if path.is_dir() else path)
        echo(f"{path}: {settings.config or 'no configuration file'}\n", err=True)
    echo(f"{files} file{'s' * (files != 1)} in {time.perf_counter() - started:.2f} s\n", err=True)
