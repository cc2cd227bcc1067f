"""The pool: one result per file in the order of the files, whatever happens to the processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bglint
from bglint.jobs import _groups, run, suitable

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

FILES = [Path(f"file{number}.py") for number in range(40)]


def name_and_process(file: Path) -> tuple[str, int]:
    return file.name, os.getpid()


def unexpected(file: Path, how: str) -> tuple[str, int]:
    raise AssertionError(f"{file} {how}")


@pytest.mark.parametrize("jobs", [1, 2, 3, 8, 100])
def test_results_come_in_the_order_of_the_files(jobs: int) -> None:
    results = run(name_and_process, FILES, jobs, unexpected)
    assert [name for name, _ in results] == [file.name for file in FILES]


def test_no_files_no_results() -> None:
    assert run(name_and_process, [], 4, unexpected) == []


def test_one_job_is_this_process() -> None:
    assert {process for _, process in run(name_and_process, FILES, 1, unexpected)} == {os.getpid()}


def test_more_jobs_are_other_processes() -> None:
    def slowly(file: Path) -> tuple[str, int]:
        time.sleep(0.01)  # long enough for the other process to get its share
        return name_and_process(file)

    processes = {process for _, process in run(slowly, FILES, 2, unexpected)}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_files_that_belong_together_are_done_by_one_process() -> None:
    groups = [FILES[start::5] for start in range(5)]
    results = run(name_and_process, FILES, 2, unexpected, together=groups)
    assert [name for name, _ in results] == [file.name for file in FILES]
    processes = {file: process for file, (_, process) in zip(FILES, results, strict=True)}
    assert all(len({processes[file] for file in group}) == 1 for group in groups)


def test_no_process_is_left_behind() -> None:
    run(name_and_process, FILES, 3, unexpected)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_large_results_arrive_whole() -> None:
    results = run(lambda file: file.name * 100_000, FILES, 3, lambda file, how: how)
    assert results == [file.name * 100_000 for file in FILES]


@pytest.mark.parametrize("jobs", [2, 4])
@pytest.mark.parametrize("deadly", [{7}, {0, 1, 2, 3, 4, 5}, {39}, set(range(40))])
def test_a_process_that_dies_costs_the_file_it_was_on(jobs: int, deadly: set[int]) -> None:
    def crash(file: Path) -> str:
        if FILES.index(file) in deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return file.name

    results = run(crash, FILES, jobs, lambda file, how: f"{file.name} {how}")
    assert results == [
        f"{file.name} killed by SIGKILL" if number in deadly else file.name for number, file in enumerate(FILES)
    ]


def test_a_process_that_leaves_costs_its_file_too() -> None:
    def leave(file: Path) -> str:
        if file.name == "file3.py":
            os._exit(9)
        return file.name

    results = run(leave, FILES, 2, lambda file, how: how)
    assert results == ["ended with exit code 9" if file.name == "file3.py" else file.name for file in FILES]


def test_what_the_work_raises_is_raised_here() -> None:
    def fail(file: Path) -> str:
        raise LookupError(file.name)

    with pytest.raises(LookupError, match=r"file\d+\.py"):
        run(fail, FILES, 2, lambda file, how: how)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_an_exception_that_cannot_travel_arrives_as_text() -> None:
    def fail(file: Path) -> str:
        raise LookupError(lambda: None)

    with pytest.raises(RuntimeError, match="LookupError"):
        run(fail, FILES, 2, lambda file, how: how)


@pytest.mark.parametrize("pause", [0, 0.3])  # while a process starts, too
def test_an_interrupt_ends_every_process(tmp_path: Path, pause: float) -> None:
    program = f"""
        import os, time
        from pathlib import Path
        from bglint.jobs import run

        fork = os.fork

        def slow_fork():
            child = fork()
            time.sleep({pause} if child else 0)
            return child

        os.fork = slow_fork

        def work(file):
            Path(f"started-{{os.getpid()}}").touch()
            time.sleep(60)

        try:
            run(work, [Path("a"), Path("b")], 2, lambda file, how: None)
        except KeyboardInterrupt:
            print("interrupted")
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(bglint.__file__).parent.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(started := list(tmp_path.glob("started-*"))) < 2:
        assert process.poll() is None, process.stderr
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("interrupted\n", "")
    for path in started:
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.name.removeprefix("started-")), 0)


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=300), st.integers(1, 500))
@settings(max_examples=100)
def test_every_file_is_in_one_group_and_the_groups_fit_into_a_pipe(sizes: list[int], jobs: int) -> None:
    pending = sorted(range(len(sizes)), key=lambda index: -sizes[index])
    groups = _groups(pending, sizes, jobs)
    assert [index for group in groups for index in group] == pending
    assert all(groups)
    assert len(groups) <= 2_048 or len(groups) == len(sizes)


class TestSuitable:
    def test_few_small_files_are_not_worth_a_second_process(self, tmp_path: Path) -> None:
        file = tmp_path / "a.py"
        file.write_text("x = 1\n")
        assert suitable([file] * 10) == 1

    def test_a_missing_file_is_a_small_file(self, tmp_path: Path) -> None:
        assert suitable([tmp_path / "nothing.py"]) == 1

    def test_much_source_takes_all_cores(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "a.py"
        file.write_bytes(b"#" * 1_000_000)
        monkeypatch.setattr("bglint.jobs._cores", lambda: 4)
        assert suitable([file]) == 2
        assert suitable([file] * 10) == 4
