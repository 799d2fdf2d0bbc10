"""The lock that keeps a second lesson out: both would train, replace and remove the same runs."""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import StorageError
from engine.storage.files import is_locked, storage_errors, try_lock
from tui.lesson.progress import lesson_home


def lock_lesson() -> int:
    """Keep other processes out of the lesson until this one ends, or the returned descriptor is closed.

    Raises `StorageError`, also if another process has the lesson open.
    """
    path = _lock_path()
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not try_lock(descriptor):
            os.close(descriptor)
            raise lesson_open_error()
    return descriptor


def is_lesson_open() -> bool:
    """Return whether a process has the lesson open."""
    return is_locked(_lock_path())


def lesson_open_error() -> StorageError:
    """Return the error of a lesson that another process has open."""
    hint = "Go on there, or leave it there with q and open it here again."
    return StorageError("The lesson is open in another terminal.", hint)


def _lock_path() -> Path:
    return lesson_home() / "lock"
