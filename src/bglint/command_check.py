"""``bglint check``: lint, fix or show the diff, and report."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bglint.check_output import Flags, exit_code, into_baseline, tell, without_known
from bglint.command_options import Command, configuration_options, one_of, option, options_of
from bglint.config import ConfigError, Options
from bglint.report import FORMATS

if TYPE_CHECKING:
    from bglint.baseline import Baseline

_FIXES, _KNOWN, _OUTPUT, _RUN = "Fixes", "Known findings", "Output", "Run"


def _one_line(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.isprintable():
        raise click.BadParameter("a reason is one line of text")
    return None if value is None else value.strip()


@click.command(cls=Command, short_help="Lint files and folders, fix them, or show the diff (the default command).")
@click.argument("paths", nargs=-1, metavar="[PATHS]...")
@option(_FIXES, "--fix/--no-fix", help="Apply the fixes that keep the behaviour.")
@option(_FIXES, "--unsafe-fixes/--no-unsafe-fixes", help="With --fix or --diff: the fixes that may change it, too.")
@option(_FIXES, "--fix-only", is_flag=True, help="Fix, and do not report what is left.")
@option(_FIXES, "--diff", is_flag=True, help="Write nothing; show what --fix would change, exit 1 if anything.")
@option(_FIXES, "--show-fixes", is_flag=True, help="List what was fixed.")
@option(
    _KNOWN,
    "--add-noqa",
    metavar="[=REASON]",
    value_may_be_missing=True,
    callback=_one_line,
    help="Silence what is found with # noqa comments, and give this reason in them.",
)
@option(_KNOWN, "--baseline", type=click.Path(path_type=Path), metavar="FILE", help="Report only what is not in FILE.")
@option(
    _KNOWN,
    "--write-baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what is found to FILE, for --baseline, instead of reporting it.",
)
@configuration_options
@option(_OUTPUT, "--output-format", default="full", show_default=True, **one_of(*FORMATS))
@option(_OUTPUT, "-o", "--output-file", type=click.Path(path_type=Path), help="Write the report to this file.")
@option(_OUTPUT, "--statistics", is_flag=True, help="Count the findings by rule instead of listing them.")
@option(_OUTPUT, "-q", "--quiet", is_flag=True, help="Print the findings and nothing else.")
@option(_OUTPUT, "-v", "--verbose", is_flag=True, help="Say what was linted, under which configuration.")
@option(
    _OUTPUT,
    "--color",
    default="auto",
    help="When to use colour (auto: on a terminal, unless NO_COLOR is set).",
    **one_of("auto", "always", "never"),
)
@option(_RUN, "--stdin-filename", metavar="PATH", help="Read the source from stdin, as the content of PATH.")
@option(_RUN, "-j", "--jobs", type=click.IntRange(min=1), help="Processes (default: as many as are worth it).")
@option(_RUN, "-n", "--no-cache", is_flag=True, expose_value=False, help="For scripts: nothing is cached anyway.")
@option(_RUN, "-e", "--exit-zero", is_flag=True, help="Exit 0 in spite of findings.")
@option(_RUN, "--exit-non-zero-on-fix", is_flag=True, help="Exit 1 if anything was fixed.")
def check(paths: Sequence[str], **values: Any) -> int:
    """Lint files and folders (default: the current one); - is the standard input.

    \b
    Examples:
      bglint check src tests
      bglint check --select BGL4,unguarded-background-task
      bglint check --fix --unsafe-fixes src/mail.py
      bglint check --output-format github
      bglint check --add-noqa="until the move to arq" src
      cat mail.py | bglint check --stdin-filename src/mail.py -

    Exit code: 0 if nothing is left to report, 1 if something is, 2 for wrong options, a wrong configuration or an
    internal error.
    """
    flags = Flags(**{field.name: values[field.name] for field in fields(Flags)})
    try:
        _refuse_contradictions(flags)
        return _check(_sources(paths, flags), flags, options_of(values))
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        whole = " Every file is whole, either as it was or changed." if flags.touches_files else ""
        click.echo(f"Interrupted.{whole}", err=True)
        return 130


def _sources(paths: Sequence[str], flags: Flags) -> Sequence[Path] | None:
    """Return the paths to lint, None for the standard input."""
    if flags.stdin_filename is None and "-" not in paths:
        return [Path(path) for path in paths or (".",)]
    others = [path for path in paths if path != "-"]
    if others:
        raise click.UsageError(f'"{others[0]}" cannot be linted together with the standard input.')
    if flags.add_noqa is not None:
        raise click.UsageError("--add-noqa changes files: it has no use for the standard input.")
    return None


def _refuse_contradictions(flags: Flags) -> None:
    if flags.add_noqa is not None and flags.fixes:
        raise click.UsageError("--add-noqa is for what is not fixed: run --fix, --fix-only or --diff before.")
    if sum(value is not None for value in (flags.add_noqa, flags.baseline, flags.write_baseline)) > 1:
        raise click.UsageError("--add-noqa, --baseline and --write-baseline do not go together.")


def _check(paths: Sequence[Path] | None, flags: Flags, options: Options) -> int:
    from bglint import api

    started = time.perf_counter()
    known = _known(flags)
    gc.disable()  # syntax trees are many objects that live as long as the run: looking for garbage costs a tenth of it
    if paths is None:
        name, data = Path(flags.stdin_filename or "-"), sys.stdin.buffer.read()
        result = api.check_data(data, name, options=options, fix=flags.fixes, unsafe=flags.unsafe_fixes)
        if flags.writes:
            click.echo(next((after for _, after in result.changes.values()), data), nl=False)
    elif flags.add_noqa is not None:
        result = api.silence_paths(paths, options=options, reason=flags.add_noqa, jobs=flags.jobs)
    elif flags.fixes:
        result = api.fix_paths(paths, options=options, unsafe=flags.unsafe_fixes, write=flags.writes, jobs=flags.jobs)
    else:
        result = api.lint_paths(paths, options=options, jobs=flags.jobs)
    if flags.verbose:
        _say_what_was_done(paths or [Path(flags.stdin_filename or "-")], options, result.files, started)
    if not (result.files or result.findings or flags.quiet):
        click.echo("warning: no Python files found under the given paths", err=True)
    if flags.write_baseline is not None:
        result = into_baseline(result, flags.write_baseline, flags)
    elif known is not None:
        result = without_known(result, known, flags)
    tell(result, flags, stdout_is_taken=paths is None and flags.writes)
    return exit_code(result, flags)


def _known(flags: Flags) -> Baseline | None:
    """Read the baseline first of all: it would be a pity to find it broken in the end. Raises ConfigError."""
    if flags.baseline is None:
        return None
    from bglint.baseline import read_baseline

    return read_baseline(flags.baseline)


def _say_what_was_done(paths: Sequence[Path], options: Options, files: int, started: float) -> None:
    from bglint.api import Session

    session = Session(options)
    for path in paths:
        settings = session.configuration.for_path(path / "__init__.py" if path.is_dir() else path)
        click.echo(f"{path}: {settings.config or 'no configuration file'}", err=True)
    click.echo(f"{files} file{'s' * (files != 1)} in {time.perf_counter() - started:.2f} s", err=True)
