"""What the proofs share: the fixtures' own code, bglint's own fix of it, and a real server that runs both.

Every wait here ends: with what was waited for, or with an AssertionError that carries the server's log.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import httpx
from fixtures_format import parse_fixture

from bglint.api import fix_source
from bglint.config import Options

PROOFS = Path(__file__).parents[2] / "fixtures" / "proofs"
PATIENCE = 15.0
# The watchdog ends a server that outlives its test run, even one whose event loop is stuck.
SERVE = "import faulthandler, sys, uvicorn; faulthandler.dump_traceback_later(120, exit=True); \
uvicorn.run(sys.argv[1], app_dir=sys.argv[2], host='127.0.0.1', port=0)"


def fixture_app(code: str, name: str) -> str:
    """Return the ``app.py`` under the heading ``Proof: <name>`` of the proof fixture of ``code``.

    Raises LookupError when there is no such section.
    """
    for path in PROOFS.glob(f"{code}-*.md"):
        for case in parse_fixture(path.read_text(encoding="utf-8"), path.name).cases:
            if case.title == f"Proof: {name}":
                return case.files[0].text
    raise LookupError(f"fixtures/proofs has no section 'Proof: {name}' for {code}")


def fixed(
    code: str,
    source: str,
    *,
    unsafe: bool = True,
    target_version: str = "py311",
    join_timeout: float | None = None,
) -> str:
    """Return what bglint's fix for the rule ``code`` alone makes of ``source``.

    Raises AssertionError when the fix fails or changes nothing, since a proof would then prove nothing.
    """
    options = Options(isolated=True, select=(code,), target_version=target_version)
    if join_timeout is not None:
        options = replace(options, join_timeout=join_timeout)
    result = fix_source(source, Path("app.py"), options=options, unsafe=unsafe)
    assert result.failure is None, result.failure
    assert result.text != source, f"no fix for {code} was applied"
    return result.text


def load(source: str) -> ModuleType:
    """Run ``source`` as a new module and return it."""
    module = ModuleType("app")
    exec(compile(source, "app.py", "exec"), module.__dict__)
    return module


@dataclass(frozen=True)
class Server:
    """A running application: ask it with ``http``, read what it wrote with ``log()``."""

    process: subprocess.Popen[bytes]
    log_file: Path
    http: httpx.Client

    def log(self) -> str:
        """Return everything that the server has written so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def wait_for_log(self, text: str) -> None:
        """Wait until the server has written ``text``. Raises AssertionError if it does not in time."""
        self.wait_until(lambda: text in self.log(), f"{text!r} in the log")

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until ``condition()`` holds. Raises AssertionError, naming ``what``, if it never does."""
        _wait_until(condition, lambda: f"no {what} in time; the server's log:\n{self.log()}")

    def survives(self, seconds: float) -> bool:
        """Return whether the server's process is still there after ``seconds``."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def terminate(self) -> None:
        """Send SIGTERM, as process managers do to stop a server."""
        self.process.send_signal(signal.SIGTERM)

    def own_lines(self) -> list[str]:
        """Return what the application itself has written, without uvicorn's lines."""
        return [line for line in self.log().splitlines() if not re.match(r"[A-Z]+: {5}", line)]

    def logged_failures(self) -> list[str]:
        """Return the log lines that introduce a traceback, in order."""
        return re.findall(r"^(.*)\nTraceback \(most recent call last\):$", self.log(), re.MULTILINE)


@contextlib.contextmanager
def serve(source: str, **environment: str) -> Iterator[Server]:
    """Run the application ``app`` of the module text ``source`` under uvicorn while the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "app.py").write_text(source, encoding="utf-8")
        with serve_from(Path(folder), "app:app", **environment) as server:
            yield server


@contextlib.contextmanager
def serve_from(folder: Path, app: str, **environment: str) -> Iterator[Server]:
    """Run ``app`` (``module:name`` below ``folder``) under uvicorn on a free loopback port.

    Raises AssertionError when it does not start.
    """
    with tempfile.TemporaryDirectory() as scratch:
        log_file = Path(scratch, "log")
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", SERVE, app, str(folder)],
                cwd=scratch,
                env={**os.environ, "NO_PROXY": "*", "PYTHONDONTWRITEBYTECODE": "1", **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            url = _url_when_started(process, log_file)
            # uvicorn drops the connection of a request whose background task failed: never use one twice.
            limits = httpx.Limits(max_keepalive_connections=0)
            with httpx.Client(base_url=url, trust_env=False, verify=False, timeout=30, limits=limits) as http:
                yield Server(process, log_file, http)
        finally:
            _stop(process)


def _url_when_started(process: subprocess.Popen[bytes], log_file: Path) -> str:
    def announced() -> re.Match[str] | None:
        return re.search(r"running on (http://127\.0\.0\.1:\d+)", log_file.read_text(encoding="utf-8"))

    _wait_until(
        lambda: announced() is not None or process.poll() is not None,
        lambda: f"the server did not start in time:\n{log_file.read_text(encoding='utf-8')}",
    )
    match = announced()
    assert match is not None, f"the server did not start:\n{log_file.read_text(encoding='utf-8')}"
    return match[1]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until(condition: Callable[[], bool], complaint: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.01)


@dataclass(frozen=True)
class Beside:
    """How long another request took while a slow one was running, and the slow one's answer."""

    answer: httpx.Response
    slow_seconds: float
    other_seconds: float


def request_beside(
    server: Server, slow: Callable[[], httpx.Response], at_work: Callable[[], bool], other: str = "/health"
) -> Beside:
    """Send the request ``slow`` and, as soon as ``at_work()`` says that it is served, ask for ``other``.

    Returns both durations. Raises AssertionError when the slow request is never at work.
    """
    with ThreadPoolExecutor(1) as pool:
        begun = time.perf_counter()
        running = pool.submit(slow)
        server.wait_until(at_work, "slow request at work")
        other_begun = time.perf_counter()
        server.http.get(other).raise_for_status()
        other_seconds = time.perf_counter() - other_begun
        answer = running.result(PATIENCE)
        return Beside(answer, time.perf_counter() - begun, other_seconds)


@dataclass(frozen=True)
class Neighbour:
    """A server that an application asks: its URL, and the requests that came to it, as ``GET /path``."""

    url: str
    received: list[str]


@contextlib.contextmanager
def neighbour(answer: bytes, delay: float = 0.0) -> Iterator[Neighbour]:
    """Run a loopback HTTP server that answers everything with ``answer`` after ``delay`` seconds."""
    received: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            received.append(f"{self.command} {self.path}")
            time.sleep(delay)
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Neighbour(f"http://127.0.0.1:{server.server_port}", received)
    finally:
        server.shutdown()
        server.server_close()
