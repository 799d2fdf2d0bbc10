"""The log of a run, for debugging, and the versions of installed packages. Never writes to the terminal."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import platform
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engine.errors import StorageError
from engine.storage.files import storage_errors
from engine.text import sanitize_lines

logging.getLogger("engine").addHandler(logging.NullHandler())  # without a handler, warnings would go to stderr


class _SanitizingFormatter(logging.Formatter):
    """Strips terminal escape sequences from records: the log may be read with `cat`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as sanitized lines."""
        return sanitize_lines(super().format(record))


class LogFile(logging.handlers.WatchedFileHandler):
    """A log on a disk that may fail: records that can't be written are dropped, a deleted file is recreated."""

    problem: str = ""
    """Why the latest record could not be written; empty on success."""

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record, or set `problem`."""
        self.problem = ""
        try:
            super().emit(record)
        except OSError as error:  # the file is gone and can't be recreated
            self.problem = error.strerror or str(error)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own name and signature
        """Store the error; the default handler prints a traceback on stderr, over the screen."""
        self.problem = str(sys.exc_info()[1])

    @property
    def traceback_location(self) -> str:
        """A sentence that names the file with the last traceback, or why there is none."""
        if self.problem:
            return f"The traceback is lost: {self.baseFilename} can't be written: {self.problem}."
        return f"The traceback is in {self.baseFilename}."


@contextlib.contextmanager
def log_to(path: Path, package: str = "engine") -> Iterator[LogFile]:
    """Log the records of `package` to `path` inside the block. Raises `StorageError`."""
    with storage_errors(path):
        handler = LogFile(path, encoding="utf-8")
    handler.setFormatter(_SanitizingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger(package)
    logger.addHandler(handler)
    propagated, logger.propagate = logger.propagate, False
    try:
        yield handler
    finally:
        logger.propagate = propagated
        logger.removeHandler(handler)
        with contextlib.suppress(OSError):  # a full disk reports its error on close
            handler.close()


def log_traceback(error: BaseException, what: str, path: Path, package: str = "engine") -> str:
    """Append the traceback of an error to a log; return `LogFile.traceback_location`."""
    try:
        with log_to(path, package) as log:
            logging.getLogger(package).error(what, exc_info=error)
            return log.traceback_location
    except StorageError as unwritten:
        return f"The traceback is lost: {unwritten.message}"


@cache
def installed_version(package: str) -> str:
    """Return the version of an installed package, or "not installed" (as when run from a source folder).

    Cached: checkpoints record it, even when the disk fails later or the package was upgraded meanwhile.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def versions_of(*packages: str) -> dict[str, str]:
    """Return Python's version and those of `packages`, by name."""
    return {"python": platform.python_version(), **{package: installed_version(package) for package in packages}}
