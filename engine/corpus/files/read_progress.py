"""`ReadProgress`: how much of the input has been read, in raw bytes on disk. Never reads anything itself."""

from __future__ import annotations


class ReadProgress:
    """Counts the raw bytes read, part by part, against the total.

    Bytes read outside a part (to detect a format, to list an archive) are not counted, and a part that is left early,
    skipped or read twice still counts once: the share only grows.
    """

    def __init__(self) -> None:
        self.total_bytes = 0
        """Raw bytes of all announced parts."""
        self._before = 0
        self._part = 0
        self._read = 0

    def expect(self, num_bytes: int) -> None:
        """Announce a part that will be read."""
        self.total_bytes += num_bytes

    def begin(self, num_bytes: int) -> None:
        """Start reading an announced part; the one before counts as done."""
        self._before += self._part
        self._part = num_bytes
        self._read = 0

    def add(self, num_bytes: int) -> None:
        """Count bytes that were read from disk."""
        self._read += num_bytes

    @property
    def read_bytes(self) -> int:
        """Raw bytes read of the announced parts."""
        return min(self._before + min(self._read, self._part), self.total_bytes)

    @property
    def share(self) -> float:
        """Share of the announced bytes that has been read, 0 to 1."""
        return self.read_bytes / self.total_bytes if self.total_bytes else 0.0
