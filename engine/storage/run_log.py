"""The log of a run: what helps to find a bug, in the run's folder, never on the terminal."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.errors import StorageError
from engine.storage.atomic_write import storage_errors
from engine.text import harmless_lines

logging.getLogger("engine").addHandler(logging.NullHandler())  # or what comes without a log would go to stderr


class _HarmlessFormatter(logging.Formatter):
    """Writes nothing that a terminal would obey on which the log is read."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as lines."""
        return harmless_lines(super().format(record))


class LogFile(logging.handlers.WatchedFileHandler):
    """A log on a disk that may fail: records that can't be written are dropped; a deleted file is created again."""

    problem: str = ""
    """Why the latest record is not in the file; empty where it is."""

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record."""
        self.problem = ""
        try:
            super().emit(record)
        except OSError as error:  # the file is gone, and can't be made anew
            self.problem = error.strerror or str(error)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own name and way
        """Record the error; the default handler prints a traceback on stderr, in the middle of the screen."""
        self.problem = str(sys.exc_info()[1])

    @property
    def traceback_location(self) -> str:
        """The sentence on where the traceback is that was logged last."""
        if self.problem:
            return f"There is no traceback, for {self.baseFilename} can't be written: {self.problem}."
        return f"The traceback is in {self.baseFilename}."


@contextlib.contextmanager
def log_to(path: Path, package: str = "engine") -> Iterator[LogFile]:
    """Write what a package logs to `path` while inside. Raises `StorageError`."""
    with storage_errors(path):
        handler = LogFile(path, encoding="utf-8")
    handler.setFormatter(_HarmlessFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger(package)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        with contextlib.suppress(OSError):  # what a full disk did not take
            handler.close()


def log_traceback(error: BaseException, what: str, path: Path, package: str = "engine") -> str:
    """Append the traceback of an error to a log; returns the sentence on where it is."""
    try:
        with log_to(path, package) as log:
            logging.getLogger(package).error(what, exc_info=error)
            return log.traceback_location
    except StorageError as unwritten:
        return f"There is no traceback, for {unwritten.message}"
