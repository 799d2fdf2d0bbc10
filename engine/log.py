"""The log of a run: what helps to find a bug, in the run's folder, never on the terminal."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from engine.folders import storage_errors

logging.getLogger("engine").addHandler(logging.NullHandler())  # or what comes without a log would go to stderr


@contextlib.contextmanager
def log_to(path: Path, package: str = "engine") -> Iterator[None]:
    """Write what a package logs to `path` while inside. Raises `StorageError`."""
    with storage_errors(path):
        handler = logging.FileHandler(path, encoding="utf-8", delay=False)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger(package)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
