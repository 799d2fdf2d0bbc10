"""The log of a run: what helps to find a bug, in the run's folder, never on the terminal."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from engine.folders import storage_errors
from engine.text import harmless_lines

logging.getLogger("engine").addHandler(logging.NullHandler())  # or what comes without a log would go to stderr


class _HarmlessFormatter(logging.Formatter):
    """Writes nothing that a terminal would obey on which the log is read."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as lines."""
        return harmless_lines(super().format(record))


class _LogFile(logging.FileHandler):
    """A log on a disk that may be full: what can't be written is left out, and nothing is printed about it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Do nothing; the usual way is a traceback on stderr, in the middle of the screen."""

    def move_to(self, path: Path) -> None:
        """Go on in another file, or in the old one where that can't be opened."""
        with contextlib.suppress(OSError):
            stream = path.open("a", encoding="utf-8")
            old = self.setStream(stream)
            self.baseFilename = os.path.abspath(path)
            if old is not None:
                old.close()


@contextlib.contextmanager
def log_to(path: Path, package: str = "engine") -> Iterator[None]:
    """Write what a package logs to `path` while inside. Raises `StorageError`."""
    with storage_errors(path):
        handler = _LogFile(path, encoding="utf-8", delay=False)
    handler.setFormatter(_HarmlessFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger(package)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        with contextlib.suppress(OSError):  # what a full disk did not take
            handler.close()


def move_log(old: Path, new: Path, package: str = "engine") -> None:
    """Let what is logged to `old` go to `new` from now on: the run's folder is another one."""
    for handler in logging.getLogger(package).handlers:
        if isinstance(handler, _LogFile) and handler.baseFilename == os.path.abspath(old):
            handler.move_to(new)
