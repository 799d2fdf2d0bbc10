"""Where the socket of a run lies: in the user's runtime folder, under a name made from the run folder's path.

The data folder may be on a network, where sockets don't work, and its path may be longer than a socket's may be.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import warnings
from pathlib import Path

import platformdirs

from engine.errors import StorageError
from engine.storage.file_lock import is_locked
from engine.storage.folders import APP_NAME, RunFolder

_MAX_PATH_BYTES = 100
"""A socket's path may have 104 on macOS, 108 on Linux, its end included."""


def runtime_folder() -> Path:
    """Return the folder of the user's sockets, which need not exist."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it falls back by itself to a folder in the temporary one
        return Path(platformdirs.user_runtime_dir(APP_NAME, appauthor=False))


def socket_path(folder: RunFolder) -> Path:
    """Return where the socket of a run lies while the run is on."""
    digest = hashlib.sha256(os.fsencode(os.path.realpath(folder.path))).hexdigest()
    return runtime_folder() / f"{digest[:24]}.sock"


def is_on(folder: RunFolder) -> bool:
    """Return whether a process trains a run; delete the socket of one that was killed."""
    if is_locked(folder.journal_path):
        return True
    with contextlib.suppress(OSError):
        socket_path(folder).unlink()
    return False


def private_folder(path: Path) -> None:
    """Make a folder for the user alone, or make sure that it is. Raises `StorageError`."""
    if len(os.fsencode(path)) > _MAX_PATH_BYTES - len("/.sock") - 24:
        raise StorageError(f"{path} is too long a path for a socket.", "Set XDG_RUNTIME_DIR to a shorter folder.")
    try:
        for each in reversed((path, *path.parents)):  # `parents=True` makes those above for everybody
            if not each.exists():
                each.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path} can't be made: {error.strerror or error}.") from error
    require_private(path)


def require_private(path: Path) -> None:
    """Raise `StorageError` where a folder that exists is not the user's alone: then its sockets may be another's."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise StorageError(
            f"{path} is not a folder that only you can use.", "Take it away, or set XDG_RUNTIME_DIR to another."
        )
