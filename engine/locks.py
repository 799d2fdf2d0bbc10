"""Locks on files: one program at a time, and none outlives its process.

The system's own lock (`flock`) is let go of however a process ends. On a file system that has none (some network and
user-space ones), a file `NAME.owner` beside it says which process on which machine holds it: one of a dead process is
replaced; one from another machine can't be judged from here and counts as held, until somebody deletes it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import time
from pathlib import Path

from engine.regular_files import open_regular, read_regular

_HAS_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}
_TRIES, _SECONDS_BETWEEN = 5, 0.02
"""Somebody who only looks whether a lock is held, holds it himself for some microseconds."""
_MAX_OWNER_BYTES = 1000


def take(descriptor: int, path: Path) -> None:
    """Keep other programs out of the open file at `path`. Raises `BlockingIOError` where one is in it."""
    for tries_left in reversed(range(_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not tries_left:
                raise
            time.sleep(_SECONDS_BETWEEN)
        except OSError as error:
            if error.errno not in _HAS_NO_LOCKS:
                raise
            _sign(path)
            return
        else:
            return


def is_held(path: Path) -> bool:
    """Return whether a program, this one included, holds the lock of the file at `path`."""
    try:
        with open_regular(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        return error.errno in _HAS_NO_LOCKS and _is_signed_by_a_living(owner_path(path))
    return False


def let_go(path: Path) -> None:
    """Remove the owner's file, where this process has one; the system's lock goes with the descriptor."""
    owner = owner_path(path)
    with contextlib.suppress(OSError):
        if _signature_in(owner) == _signature():
            owner.unlink()


def owner_path(path: Path) -> Path:
    """Return the file that says who holds `path`, where the file system has no locks."""
    return path.with_name(path.name + ".owner")


def _signature() -> str:
    """Return which process this is, on which machine."""
    return f"{socket.gethostname()} {os.getpid()}\n"


def _signature_in(owner: Path) -> str:
    """Return what an owner's file says. Raises `OSError`."""
    return read_regular(owner, _MAX_OWNER_BYTES).decode(errors="replace")


def _sign(path: Path) -> None:
    """Make the owner's file. Raises `BlockingIOError` where there is one that counts."""
    owner = owner_path(path)
    if owner.exists() and not _is_signed_by_a_living(owner):
        owner.unlink(missing_ok=True)
    try:
        with owner.open("x") as file:
            file.write(_signature())
    except FileExistsError:
        raise BlockingIOError(errno.EWOULDBLOCK, f"held, as {owner} says") from None


def _is_signed_by_a_living(owner: Path) -> bool:
    """Return whether an owner's file is that of a process that lives, or may live on another machine."""
    try:
        host, _, process_id = _signature_in(owner).strip().rpartition(" ")
    except OSError:
        return False
    if host != socket.gethostname() or not process_id.isdecimal():
        return bool(host)
    try:
        os.kill(int(process_id), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
