"""``bglint check`` as click reads it: its options, what they mean, their values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bglint.checking import check as run
from bglint.command_options import Command, configuration_options, one_of, option
from bglint.report import FORMATS

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
@option(
    _RUN, "-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Processes (default: as many as are worth it)."
)
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
      bglint check --write-baseline known.json; bglint check --baseline known.json
      cat mail.py | bglint check --stdin-filename src/mail.py -

    Exit code: 0 if nothing is left to report, 1 if something is, 2 for wrong options, a wrong configuration or an
    internal error.
    """
    return run(paths, values)
