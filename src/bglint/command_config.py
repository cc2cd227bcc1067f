"""``bglint config``: the settings in force and where each came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from bglint.command_options import Command, configuration_options, one_of, options_of
from bglint.config import ConfigError, settings_origin

_NOT_SETTINGS = ("config", "isolated")


@click.command(cls=Command, short_help="Show the settings in force and where each came from.")
@click.argument("path", default=".", type=click.Path(path_type=Path))
@configuration_options
@click.option("--output-format", default="text", show_default=True, **one_of("text", "json"))
def config(path: Path, output_format: str, **values: Any) -> int:
    """Show the settings in force for a file or folder (default: the current one) and where each came from.

    \b
    Examples:
      bglint config
      bglint config --select BGL4 src/mail.py
    """
    from bglint.api import Session

    session = Session(options_of(values))
    try:
        settings = session.configuration.for_path(path / "__init__.py" if path.is_dir() else path)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    rows = {
        name.replace("_", "-"): {"value": _plain(getattr(settings, name)), "origin": origin}
        for name, origin in settings_origin(settings).items()
        if name not in _NOT_SETTINGS
    }
    rows["target-version"]["value"] = "py{}{}".format(*settings.target_version)
    if output_format == "json":
        file = None if settings.config is None else str(settings.config)
        click.echo(json.dumps({"config": file, "root": str(settings.root), "settings": rows}, indent=2))
        return 0
    click.echo(f"# file: {settings.config or 'none'}\n# root: {settings.root}")
    width = max(map(len, rows))
    for name, row in rows.items():
        click.echo(f"{name:<{width}} = {json.dumps(row['value'], ensure_ascii=False)}  # {row['origin']}")
    return 0


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value
