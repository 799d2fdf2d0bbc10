"""Native crashes: the traceback of every thread goes to the log of the run that was on, not over the screen."""

from __future__ import annotations

import contextlib
import faulthandler
from typing import TextIO

from engine.errors import ConfigError
from engine.storage.folders import folder_of_run

_FILES: list[TextIO] = []
"""The file that `faulthandler` writes to, which must stay open."""


def log_crashes_of(run: str) -> None:
    """Write what a crash of this process was doing to the log of a run, from now on.

    Where somebody has asked for it elsewhere already, as `python -X faulthandler` does, it stays there.
    """
    if faulthandler.is_enabled() and not _FILES:
        return
    with contextlib.suppress(OSError, ConfigError):  # without a log there is nothing to write to
        file = folder_of_run(run).log_path.open("a", encoding="utf-8")
        faulthandler.enable(file)
        while _FILES:
            _FILES.pop().close()
        _FILES.append(file)
