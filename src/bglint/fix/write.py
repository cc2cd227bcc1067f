"""Writes a file so that it is, at every moment, either the old one or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path


def atomic_write(path: Path, data: bytes) -> None:
    """Put ``data`` in the place of an existing file's content; mode and, where allowed, ownership stay.

    A symbolic link stays one: the file that it points to is replaced. Raises OSError, with the file as it was and
    nothing left beside it, when the file may not be written or anything goes wrong.
    """
    target = Path(os.path.realpath(path))
    status = target.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    # Renaming over a file asks for no right to write it: without this, a protected file would change all the same.
    if not status.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only", str(path))
    # In the same folder, because only within one file system is replacing a single step. The name is chosen
    # before the file exists, so that an interrupt right after its creation can still remove it.
    temporary = target.with_name(f".bglint-{secrets.token_hex(8)}.tmp")
    try:
        _create(temporary, data, path)
        _copy_owner_and_mode(status, temporary)
        os.replace(temporary, target)
    except BaseException:  # Ctrl-C too: whatever happens, no half-written file stays behind
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_folder(target.parent)


def _create(temporary: Path, data: bytes, path: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(temporary, flags, 0o600)
    except OSError as error:
        reason = f"no file can be made in its folder ({error.strerror})"
        raise OSError(error.errno, reason, str(path)) from error
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _copy_owner_and_mode(status: os.stat_result, temporary: Path) -> None:
    if hasattr(os, "chown"):
        try:
            os.chown(temporary, status.st_uid, status.st_gid)
        except PermissionError:
            # Only root gives files away; the group at least may be one of ours.
            with contextlib.suppress(PermissionError):
                os.chown(temporary, -1, status.st_gid)
    os.chmod(temporary, stat.S_IMODE(status.st_mode))  # after chown, which takes setuid bits away


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the system has a way to ask for that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
