"""Connects to the socket of an active run, and reads its greeting."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import BinaryIO

from engine.errors import RemoteError, StorageError
from engine.protocol.codec import DecodeError
from engine.storage.folders import RunFolder
from tui.remote.protocol import MAX_CLIENT_LINE_BYTES, Greeting, Refusal, message_in
from tui.remote.socket_path import is_active, require_private, socket_path

_SECONDS = 2.0
"""A host answers far sooner, however busy its cores are."""
_RETRY_SECONDS = 0.1
_SILENT = "it does not answer"
OTHER_VERSION = "it runs another version of tweetgen-tui"
"""Why a client can't decode what the host sends at first."""


@contextlib.contextmanager
def connected(folder: RunFolder, seconds: float = _SECONDS) -> Iterator[tuple[socket.socket, Greeting, BinaryIO]]:
    """Connect to a run: yield the socket, the host's greeting, and the lines that follow it. Raises `RemoteError`.

    Retry for `seconds` while the run is active and can't be reached: its socket may have been deleted.
    """
    deadline = time.monotonic() + seconds
    with _connect(folder, deadline) as connection, connection.makefile("rb") as lines:
        greeting = _greeting(lines, folder)
        connection.settimeout(None)
        yield connection, greeting, lines


def _connect(folder: RunFolder, deadline: float) -> socket.socket:
    """Return a socket connected to the run's. Raises `RemoteError`."""
    path = socket_path(folder)
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            require_private(path.parent)
            connection.settimeout(_SECONDS)
            connection.connect(str(path))
        except StorageError as error:
            connection.close()
            raise RemoteError(error.message, error.hint) from None
        except OSError as error:
            connection.close()
            if not is_active(folder):
                hint = f"Continue it: tweetgen-tui --resume {folder.name}"
                raise RemoteError(f"The run {folder.name} is not active.", hint) from None
            if time.monotonic() > deadline:
                detail = f"The run {folder.name} is active, but can't be reached: {error}."
                raise RemoteError(detail, "Its log may have details.") from None
            time.sleep(_RETRY_SECONDS)
        else:
            return connection


def _greeting(lines: BinaryIO, folder: RunFolder) -> Greeting:
    """Return the host's first line. Raises `RemoteError`."""
    problem = _SILENT
    try:
        line = lines.readline(MAX_CLIENT_LINE_BYTES)
        if line.endswith(b"\n"):
            return _decode_greeting(line)
    except OSError as error:
        problem = error.strerror or problem
    except DecodeError as error:
        problem = str(error)
    raise RemoteError(
        f"The run {folder.name} can't be attached to: {problem}.",
        "If it was stopped by ctrl+z, fg in its terminal resumes it." if problem == _SILENT else "",
    )


def _decode_greeting(line: bytes) -> Greeting:
    """Return the greeting in a line. Raises `DecodeError` with a message for the user."""
    try:
        message = message_in(line)
    except DecodeError as error:
        raise DecodeError(OTHER_VERSION) from error
    if isinstance(message, Greeting):
        return message
    raise DecodeError(message.reason.rstrip(".") if isinstance(message, Refusal) else "it sent no greeting")


def read_greeting(folder: RunFolder) -> Greeting | None:
    """Return the greeting of a run; None where it is not active or does not answer."""
    if not is_active(folder):
        return None
    try:
        with connected(folder) as (_, greeting, _):
            return greeting
    except RemoteError:
        return None
