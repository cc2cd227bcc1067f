"""The command line: ``bglint [check]``, ``rule``, ``config``, ``version``. Each command is imported when it runs."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from bglint import __version__

# name -> (module, function in it); what --version and --help do not need is not imported for them
_COMMANDS = {
    "check": ("command_check", "check"),
    "rule": ("command_rule", "rule"),
    "config": ("command_config", "config"),
    "version": ("command_version", "version"),
}
_OF_THE_GROUP = ("-h", "--help", "-V", "--version")


class _Group(click.Group):
    """The commands, of which ``check`` may be left out."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, function = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"bglint.{module}"), function)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*_COMMANDS, *_OF_THE_GROUP):
            args = ["check", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`check` may be left out: `bglint src/` is `bglint check src/`, and its options are listed by"
    " `bglint check --help`. A folder that has the name of a command is written ./check.",
)
@click.version_option(__version__, "-V", "--version", prog_name="bglint", message="%(prog)s %(version)s")
def cli() -> None:
    """Find background work that fails unseen, blocks the event loop, leaks or hangs, and fix it.

    \b
    Examples:
      bglint                      lint the current folder
      bglint --fix src/           apply the fixes that keep the behaviour
      bglint --diff src/          show what --fix would do
      bglint rule BGL101          explain a rule
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line with ``args`` (default: the process's own) and exit.

    0: nothing left to report. 1: findings. 2: wrong options or configuration, internal errors. 130: interrupted.
    """
    sys.exit(_run(args))


def _run(args: list[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        _never_fail_to_encode(stream)
    try:
        code = cli.main(args, prog_name="bglint", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _never_fail_to_encode(stream: Any) -> None:
    """Let a terminal that knows few characters show the others as escapes."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
