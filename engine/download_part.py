"""The part of a download that has come so far, beside the name that the whole file will have.

    NAME.part          the bytes from the first on
    NAME.part.json     the address they came from, and what its server called that version of the file

The final name is taken by a rename, after the checksum: at no moment does it hold anything but the whole file.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from engine.folders import storage_errors, write_atomically

MAX_VALIDATOR_CHARS = 200


class _Origin(msgspec.Struct):
    """Where a part came from."""

    url: str
    validator: str


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, read piece by piece. Raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


class Part:
    """A part that is open for appending; what it holds stays when it is closed. All methods raise `StorageError`."""

    def __init__(self, final_path: Path) -> None:
        """Prepare the part of the file that will be called `final_path`; makes nothing on disk before it is entered."""
        self.path = final_path.with_name(final_path.name + ".part")
        self.size = 0
        """Bytes that it holds."""
        self.is_patchwork = False
        """Whether its bytes came in more than one answer, so that they may belong to two versions of the file."""
        self._final_path = final_path
        self._origin_path = final_path.with_name(final_path.name + ".part.json")
        self._file: BinaryIO

    def __enter__(self) -> Self:
        """Open what an earlier attempt left, or begin."""
        with storage_errors(self.path):
            self._file = self.path.open("ab")
            self.size = self._file.tell()
        self.is_patchwork = self.size > 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; an empty one goes."""
        with storage_errors(self.path):
            self._file.close()
            if self.size == 0:
                self._remove()

    def append(self, chunk: bytes) -> None:
        """Add bytes at the end."""
        with storage_errors(self.path):
            self._file.write(chunk)
        self.size += len(chunk)

    def restart(self) -> None:
        """Forget all that it holds."""
        with storage_errors(self.path):
            self._file.truncate(0)
            self._origin_path.unlink(missing_ok=True)
        self.size = 0
        self.is_patchwork = False

    def remember_origin(self, url: str, validator: str) -> None:
        """Keep what the server at `url` calls this version, an ETag or a date: the rest must be of the same."""
        if _is_usable(validator):
            write_atomically(self._origin_path, msgspec.json.encode(_Origin(url, validator)))

    def validator_for(self, url: str) -> str:
        """Return what the server at `url` called the version that this is a part of; empty where nothing is known."""
        try:
            origin = msgspec.json.decode(self._origin_path.read_bytes(), type=_Origin)
        except (
            OSError,
            msgspec.MsgspecError,
            UnicodeDecodeError,
        ):  # a hint that is lost costs nothing: there is a checksum
            return ""
        return origin.validator if origin.url == url and _is_usable(origin.validator) else ""

    def digest(self) -> str:
        """Return the MD5 of what has reached the disk."""
        with storage_errors(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
            return md5_of(self.path)

    def finish(self) -> None:
        """Give it the final name.

        A power loss may undo the rename, not the content: the next attempt finds the whole part and renames it.
        """
        with storage_errors(self._final_path):
            os.replace(self.path, self._final_path)
            self._origin_path.unlink(missing_ok=True)

    def _remove(self) -> None:
        """Take it off the disk."""
        self.path.unlink(missing_ok=True)
        self._origin_path.unlink(missing_ok=True)


def _is_usable(validator: str) -> bool:
    """Return whether this can be sent back in a header line."""
    return 0 < len(validator) <= MAX_VALIDATOR_CHARS and validator.isascii() and validator.isprintable()
