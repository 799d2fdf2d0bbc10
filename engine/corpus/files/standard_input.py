"""Saves standard input and pipes as files named by their SHA-256, so that a run can be resumed later."""

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
from engine.storage.files import new_file, remove_stale_temporaries

MAX_STREAM_BYTES = 16 << 30
SHOWN = "standard input"
_CHUNK_BYTES = 1 << 20
_STALE_SECONDS = 24 * 3600.0
_KEPT_NAME = re.compile(r"standard-input-[0-9a-f]{64}")


def save_stream(stream: BinaryIO, folder: Path, pipe: Path | None = None) -> Path:
    """Copy a stream into a file in `folder`, named by its SHA-256; return its path. Equal content is stored once.

    `stream` is standard input, or that of `pipe`. Raises `CorpusError` if it is empty or too long, `StorageError` if
    the folder can't be written; neither leaves a file.
    """
    if stream.isatty():
        raise CorpusError("Standard input is a terminal, not a pipe.", "Pipe tweets into the program, or give a file.")
    remove_stale_temporaries(folder, _STALE_SECONDS)
    digest = hashlib.sha256()
    with new_file(folder / "standard-input") as new:
        for chunk in _chunks(stream, pipe):
            digest.update(chunk)
            new.write(chunk)
        new.path = folder / f"standard-input-{digest.hexdigest()}"
    return new.path


def _chunks(stream: BinaryIO, pipe: Path | None) -> Iterator[bytes]:
    """Yield the content of standard input or a pipe. Raises `CorpusError` if it is empty or too long."""
    num_bytes = 0
    while chunk := _read(stream, pipe or Path(SHOWN)):
        num_bytes += len(chunk)
        if num_bytes > MAX_STREAM_BYTES:
            raise CorpusError(
                f"{pipe or 'Standard input'} has more than {MAX_STREAM_BYTES >> 30} GB.",
                "Save it as a file and give that.",
            )
        yield chunk
    if not num_bytes and pipe is not None:
        raise CorpusError(
            f"{pipe} is a pipe to which no program writes.",
            "Start the program that writes to it first, or check that it has output.",
        )
    if not num_bytes:
        raise CorpusError("Standard input is empty.", "Pipe in one tweet per row.")


def _read(stream: BinaryIO, path: Path) -> bytes:
    """Return the next bytes of a stream; b"" at its end."""
    with read_errors(path):
        return stream.read(_CHUNK_BYTES)


def with_saved_streams(files: tuple[str, ...], stream: BinaryIO, folder: Path) -> tuple[str, ...]:
    """Return `files` with "-" and every pipe (`<(command)`) replaced by a copy in `folder`.

    `stream` is standard input. A pipe without a writer is an error; the call never blocks on it.
    """
    kept: dict[str, str] = {}
    for file in files:
        path = Path(os.path.expanduser(file))
        if file in kept:
            continue
        if file == STANDARD_INPUT:
            kept[file] = str(save_stream(stream, folder))
        elif _is_pipe(path):
            with _open_pipe(path) as pipe:
                kept[file] = str(save_stream(pipe, folder, path))
    return tuple(kept.get(file, file) for file in files)


def _is_pipe(path: Path) -> bool:
    """Return whether a path is a pipe; False on an error, which opening the path will report."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _open_pipe(path: Path) -> BinaryIO:
    """Open a pipe for reading without waiting for a writer."""
    with read_errors(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")


def shown_path(path: Path) -> str:
    """Return a path for display; a copy of standard input is shown as such."""
    return SHOWN if _KEPT_NAME.fullmatch(path.name) else str(path)
