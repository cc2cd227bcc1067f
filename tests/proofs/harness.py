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
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
from fixtures_format import parse_fixture

from bglint.api import fix_source, lint_source
from bglint.config import Options

PROOFS = Path(__file__).parents[2] / "fixtures" / "proofs"
PATIENCE = 15.0
# How long a request that something holds up is given to be answered all the same.
LONG_ENOUGH = 0.7
SERVE = Path(__file__).with_name("serve.py")


def fixture_app(code: str, name: str) -> str:
    """Return the ``app.py`` under ``Proof: <name>``, or ``Silent: <name>``, in the proof fixture of ``code``.

    Raises LookupError when there is no such section.
    """
    for path in PROOFS.glob(f"{code}-*.md"):
        for case in parse_fixture(path.read_text(encoding="utf-8"), path.name).cases:
            if case.title in (f"Proof: {name}", f"Silent: {name}"):
                return case.files[0].text
    raise LookupError(f"fixtures/proofs has no section 'Proof: {name}' or 'Silent: {name}' for {code}")


def fixed(
    code: str,
    source: str,
    *,
    unsafe: bool = True,
    target_version: str = "py311",
    join_timeout: float | None = None,
    http_timeout: float | None = None,
) -> str:
    """Return what bglint's fix for the rule ``code`` alone makes of ``source``.

    Raises AssertionError when the fix fails or changes nothing, since a proof would then prove nothing.
    """
    options = Options(
        isolated=True,
        select=(code,),
        target_version=target_version,
        join_timeout=join_timeout,
        http_timeout=http_timeout,
    )
    result = fix_source(source, Path("app.py"), options=options, unsafe=unsafe)
    assert result.failure is None, result.failure
    assert result.text != source, f"no fix for {code} was applied"
    return result.text


def messages(code: str, source: str, fastapi_version: str) -> list[str]:
    """Return what the rule ``code`` says about ``source``, an application for that version of FastAPI."""
    options = Options(isolated=True, select=(code,), fastapi_version=fastapi_version)
    return [finding.message for finding in lint_source(source, Path("app.py"), options=options)]


def load(source: str) -> ModuleType:
    """Run ``source`` as a new module and return it."""
    module = ModuleType("app")
    exec(compile(source, "app.py", "exec"), module.__dict__)
    return module


@dataclass(frozen=True)
class Completed:
    """A request that is over: its response, and what the application has noted since it was sent."""

    response: httpx.Response
    notes: list[str]


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

    def notes(self) -> list[str]:
        """Return what the application has noted, in order: the rest of the lines that start with ``* ``."""
        return re.findall(r"^\* (.*)$", self.log(), re.MULTILINE)

    def complete(self, method: str, path: str, **arguments: Any) -> Completed:
        """Send a request and wait until it is over, its background tasks included.

        Raises AssertionError if that never comes.
        """
        end = f"OVER:     {path.partition('?')[0]}\n"
        ends_before, noted_before = self.log().count(end), len(self.notes())
        response = self.http.request(method, path, **arguments)
        self.wait_until(lambda: self.log().count(end) > ends_before, f"end of {method} {path}")
        return Completed(response, self.notes()[noted_before:])

    def own_lines(self) -> list[str]:
        """Return what the application itself has written, without uvicorn's lines."""
        return [line for line in self.log().splitlines() if not re.match(r"[A-Z]+: {5}", line)]

    def logged_failures(self) -> list[str]:
        """Return the log lines that introduce a traceback, in order."""
        return re.findall(r"^(.*)\nTraceback \(most recent call last\):$", self.log(), re.MULTILINE)


@contextlib.contextmanager
def serve(source: str, python: str = sys.executable, **environment: str) -> Iterator[Server]:
    """Run the application ``app`` of the module text ``source`` under uvicorn while the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "app.py").write_text(source, encoding="utf-8")
        with serve_from(Path(folder), "app:app", python, **environment) as server:
            yield server


@contextlib.contextmanager
def serve_from(folder: Path, app: str, python: str = sys.executable, **environment: str) -> Iterator[Server]:
    """Run ``app`` (``module:name`` below ``folder``) under the uvicorn of ``python`` on a free loopback port.

    Raises AssertionError when it does not start.
    """
    with tempfile.TemporaryDirectory() as scratch:
        log_file = Path(scratch, "log")
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [python, str(SERVE), app, str(folder)],
                cwd=scratch,
                env={
                    **os.environ,
                    "NO_PROXY": "*",
                    "PYTHONUNBUFFERED": "1",
                    "PYTHONDONTWRITEBYTECODE": "1",
                    **environment,
                },
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


class Gate:
    """A named pipe: whoever reads ``path`` waits, in one long system call, until the test opens the gate."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gate"
        self._write_end = -1
        os.mkfifo(self.path)

    def reached(self) -> bool:
        """Return whether somebody is reading; from then on, that reader waits for ``open``."""
        if self._write_end < 0:
            with contextlib.suppress(OSError):
                self._write_end = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        return self._write_end >= 0

    def open(self, text: str = "") -> None:
        """Let the reader go on, with ``text`` as what it has read. Nothing happens where nobody reads."""
        if self._write_end >= 0:
            os.write(self._write_end, text.encode())
            os.close(self._write_end)
            self._write_end = -1


@contextlib.contextmanager
def gate() -> Iterator[Gate]:
    """Make a gate that exists while the block lasts, and opens at its end."""
    with tempfile.TemporaryDirectory() as folder:
        closed = Gate(Path(folder))
        try:
            yield closed
        finally:
            closed.reached()
            closed.open()


@dataclass(frozen=True)
class Meanwhile:
    """Whether another request was answered while a slow one was at work, and the slow one's answer."""

    answered: bool
    answer: httpx.Response


def ask_meanwhile(
    server: Server,
    path: str,
    at_work: Callable[[], bool],
    finish: Callable[[], None],
    patience: float = PATIENCE,
) -> Meanwhile:
    """Ask for ``path``, and while that is ``at_work()``, for ``/health``; then ``finish()`` the work.

    The second request has ``patience`` seconds to be answered meanwhile, and is answered in the end in any case. Raises
    AssertionError where the work does not begin or end as it should.
    """
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(server.http.get, path)
        try:
            server.wait_until(lambda: at_work() or slow.done(), f"{path} at work")
            assert not slow.done(), slow.result()
            beside = pool.submit(server.http.get, "/health")
            answered = bool(wait([beside], patience).done)
            assert not slow.done(), "the slow request was over too early"
        finally:
            finish()
        beside.result(PATIENCE).raise_for_status()
        return Meanwhile(answered, slow.result(PATIENCE))


@dataclass(frozen=True)
class Script:
    """How a program ended: everything that it wrote, and its exit code, None where it had to be killed."""

    output: str
    exit_code: int | None


def run_script(source: str, seconds: float = PATIENCE, **environment: str) -> Script:
    """Run ``source`` as a program of its own, for ``seconds`` at most."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "app.py")
        script.write_text(source, encoding="utf-8")
        command = [sys.executable, str(script)]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                text=True,
            )
        except subprocess.TimeoutExpired as expired:
            return Script((expired.stdout or b"").decode(), None)
        return Script(done.stdout, done.returncode)
