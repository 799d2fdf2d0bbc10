"""Standard input and pipes, kept as a file that is named by its content: a run can then go on another day."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from engine.config.corpus import STANDARD_INPUT
from engine.corpus.files.disk_file import read_errors
from engine.errors import CorpusError
from engine.storage.atomic_write import new_file, remove_stale_temporaries

MAX_KEPT_BYTES = 16 << 30
SHOWN = "standard input"
_CHUNK_BYTES = 1 << 20
_STALE_SECONDS = 24 * 3600.0
_KEPT_NAME = re.compile(r"standard-input-[0-9a-f]{64}")


def keep(stream: BinaryIO, folder: Path) -> Path:
    """Copy a stream to its end into a file in `folder`, called by its SHA-256, and return that.

    The same content is kept once. Raises `CorpusError` where nothing or no end comes, `StorageError` where the folder
    can't be written; then nothing is left behind.
    """
    if stream.isatty():
        raise CorpusError("Nothing is piped in: standard input is the keyboard.", "Pipe tweets in, or name a file.")
    remove_stale_temporaries(folder, _STALE_SECONDS)
    digest = hashlib.sha256()
    with new_file(folder / "standard-input") as new:
        for chunk in _chunks(stream):
            digest.update(chunk)
            new.write(chunk)
        new.path = folder / f"standard-input-{digest.hexdigest()}"
    return new.path


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Return what comes out of a stream. Raises `CorpusError` where that is nothing or too much."""
    num_bytes = 0
    while chunk := _read(stream):
        num_bytes += len(chunk)
        if num_bytes > MAX_KEPT_BYTES:
            raise CorpusError(
                f"More than {MAX_KEPT_BYTES >> 30} GB came from standard input.", "Save it as a file and name that."
            )
        yield chunk
    if not num_bytes:
        raise CorpusError("Standard input is empty.", "Pipe in one tweet per row.")


def _read(stream: BinaryIO) -> bytes:
    """Return the next bytes of a stream, none at its end."""
    with read_errors(Path(SHOWN)):
        return stream.read(_CHUNK_BYTES)


def kept_files(files: tuple[str, ...], stream: BinaryIO, folder: Path) -> tuple[str, ...]:
    """Return the files that were named, with "-" and every pipe (`<(command)`) kept in `folder` and replaced by that.

    `stream` is standard input. A pipe that nobody writes to is empty rather than waited for.
    """
    kept: dict[str, str] = {}
    for file in files:
        path = Path(os.path.expanduser(file))
        if file in kept:
            continue
        if file == STANDARD_INPUT:
            kept[file] = str(keep(stream, folder))
        elif _is_pipe(path):
            with _open_pipe(path) as pipe:
                kept[file] = str(keep(pipe, folder))
    return tuple(kept.get(file, file) for file in files)


def _is_pipe(path: Path) -> bool:
    """Say whether a path is a pipe; what can't be looked at is none, and is told about when it is opened."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _open_pipe(path: Path) -> BinaryIO:
    """Open a pipe for reading without waiting for somebody to write to it."""
    with read_errors(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")


def shown_path(path: Path) -> str:
    """Return what a file is called before a person: its path, or where it came from if it was kept."""
    return SHOWN if _KEPT_NAME.fullmatch(path.name) else str(path)
