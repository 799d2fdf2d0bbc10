"""Crashes and hangs: where every thread is, written to the log of the run, or of the program, not over the screen."""

from __future__ import annotations

import contextlib
import faulthandler
from typing import TextIO

from engine.errors import ConfigError
from engine.storage.folders import folder_of_run, home

_FILES: list[TextIO] = []
"""The file that `faulthandler` writes to, kept open."""


def log_crashes_of(run: str) -> None:
    """Write the traceback of a native crash to the log of a run from now on.

    Does nothing where `faulthandler` is enabled already, as by `python -X faulthandler`.
    """
    if faulthandler.is_enabled() and not _FILES:
        return
    with contextlib.suppress(OSError, ConfigError):  # no log, no traceback
        file = folder_of_run(run).log_path.open("a", encoding="utf-8")
        faulthandler.enable(file)
        while _FILES:
            _FILES.pop().close()
        _FILES.append(file)


def log_threads(why: str) -> None:
    """Write a line and the traceback of every thread to the log of the program."""
    with contextlib.suppress(OSError), (home() / "tweetgen.log").open("a", encoding="utf-8") as file:
        file.write(f"{why}\n")
        file.flush()
        faulthandler.dump_traceback(file)
