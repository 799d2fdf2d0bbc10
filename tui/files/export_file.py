"""Writes an exported file, without replacing another one unasked. Blocks on the disk: call from a worker thread."""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import StorageError
from engine.storage.atomic_write import write_atomically


def write_export(path: Path, content: bytes, *, may_replace: bool) -> None:
    """Write a file atomically.

    Raises `FileExistsError` if the file exists and `may_replace` is false, `StorageError` if it can't be written.
    """
    if os.path.exists(path):
        if not os.path.isfile(path):
            raise StorageError(f"{path} is not a file.", "Choose another name.")
        if not may_replace:
            raise FileExistsError(path)
    if not os.path.isdir(path.parent):
        raise StorageError(f"{path} can't be written.", f"There is no folder {path.parent}.")
    try:
        write_atomically(path, content, mode=0o666)
    except StorageError as error:
        raise StorageError(error.message, "Choose another folder.") from error
