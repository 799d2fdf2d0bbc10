"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import os
import socket
import struct
import sys

_LOCAL_PEERCRED = 1
"""macOS and BSD: the option of the level 0 whose value is an `xucred`, version and user first."""
_BSD_CREDENTIALS = struct.Struct("II")
_LINUX_CREDENTIALS = struct.Struct("iII")
"""Process, user, group."""


def is_own(connection: socket.socket) -> bool:
    """Say whether the process at the other end is the same user's."""
    try:
        if sys.platform == "linux":
            size = _LINUX_CREDENTIALS.size
            _, user, _ = _LINUX_CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        else:
            _, user = _BSD_CREDENTIALS.unpack(connection.getsockopt(0, _LOCAL_PEERCRED, _BSD_CREDENTIALS.size))
    except OSError:
        return False
    return bool(user == os.getuid())
