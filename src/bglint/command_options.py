"""The options that stand for configuration, and how the command line shows and reads its options."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from bglint.config import Options
from bglint.selectors import nearest

F = TypeVar("F", bound=Callable[..., Any])
_COMMA_OUTSIDE_BRACES = re.compile(r",(?![^{}]*\})")


class Option(click.Option):
    """An option that belongs to a section of the help."""

    def __init__(self, *args: Any, section: str, value_may_be_missing: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section
        self.value_may_be_missing = value_may_be_missing

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return what the help says of it: a value that may be missing needs its equals sign."""
        record = super().get_help_record(ctx)
        return record and (record[0].replace(" [=", "[="), record[1])


class Command(click.Command):
    """A command whose help shows its options in sections."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; click itself would take what follows an option for the value that may be missing."""
        bare = {name for each in self.params if getattr(each, "value_may_be_missing", False) for name in each.opts}
        end = args.index("--") if "--" in args else len(args)
        return super().parse_args(ctx, [f"{arg}=" if arg in bare else arg for arg in args[:end]] + args[end:])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections in the order of their first options, what has none at the end."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in sorted(self.get_params(ctx), key=lambda each: not isinstance(each, Option)):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                sections.setdefault(getattr(parameter, "section", "Other"), []).append(record)
        for section, records in sections.items():
            with formatter.section(section):
                formatter.write_dl(records)


def option(section: str, *names: str, **kwargs: Any) -> Callable[[F], F]:
    """Return click's decorator for an option of a section."""
    return click.option(*names, cls=Option, section=section, **kwargs)


def one_of(*choices: str) -> dict[str, Any]:
    """Return the arguments of an option with a few values; a misspelled one is told the nearest."""

    def check(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        if value is None or value in choices:
            return value
        raise click.BadParameter(f'"{value}" is none of {", ".join(choices)}{nearest(value, choices)}')

    return {"callback": check, "metavar": "|".join(choices)}


def _listed(ctx: click.Context, parameter: click.Parameter, value: Sequence[str]) -> tuple[str, ...] | None:
    """Read a repeatable list with commas; ``None`` when the option is not given."""
    if not value:
        return None
    parts = (part.strip() for each in value for part in _COMMA_OUTSIDE_BRACES.split(each))
    return tuple(part for part in parts if part)


def _per_file(
    ctx: click.Context, parameter: click.Parameter, value: Sequence[str]
) -> Mapping[str, tuple[str, ...]] | None:
    """Read ``PATTERN:CODE,CODE,PATTERN:CODE`` pairs."""
    ignores: dict[str, tuple[str, ...]] = {}
    pattern = ""
    for part in _listed(ctx, parameter, value) or ():
        before, colon, code = part.rpartition(":")
        pattern = before.strip() if colon else pattern
        if not pattern or not code.strip():
            raise click.BadParameter(f'expected PATTERN:CODE such as "tests/*:BGL4", not "{part}"')
        ignores[pattern] = (*ignores.get(pattern, ()), code.strip())
    return ignores or None


def _codes(section: str, name: str, text: str) -> Callable[[F], F]:
    return option(section, name, multiple=True, metavar="CODES", callback=_listed, help=text)


_RULES, _FILES, _CONFIGURATION = "Rules", "Files", "Configuration"
_DECORATORS: tuple[Callable[[Any], Any], ...] = (
    _codes(_RULES, "--select", "Rules to report, by code, prefix or name, with commas; BGL is every rule."),
    _codes(_RULES, "--ignore", "Rules to leave out; the most specific of --select and --ignore wins."),
    _codes(_RULES, "--extend-select", "Rules to report beside those selected anyway."),
    _codes(_RULES, "--extend-ignore", "Rules to leave out beside those ignored anyway."),
    _codes(_RULES, "--fixable", "Rules whose fixes may be applied (default: all)."),
    _codes(_RULES, "--unfixable", "Rules whose fixes may not be applied."),
    option(
        _RULES,
        "--per-file-ignores",
        multiple=True,
        metavar="PATTERN:CODE,…",
        callback=_per_file,
        help='Rules to leave out in some files, as in "tests/*:BGL4".',
    ),
    option(_RULES, "--ignore-noqa", is_flag=True, default=None, help="Report what # noqa comments silence, too."),
    option(_FILES, "--exclude", multiple=True, metavar="PATTERNS", callback=_listed, help="Paths not to walk into."),
    option(
        _FILES,
        "--extend-exclude",
        multiple=True,
        metavar="PATTERNS",
        callback=_listed,
        help="More of them, beside the usual ones (.venv, node_modules, build, …).",
    ),
    option(
        _FILES,
        "--force-exclude/--no-force-exclude",
        default=None,
        help="Exclude also the files that are named on the command line.",
    ),
    option(
        _FILES, "--respect-gitignore/--no-respect-gitignore", default=None, help="Leave out what git ignores (default)."
    ),
    option(_CONFIGURATION, "--config", type=click.Path(path_type=Path), help="Read this file, and no other."),
    option(_CONFIGURATION, "--isolated", is_flag=True, default=None, help="Read no configuration file."),
    option(
        _CONFIGURATION,
        "--target-version",
        metavar="VERSION",
        help="The oldest Python that the code must run on, as in py311 (default: requires-python).",
    ),
    option(
        _CONFIGURATION,
        "--fastapi-version",
        metavar="VERSION",
        help="The FastAPI that the code runs on, as in 0.118 (default: the project's own, else the installed one).",
    ),
)


def configuration_options(command: F) -> F:
    """Give a command the options that stand for configuration."""
    for decorate in reversed(_DECORATORS):
        command = decorate(command)
    return command


def options_of(values: Mapping[str, Any]) -> Options:
    """Return what a command's values say about configuration."""
    return Options(**{name: value for name, value in values.items() if name in Options._fields})
