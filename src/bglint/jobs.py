"""Many files in forked processes: big files first, results in the order of the files, a dead process costs one file.

A pipe that holds the numbers of all groups of files is the queue: whoever reads a number works on that group. So
nobody waits to be given work, and the parent only collects.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

_WORTH_A_PROCESS = 400_000  # bytes: what is read in the time that a fork takes
_FILE_OVERHEAD = 2_000  # bytes: what is read in the time that opening a file takes
_GROUPS_PER_JOB = 16
_MOST_GROUPS = 2_048  # their numbers must fit into a pipe at once
_NUMBER = 4  # bytes
_GROUP, _DONE, _RAISED = range(3)


def run(
    work: Callable[[Path], T],
    files: Sequence[Path],
    jobs: int,
    died: Callable[[Path, str], T],
    progress: Callable[[int], None] = lambda done: None,
    together: Sequence[Sequence[Path]] = (),
) -> list[T]:
    """Return ``work(file)`` for every file, in their order, from up to ``jobs`` processes.

    The result of a file on which a process dies is ``died(file, how)``, where ``how`` is a phrase such as "killed by
    SIGSEGV". One job, or a system that cannot fork, means this very process. ``progress`` is told how many files are
    done. ``together`` are all files in groups of which each is best done by one process. Raises what ``work`` raises.
    """
    jobs = min(jobs, len(files))
    if jobs <= 1 or not hasattr(os, "fork"):
        return _one_by_one(work, files, progress, together or [files])
    sizes = [_size(file) for file in files]
    results: dict[int, T] = {}
    pending = sorted(range(len(files)), key=lambda index: (-sizes[index], index))
    while pending:
        is_given = 0 < len(together) <= _MOST_GROUPS
        groups = _given_groups(together, files, pending) if is_given else _groups(pending, sizes, jobs)
        finished, lost = _round(lambda index: work(files[index]), groups, min(jobs, len(groups)), progress)
        if not finished and not lost:
            return [results[i] if i in results else work(file) for i, file in enumerate(files)]
        results |= finished
        results |= {index: died(files[index], how) for index, how in lost.items()}
        pending = [index for index in pending if index not in results]
    return [results[index] for index in range(len(files))]


def _one_by_one(
    work: Callable[[Path], T],
    files: Sequence[Path],
    progress: Callable[[int], None],
    together: Sequence[Sequence[Path]],
) -> list[T]:
    results: dict[Path, T] = {}
    for done, file in enumerate(chain.from_iterable(together), 1):
        results[file] = work(file)
        progress(done)
    return [results[file] for file in files]


def suitable(files: Iterable[Path]) -> int:
    """Return how many processes are worth their price for ``files``: as many as cores for many, one for few."""
    total = sum(map(_size, files))
    return max(1, min(_cores(), total // _WORTH_A_PROCESS))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # those that this process may use
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _size(file: Path) -> int:
    try:
        return os.stat(file).st_size + _FILE_OVERHEAD
    except OSError:
        return _FILE_OVERHEAD


def _groups(pending: Sequence[int], sizes: Sequence[int], jobs: int) -> list[list[int]]:
    """Return the files, biggest first, in groups of about the same size: a number is read once per group."""
    enough = sum(sizes[index] for index in pending) / min(jobs * _GROUPS_PER_JOB, _MOST_GROUPS)
    groups: list[list[int]] = []
    filled = enough
    for index in pending:
        if filled >= enough:
            groups.append([])
            filled = 0.0
        groups[-1].append(index)
        filled += sizes[index]
    return groups


def _given_groups(together: Sequence[Sequence[Path]], files: Sequence[Path], pending: Sequence[int]) -> list[list[int]]:
    """Return the pending files in the given groups, those groups first in which the biggest files are."""
    group_of = {file: number for number, group in enumerate(together) for file in group}
    groups: dict[int, list[int]] = {}
    for index in pending:
        groups.setdefault(group_of[files[index]], []).append(index)
    return list(groups.values())


@dataclass(eq=False, slots=True)
class _Worker:
    """A process seen from its parent; ``group`` is what it announced last, ``buffer`` an incomplete message."""

    pid: int
    output: int
    group: list[int] = field(default_factory=list)
    buffer: bytearray = field(default_factory=bytearray)


def _round(
    work: Callable[[int], T], groups: list[list[int]], jobs: int, progress: Callable[[int], None]
) -> tuple[dict[int, T], dict[int, str]]:
    """Work on the groups until no process is left: the results, and how processes ended by the file they died on."""
    queue, end = os.pipe()
    os.write(end, b"".join(number.to_bytes(_NUMBER, "little") for number in range(len(groups))))
    os.close(end)
    workers: list[_Worker] = []
    results: dict[int, T] = {}
    try:
        # An interrupt waits until every process is known: none outlives this one. An OSError means that there are no
        # more processes for us: those that we have will do.
        with _interrupts_held(), suppress(OSError):
            for _ in range(jobs):
                workers.append(_fork(work, groups, queue))  # noqa: PERF401 (those before an error count)
        _collect(workers, groups, results, progress)
    except BaseException:
        for worker in workers:
            os.kill(worker.pid, signal.SIGINT)
        raise
    finally:
        os.close(queue)
        codes = [_ended(worker) for worker in workers]
    lost: dict[int, str] = {}
    for worker, code in zip(workers, codes, strict=True):
        unfinished = [index for index in worker.group if index not in results]
        if code and unfinished:
            lost[unfinished[0]] = _how(code)
    return results, lost


@contextmanager
def _interrupts_held() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ended(worker: _Worker) -> int:
    os.close(worker.output)
    return os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])


def _how(code: int) -> str:
    try:
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    except ValueError:
        return f"killed by signal {-code}"


def _collect(
    workers: Sequence[_Worker], groups: list[list[int]], results: dict[int, Any], progress: Callable[[int], None]
) -> None:
    """Take messages until every worker has closed its end."""
    open_workers = {worker.output: worker for worker in workers}
    poll = select.poll()
    for output in open_workers:
        poll.register(output, select.POLLIN)
    while open_workers:
        for output, _ in poll.poll():
            data = os.read(output, 1 << 16)
            if not data:
                poll.unregister(output)
                del open_workers[output]
                continue
            worker = open_workers[output]
            worker.buffer += data
            for kind, number, value in _messages(worker.buffer):
                if kind == _GROUP:
                    worker.group = groups[number]
                elif kind == _DONE:
                    results[number] = value
                    progress(len(results))
                else:
                    raise value


def _messages(buffer: bytearray) -> Iterator[tuple[int, int, Any]]:
    """Take the complete messages out of ``buffer``."""
    while len(buffer) >= _NUMBER:
        end = _NUMBER + int.from_bytes(buffer[:_NUMBER], "little")
        if len(buffer) < end:
            return
        message = bytes(buffer[_NUMBER:end])
        del buffer[:end]
        yield pickle.loads(message)


def _fork(work: Callable[[int], Any], groups: list[list[int]], queue: int) -> _Worker:
    output, end = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(output)
        os.close(end)
        raise
    if pid == 0:
        os.close(output)
        _serve(work, groups, queue, end)
    os.close(end)
    return _Worker(pid, output)


def _serve(work: Callable[[int], Any], groups: list[list[int]], queue: int, end: int) -> NoReturn:
    """Be a worker. It leaves by ``_exit``: what the parent has yet to print or to clean up is the parent's."""
    code = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        while record := os.read(queue, _NUMBER):
            number = int.from_bytes(record, "little")
            _send(end, (_GROUP, number, None))
            for index in groups[number]:
                _send(end, _answer(work, index))
        code = 0
    except (KeyboardInterrupt, BrokenPipeError):  # the parent knows, or is gone
        code = 130
    finally:
        os._exit(code)


def _answer(work: Callable[[int], Any], index: int) -> tuple[int, int, Any]:
    try:
        return (_DONE, index, work(index))
    except Exception as error:
        return (_RAISED, index, error)


def _send(end: int, message: tuple[int, int, Any]) -> None:
    try:
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # an exception that cannot travel
        _, number, value = message
        data = pickle.dumps((_RAISED, number, RuntimeError(f"{value!r} ({error})")), pickle.HIGHEST_PROTOCOL)
    view = memoryview(len(data).to_bytes(_NUMBER, "little") + data)
    while view:
        view = view[os.write(end, view) :]
