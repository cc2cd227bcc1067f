"""Serves an application with uvicorn: ``python serve.py MODULE:NAME FOLDER``, on a free loopback port.

Writes a line when a request is over, its background tasks included, so that a test knows what will never happen.
Imports nothing but uvicorn: the versions of FastAPI that the nightly proofs compare run it, too.
"""

import faulthandler
import io
import sys
import threading
from typing import Any, TextIO

import uvicorn
from uvicorn.importer import import_from_string

# Ends a server that outlives its test run, even one whose event loop is stuck.
WATCHDOG_SECONDS = 120


class WholeRows(io.TextIOBase):
    """Writes a row in one piece: ``print`` writes it in several, between which other threads get their turn."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._begun = threading.local()

    def write(self, text: str) -> int:
        rows, end, rest = (getattr(self._begun, "row", "") + text).rpartition("\n")
        self._begun.row = rest
        self._out.write(rows + end)
        return len(text)

    def flush(self) -> None:
        self._out.flush()


def noting_the_end(app: Any) -> Any:
    """Wrap an ASGI application: the wrapper writes ``OVER`` and the path when a call of ``app`` ends."""

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        finally:
            if scope["type"] != "lifespan":
                print(f"OVER:     {scope['path']}", flush=True)

    return noted


if __name__ == "__main__":
    faulthandler.dump_traceback_later(WATCHDOG_SECONDS, exit=True)
    sys.path.insert(0, sys.argv[2])
    sys.stdout = WholeRows(sys.stdout)
    uvicorn.run(noting_the_end(import_from_string(sys.argv[1])), host="127.0.0.1", port=0)
