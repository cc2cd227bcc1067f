"""While a coroutine waits for a mail server, no other request is answered; with the exchange in a thread, they are."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from harness import LONG_ENOUGH, PATIENCE, ask_meanwhile, fixture_app, serve

pytestmark = pytest.mark.proof
BLOCKING = fixture_app("BGL409", "the other requests wait")
IN_A_THREAD = fixture_app("BGL409", "the whole exchange in a thread")
ANSWERS = {"/smtp": "250", "/socket": "220 ready"}


@dataclass(frozen=True)
class MailServer:
    """A mail server that greets a client only when it ``may_greet``."""

    port: int
    connected: threading.Event = field(default_factory=threading.Event)
    may_greet: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def mail_server() -> Iterator[MailServer]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            mail.connected.set()
            mail.may_greet.wait(PATIENCE)
            self.wfile.write(b"220 ready\r\n")
            for line in self.rfile:
                self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 fine\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        mail = MailServer(server.server_address[1])
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield mail
        finally:
            mail.may_greet.set()
            server.shutdown()


def answered_meanwhile(source: str, path: str, patience: float = PATIENCE) -> bool:
    """Whether another request is answered while the mail server keeps the first one waiting."""
    with mail_server() as mail, serve(source, PORT=str(mail.port)) as server:
        meanwhile = ask_meanwhile(server, path, mail.connected.is_set, mail.may_greet.set, patience)
    assert meanwhile.answer.json() == ANSWERS[path]
    return meanwhile.answered


@pytest.mark.parametrize("path", ANSWERS)
def test_another_request_is_answered_while_the_server_is_silent_once_that_is_in_a_thread(path: str) -> None:
    assert not answered_meanwhile(BLOCKING, path, LONG_ENOUGH)
    assert answered_meanwhile(IN_A_THREAD, path)
