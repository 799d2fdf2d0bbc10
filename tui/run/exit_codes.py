"""The exit code of a run that a signal has ended: 128 plus the signal's number."""

from __future__ import annotations

import signal

ENDING_SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
"""The signals, with the reason of a run that one of them has ended."""
EXIT_CODES = {reason: 128 + number for number, reason in ENDING_SIGNALS.items()}
"""What the program exits with, by the reason of the run's end."""


def reason_of(exit_code: int) -> str | None:
    """Return why a run ends that is left with this code; None where no signal asked for that."""
    return next((reason for reason, code in EXIT_CODES.items() if code == exit_code), None)
