"""A file being written is, at every moment, the old one or the new one."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bglint.fix.write import atomic_write

OLD, NEW = b"old\r\n", b"new \xff\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_bytes(OLD)
    return path


def only_file(file: Path) -> bool:
    return os.listdir(file.parent) == [file.name]


def test_the_bytes_are_written_as_they_are(file: Path) -> None:
    atomic_write(file, NEW)
    assert file.read_bytes() == NEW
    assert only_file(file)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o664])
def test_the_mode_stays(file: Path, mode: int) -> None:
    file.chmod(mode)
    atomic_write(file, NEW)
    assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_stays(file: Path) -> None:
    os.chown(file, 12345, 54321)
    atomic_write(file, NEW)
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 54321)


def test_an_owner_that_cannot_be_kept_is_no_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    atomic_write(file, NEW)
    assert file.read_bytes() == NEW


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "one.py").symlink_to(file)
    (folder / "two.py").symlink_to("one.py")
    atomic_write(folder / "two.py", NEW)
    assert os.readlink(folder / "two.py") == "one.py"
    assert os.readlink(folder / "one.py") == str(file)
    assert file.read_bytes() == NEW


@pytest.mark.parametrize("step", ["open", "fsync", "chmod", "replace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), OSError(28, "No space left on device")])
def test_an_interrupt_at_any_step_leaves_the_old_file_alone(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    interrupt(monkeypatch, step, error, before=True)
    with pytest.raises(type(error)):
        atomic_write(file, NEW)
    monkeypatch.undo()
    assert file.read_bytes() == OLD
    assert only_file(file)


@pytest.mark.parametrize("step", ["open", "fsync", "chmod", "replace"])
def test_an_interrupt_right_after_any_step_leaves_a_whole_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    interrupt(monkeypatch, step, KeyboardInterrupt(), before=False)
    with pytest.raises(KeyboardInterrupt):
        atomic_write(file, NEW)
    monkeypatch.undo()
    assert file.read_bytes() == (NEW if step == "replace" else OLD)
    assert only_file(file)


def interrupt(monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException, *, before: bool) -> None:
    real: Callable[..., object] = getattr(os, step)

    def interrupted(*args: object, **kwargs: object) -> None:
        if not before:
            real(*args, **kwargs)
        raise error

    monkeypatch.setattr(os, step, interrupted)


def test_a_read_only_file_is_refused_by_its_name(file: Path) -> None:
    file.chmod(0o444)
    with pytest.raises(PermissionError, match="the file is read-only") as caught:
        atomic_write(file, NEW)
    assert caught.value.filename == str(file)
    assert file.read_bytes() == OLD


def test_a_folder_that_takes_no_files_is_named_as_the_reason(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Simulated: root, as which tests may run, writes to read-only folders too.
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match=r"no file can be made in its folder \(Permission denied\)") as caught:
        atomic_write(file, NEW)
    assert caught.value.filename == str(file)


@pytest.mark.parametrize(("name", "error"), [("missing.py", FileNotFoundError), (".", OSError)])
def test_only_a_file_that_is_there_can_be_replaced(tmp_path: Path, name: str, error: type[OSError]) -> None:
    with pytest.raises(error):
        atomic_write(tmp_path / name, NEW)
    assert os.listdir(tmp_path) == []
