"""`FramePacing`: how often each panel draws, within the bandwidth of the terminal and a share of one core. Pure.

Panels draw less often over ssh, while output is queued, and when the screen's thread uses too much of its core. Changes
that the user waits for are drawn at once unless output is blocked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Panel = Literal["plot", "feed", "machine"]
"""The header, the status and the side panel are drawn with the plot: their figures are those of the same moment."""

SECONDS: dict[Panel, float] = {"plot": 0.5, "feed": 1.0, "machine": 1.0}
"""Interval between two drawings of a panel, without any slowdown."""
_REMOTE_FACTOR = 2.0
MAX_WAITING_BYTES = 2_000
"""Queued output; with more, no panel draws."""
MAX_CORE_SHARE = 0.03
_MEASURE_SECONDS = 2.0
"""Interval of measuring the screen's share of a core, and of reducing the slowdowns."""
_FASTER, _SLOWER = 0.8, 1.2
MAX_LINE_SLOWDOWN, MAX_CORE_SLOWDOWN = 16.0, 4.0


class FramePacing:
    """Decides at each tick which panels are due. For the screen's thread."""

    def __init__(self, clock: Callable[[], float], core_seconds: Callable[[], float], *, is_remote: bool) -> None:
        """`core_seconds` returns the CPU time of the screen's thread."""
        self._clock = clock
        self._core_seconds = core_seconds
        self._factor = _REMOTE_FACTOR if is_remote else 1.0
        self._line_slowdown = self._core_slowdown = 1.0
        self._drawn_at: dict[Panel, float] = {}
        self._measured_at, self._core_at_measure = clock(), core_seconds()
        self._is_output_blocked = False

    @property
    def slowdown(self) -> float:
        """Factor on the intervals: the larger of those for a slow connection and for a busy core."""
        return max(self._line_slowdown, self._core_slowdown)

    def record_tick(self, num_waiting: int) -> None:
        """Update the slowdowns from the output queue and, every two seconds, from the CPU time."""
        self._is_output_blocked = num_waiting > MAX_WAITING_BYTES
        if self._is_output_blocked:
            self._line_slowdown = min(_SLOWER * self._line_slowdown, MAX_LINE_SLOWDOWN)
        now = self._clock()
        seconds = now - self._measured_at
        if seconds < _MEASURE_SECONDS:
            return
        core_seconds = self._core_seconds()
        is_too_much = core_seconds - self._core_at_measure > MAX_CORE_SHARE * seconds
        self._measured_at, self._core_at_measure = now, core_seconds
        self._core_slowdown *= _SLOWER if is_too_much else _FASTER
        self._core_slowdown = min(max(self._core_slowdown, 1.0), MAX_CORE_SLOWDOWN)
        if not self._is_output_blocked:
            self._line_slowdown = max(_FASTER * self._line_slowdown, 1.0)

    def is_due(self, panel: Panel, *, is_awaited: bool = False) -> bool:
        """Return whether to draw a panel now, and record that as drawn; `is_awaited` skips the interval."""
        if self._is_output_blocked:
            return False
        now = self._clock()
        wait = SECONDS[panel] * self._factor * self.slowdown
        if not is_awaited and now - self._drawn_at.get(panel, float("-inf")) < wait - 1e-3:
            return False
        self._drawn_at[panel] = now
        return True
