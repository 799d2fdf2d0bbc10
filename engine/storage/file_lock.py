"""Exclusive locks on open files, by `flock`: the system releases one however its process ends. Never waits for long."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path

from engine.errors import StorageError
from engine.storage.safe_open import open_regular

_HAS_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}
_TRIES, _SECONDS_BETWEEN = 5, 0.02
"""`is_locked` holds a shared lock for some microseconds."""


def try_lock(descriptor: int) -> bool:
    """Lock an open file; False where another open file has the lock. Raises `OSError`.

    True also on a file system without locks, which can't keep another program out.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if tries_left:
                time.sleep(_SECONDS_BETWEEN)
        except OSError as error:
            if error.errno not in _HAS_NO_LOCKS:
                raise
            return True
        else:
            return True
    return False


def is_locked(path: Path) -> bool:
    """Return whether a program, this one included, has locked the file; False where it can't be opened."""
    try:
        with open_regular(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    return False


def is_same(path: Path, descriptor: int) -> bool:
    """Return whether a path names an open file. Raises `OSError` if that can't be determined."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except (FileNotFoundError, NotADirectoryError):
        return False


def in_use_error(path: Path) -> StorageError:
    """Return the error of a run whose journal another program has open."""
    run = path.parent.name
    return StorageError(
        f"The run {run} is active already.",
        f"Attach to it: tweetgen-tui attach {run}; or start a new run.",
    )
