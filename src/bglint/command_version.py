"""``bglint version``: what a bug report should say."""

from __future__ import annotations

import click

from bglint import __version__


@click.command(short_help="Show the versions that a bug report should name.")
def version() -> int:
    """Show the versions that a bug report should name."""
    import platform
    from importlib.metadata import version as installed

    python = f"{platform.python_implementation()} {platform.python_version()}"
    click.echo(f"bglint {__version__} (libcst {installed('libcst')}, {python}, {platform.platform(terse=True)})")
    return 0
