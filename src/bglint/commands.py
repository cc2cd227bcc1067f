"""The commands, as click knows them: ``bglint [check]``, ``rule``, ``config``, ``version``."""

from __future__ import annotations

from importlib import import_module

import click

from bglint import __version__

# name -> (module, function in it); what a command does not need is not imported for it
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


def run(args: list[str] | None) -> int:
    """Run a command line, by default the process's own, and return its exit code. Raises UserError."""
    try:
        return int(cli.main(args, prog_name="bglint", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort as error:
        raise KeyboardInterrupt from error
