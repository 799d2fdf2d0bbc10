"""Temporary files that a killed process left while it wrote (`engine.folders.write_atomically`), and their removal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from pathlib import Path

STALE_SECONDS = 3600.0
"""Older ones are nobody's, also where the file system has no locks to tell by."""
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp")


def remove_leftovers(folder: Path, min_age_seconds: float = STALE_SECONDS) -> list[Path]:
    """Remove the temporary files of dead processes from a folder; returns them. What can't be removed is left.

    One that somebody still writes is locked. `min_age_seconds` is for a folder that others may write in at any moment.
    """
    removed = []
    with contextlib.suppress(OSError):
        for path in [path for path in folder.iterdir() if _TEMPORARY.fullmatch(path.name)]:
            with contextlib.suppress(OSError):
                age_seconds = time.time() - path.stat().st_mtime
                if age_seconds >= min_age_seconds and _is_nobodys(path, age_seconds):
                    path.unlink()
                    removed.append(path)
    return removed


def _is_nobodys(path: Path, age_seconds: float) -> bool:
    """Return whether no process writes a file any more. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return age_seconds >= STALE_SECONDS
    else:
        return True
    finally:
        os.close(descriptor)
