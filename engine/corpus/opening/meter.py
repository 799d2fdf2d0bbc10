"""`Meter`: how far reading is, in raw (compressed) bytes, cheap enough to be told at every read."""

from __future__ import annotations


class Meter:
    """Counts the raw bytes read, part by part, against those there are.

    Bytes read outside a part (to recognise a format, to list an archive) count for nothing, and a part that is left
    early, skipped over or read twice still counts once: the share only grows.
    """

    def __init__(self) -> None:
        """Begin with nothing to read."""
        self.total_bytes = 0
        """Raw bytes of all parts; grows while parts are found."""
        self._before = 0
        self._part = 0
        self._read = 0

    def expect(self, num_bytes: int) -> None:
        """Learn of a part that will be read."""
        self.total_bytes += num_bytes

    def begin(self, num_bytes: int) -> None:
        """Begin to read a part that was expected; the one before counts as done."""
        self._before += self._part
        self._part = num_bytes
        self._read = 0

    def add(self, num_bytes: int) -> None:
        """Count bytes that were read."""
        self._read += num_bytes

    @property
    def read_bytes(self) -> int:
        """Raw bytes read of those that were expected."""
        return min(self._before + min(self._read, self._part), self.total_bytes)

    @property
    def share(self) -> float:
        """How much has been read, 0 to 1."""
        return self.read_bytes / self.total_bytes if self.total_bytes else 0.0
