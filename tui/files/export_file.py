"""Writes an exported file, without replacing another one unasked. Blocks on the disk: call from a worker thread."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from engine.errors import StorageError
from engine.storage.files import new_file


def write_export(path: Path, parts: Iterable[bytes], *, may_replace: bool) -> None:
    """Write a file atomically, part by part. Raises what `check_export` does, and `StorageError` on other failures."""
    check_export(path, may_replace=may_replace)
    try:
        with new_file(path, mode=0o666) as new:
            for part in parts:
                new.write(part)
    except StorageError as error:
        raise StorageError(error.message, "Choose another folder.") from error


def check_export(path: Path, *, may_replace: bool) -> None:
    """Raise `FileExistsError` if the file exists and `may_replace` is false, `StorageError` without a folder for it."""
    if os.path.exists(path):
        if not os.path.isfile(path):
            raise StorageError(f"{path} is not a file.", "Choose another name.")
        if not may_replace:
            raise FileExistsError(path)
    if not os.path.isdir(path.parent):
        raise StorageError(f"{path} can't be written.", f"There is no folder {path.parent}.")
