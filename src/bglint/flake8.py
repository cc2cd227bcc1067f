"""The flake8 plugin: the same findings as the command line's, under flake8's own noqa, select and ignore."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bglint import __version__

if TYPE_CHECKING:
    from bglint.api import Session
    from bglint.config import Options

_CODE = re.compile(r"BGL\d{3}")


class Plugin:
    """What flake8 makes of each file. noqa comments are flake8's business; every other setting is bglint's own."""

    name = "bglint"
    version = __version__

    def __init__(self, tree: ast.AST, filename: str, lines: Sequence[str], options: argparse.Namespace) -> None:
        """Take what flake8 offers. To ask for the ``tree`` is to be left alone where there is none (flake8's E999)."""
        self._filename = filename
        self._lines = lines
        self._options = options

    @classmethod
    def add_options(cls, manager: Any) -> None:
        """Add ``--bglint-config`` to flake8's options and configuration files."""
        manager.add_option(
            "--bglint-config",
            metavar="FILE",
            parse_from_config=True,
            normalize_paths=True,
            help="bglint's configuration: this file, and no other (default: the closest [tool.bglint] to each file).",
        )

    @classmethod
    def parse_options(cls, options: argparse.Namespace) -> None:
        """Start the session. Raises flake8's ExecutionError for a configuration that cannot be right."""
        from bglint.config import ConfigError

        try:
            _session_of(options)
        except ConfigError as error:
            from flake8.exceptions import ExecutionError  # type: ignore[import-untyped, unused-ignore]

            raise ExecutionError(f"bglint: {error}") from error

    def run(self) -> Iterator[tuple[int, int, str, type[Any]]]:
        """Yield row (from 1), column (from 0), code with message, and this class, for every finding."""
        from bglint.source import Source, dominant_newline

        session = _session_of(self._options)
        text = "".join(self._lines)
        data = text.encode("utf-8", "surrogatepass")
        source = Source(session.cwd / self._filename, data, text, "utf-8", False, dominant_newline(text))
        for finding in session.lint_decoded(source):
            start = finding.span.start
            yield start.row, start.column - 1, f"{finding.code} {finding.message}", type(self)


def _session_of(options: argparse.Namespace) -> Session:
    return _session(_options_of(options), tuple(getattr(options, "filenames", None) or (".",)), Path.cwd())


def _options_of(options: argparse.Namespace) -> Options:
    """Return what flake8's options say about bglint.

    A rule that is off by default is on where flake8 selects it by its whole code; a prefix says no more than that
    the plugin is welcome, and leaves the choice to bglint's configuration.
    """
    from bglint.config import Options
    from bglint.rules import codes

    config = getattr(options, "bglint_config", None)
    said = [*(getattr(options, "select", None) or ()), *(getattr(options, "extend_select", None) or ())]
    selected = tuple(code for code in said if _CODE.fullmatch(code) and code in codes())
    return Options(config=Path(config) if config else None, extend_select=selected or None, ignore_noqa=True)


@cache
def _session(options: Options, paths: tuple[str, ...], cwd: Path) -> Session:
    """Return the one session of this process: its project keeps what it has read for the files to come."""
    from bglint.api import Session
    from bglint.discover import discover

    session = Session(options, cwd)
    # Who calls a function may stand in a file that comes later, or goes to another process.
    session.note(discover([Path(path) for path in paths], session.configuration.for_path, cwd).files)
    return session
