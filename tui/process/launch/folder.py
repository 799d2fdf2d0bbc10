"""The folder of a launch: files through which the launcher and its ranks communicate. Private and temporary.

launch-*/               in the runtime folder, beside the sockets
├── launcher            locked while the launcher lives
├── order.json          what is to be launched
├── stage.json          what the leader does before the run has started
├── exit-code           of the leader, once it has ended in order; the ranks then exit with 0
├── attempt-K/rank-N    locked while the rank lives; its process, and how it ended where it could report that
├── has-started         once the run has started
├── has-saved           once its latest checkpoint is of this launch
├── end.json            its last event
└── logs/               standard output and error of the followers, by attempt and rank
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import StorageError
from engine.storage.atomic_write import new_file
from engine.storage.file_lock import is_locked, try_lock
from engine.text import harmless
from tui.remote.socket_path import make_private_folder, runtime_folder

VARIABLE = "TWEETGEN_LAUNCH"
"""The environment variable that names the folder to the ranks."""
ENDED_IN_ORDER, ENDED_WITH_OTHERS = "ended in order", "It ended because another rank was lost."
_PREFIX = "launch-"
_STALE_SECONDS = 3600.0
_MAX_BYTES = 4096


@dataclass(frozen=True)
class LaunchFolder:
    """The paths inside the folder of one launch."""

    path: Path

    @classmethod
    def create(cls) -> LaunchFolder:
        """Create the folder of a new launch; remove those of launchers that were killed. Raises `StorageError`."""
        make_private_folder(runtime_folder())
        for path in runtime_folder().glob(_PREFIX + "*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS and not is_locked(path / "launcher"):
                    cls(path).remove()
        try:
            return cls(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=runtime_folder())))
        except OSError as error:
            raise StorageError(f"{runtime_folder()} can't be written: {error.strerror or error}.") from error

    @classmethod
    def from_environment(cls) -> LaunchFolder | None:
        """Return the folder of the launch that this process belongs to; None without a launcher."""
        path = os.environ.get(VARIABLE)
        return None if path is None else cls(Path(path))

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Lock the folder for the block, and remove it after that. Raises `OSError`."""
        with (self.path / "launcher").open("w", encoding="utf-8") as file:
            _lock(file.fileno())
            try:
                yield
            finally:
                self.remove()

    @property
    def logs(self) -> Path:
        """The followers' output."""
        return self.path / "logs"

    def rank_path(self, attempt: int, rank: int) -> Path:
        """Return the file of a rank; `attempt` counts the restarts before it."""
        return self.path / f"attempt-{attempt}" / f"rank-{rank}"

    @contextlib.contextmanager
    def alive(self, attempt: int, rank: int) -> Iterator[None]:
        """Lock the file of a rank, with this process's id, for the block. Raises `OSError`."""
        path = self.rank_path(attempt, rank)
        path.parent.mkdir(exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            _lock(file.fileno())
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    def is_alive(self, attempt: int, rank: int) -> bool:
        """Return whether a rank has started and has not ended."""
        return is_locked(self.rank_path(attempt, rank))

    def is_lost(self, attempt: int, rank: int) -> bool:
        """Return whether a rank has started and has ended, but not in order."""
        lines = self._lines(self.rank_path(attempt, rank))
        return bool(lines) and ENDED_IN_ORDER not in lines and not self.is_alive(attempt, rank)

    def pid_of(self, attempt: int, rank: int) -> int | None:
        """Return the process of a rank that is alive; None for any other."""
        lines = self._lines(self.rank_path(attempt, rank))
        return int(lines[0]) if lines and self.is_alive(attempt, rank) else None

    def report(self, attempt: int, rank: int, how: str) -> None:
        """Note how a rank ends: `ENDED_IN_ORDER`, or why all have to start again. The first report counts."""
        with contextlib.suppress(OSError), self.rank_path(attempt, rank).open("a", encoding="utf-8") as file:
            file.write(harmless(how) + "\n")

    def why_lost(self, attempt: int, num_ranks: int) -> str:
        """Return why an attempt ended: the ranks that were killed, else what the lowest rank has reported."""
        lines = {rank: self._lines(self.rank_path(attempt, rank)) for rank in range(num_ranks)}
        killed = [str(rank) for rank, own in lines.items() if len(own) == 1]
        if killed:
            return f"Rank {killed[0]} was killed." if len(killed) == 1 else f"Ranks {', '.join(killed)} were killed."
        reports = [own[1] for own in lines.values() if len(own) > 1 and own[1] != ENDED_IN_ORDER]
        return reports[0] if reports else "A rank did not start."

    @property
    def exit_code(self) -> int | None:
        """The leader's exit code; None before it has ended in order."""
        lines = self._lines(self.path / "exit-code")
        return int(lines[0]) if lines else None

    def set_exit_code(self, code: int) -> None:
        """Store the leader's exit code. Raises `StorageError`."""
        with new_file(self.path / "exit-code") as file:
            file.write(f"{code}\n".encode())

    @property
    def order_path(self) -> Path:
        """What is to be launched."""
        return self.path / "order.json"

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.path, ignore_errors=True)

    @staticmethod
    def _lines(path: Path) -> list[str]:
        """Return the lines of a short file; none where it is missing or not completely written."""
        try:
            text = path.read_text(encoding="utf-8", errors="replace")[:_MAX_BYTES]
        except OSError:
            return []
        return text.splitlines() if text.endswith("\n") else []


def _lock(descriptor: int) -> None:
    """Lock a file that no other process locks for long: those that look hold it for a moment, longer on a busy machine.

    A rank without its lock would count as lost.
    """
    while not try_lock(descriptor):
        pass
