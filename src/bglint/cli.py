"""The entry point. Every run pays for it, so it is small: click, the rules, LibCST are imported by who needs them."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from bglint import __version__
from bglint.errors import UserError
from bglint.plain_arguments import plain_arguments

TYPE_CHECKING = False  # typing is not worth its import here
if TYPE_CHECKING:
    from typing import Any


def main(args: list[str] | None = None) -> None:
    """Run the command line with ``args`` (default: the process's own) and exit.

    0: nothing left to report. 1: findings. 2: wrong options or configuration, internal errors. 130: interrupted.
    """
    sys.exit(_run(args))


def _run(args: list[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        _never_fail_to_encode(stream)
    try:
        # Modules and syntax trees are many objects that live as long as the run: looking for garbage among them costs
        # a tenth of it, and another tenth when Python does so at its end, disabled or not, but for what is frozen.
        gc.disable()
        atexit.register(gc.freeze)
        code = _dispatch(args)
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _dispatch(args: list[str] | None) -> int:
    words = sys.argv[1:] if args is None else args
    if words in (["--version"], ["-V"]):
        print(f"bglint {__version__}")
        return 0
    plain = plain_arguments(words)
    if plain is None:
        from bglint.commands import run

        return run(args)
    from bglint.checking import check

    return check(*plain)


def _never_fail_to_encode(stream: Any) -> None:
    """Let a terminal that knows few characters show the others as escapes."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
