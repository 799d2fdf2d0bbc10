"""The peak memory of this process, for reports."""

from __future__ import annotations

import resource
import sys


def peak_bytes() -> int:
    """Return the largest resident memory that this process has had so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
