"""The path of a run's socket, in the user's runtime folder, named by a hash of the run folder's path; who may connect.

Not in the data folder: that may be on a network, where sockets fail, and its path may be longer than a socket's limit.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import struct
import sys
import warnings
from pathlib import Path

import platformdirs

from engine.errors import StorageError
from engine.storage.files import is_locked
from engine.storage.folders import APP_NAME, RunFolder

_MAX_PATH_BYTES = 100
"""The limit is 104 on macOS, 108 on Linux, including the terminating zero."""
_SOL_LOCAL, _LOCAL_PEERCRED, _MAX_CREDENTIAL_BYTES = 0, 1, 128
"""Constants of macOS, from sys/un.h. A `struct xucred` begins with its version and the user id, and has 76 bytes."""


def runtime_folder() -> Path:
    """Return the folder of the user's sockets, which may not exist yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it falls back to the temporary folder by itself
        return Path(platformdirs.user_runtime_dir(APP_NAME, appauthor=False))


def socket_path(folder: RunFolder) -> Path:
    """Return the path of the socket of a run while the run is active."""
    digest = hashlib.sha256(os.fsencode(os.path.realpath(folder.path))).hexdigest()
    return runtime_folder() / f"{digest[:24]}.sock"


def is_active(folder: RunFolder) -> bool:
    """Return whether a process trains a run; delete the socket that a killed one left behind."""
    if is_locked(folder.journal_path):
        return True
    with contextlib.suppress(OSError):
        socket_path(folder).unlink()
    return False


def make_private_folder(path: Path) -> None:
    """Make a folder that only the user can access, or check that it is one. Raises `StorageError`."""
    if len(os.fsencode(path)) > _MAX_PATH_BYTES - len("/.sock") - 24:
        raise StorageError(f"{path} is too long a path for a socket.", "Set XDG_RUNTIME_DIR to a shorter folder.")
    try:
        for each in reversed((path, *path.parents)):  # `parents=True` would ignore the mode for the parents
            if not each.exists():
                each.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path} can't be made: {error.strerror or error}.") from error
    require_private(path)


def require_private(path: Path) -> None:
    """Raise `StorageError` where others can access a folder that exists: its sockets may be another user's."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise StorageError(
            f"{path} is not a folder that only you can use.", "Remove it, or set XDG_RUNTIME_DIR to another folder."
        )


def is_same_user(peer: socket.socket) -> bool:
    """Return whether the process that connected to a Unix socket ran as this process's user, whatever the file modes.

    Linux: SO_PEERCRED (unix(7)); macOS: LOCAL_PEERCRED (unix(4)), written without a Mac to test it on. On any other
    system, the modes of socket and folder alone decide.
    """
    user: int
    if sys.platform == "linux":
        _, user, _ = struct.unpack("iII", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    elif sys.platform == "darwin":
        _, user = struct.unpack_from("II", peer.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _MAX_CREDENTIAL_BYTES))
    else:
        return True
    return user == os.getuid()
