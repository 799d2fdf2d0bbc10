"""`DrawingPace`: how often each panel draws, so that the line keeps up and training keeps its core. Pure.

Three things slow it down: a remote terminal (ssh), output that the line has not taken yet, and the screen's own share
of a core. What a key asks for is drawn at once all the same, as long as the line takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Panel = Literal["plot", "feed", "status", "machine"]

SECONDS: dict[Panel, float] = {"plot": 0.5, "feed": 1.0, "status": 0.5, "machine": 1.0}
"""Between two drawings of a panel at the usual pace."""
_REMOTE_FACTOR = 2.0
MAX_WAITING_BYTES = 2_000
"""Output that may wait for the line; with more, nothing is drawn."""
MAX_CORE_SHARE = 0.03
_LOOK_SECONDS = 2.0
"""Over which the own share of a core is measured, and after which a wait becomes shorter again."""
_SHORTER, _LONGER = 0.8, 1.2
MAX_LINE_STRETCH, MAX_CORE_STRETCH = 16.0, 4.0


class DrawingPace:
    """Asked every tick which panels are due. For the screen's thread."""

    def __init__(self, clock: Callable[[], float], core_seconds: Callable[[], float], *, is_remote: bool) -> None:
        """Begin at the usual pace. `core_seconds` tells how long the screen's thread has computed so far."""
        self._clock = clock
        self._core_seconds = core_seconds
        self._factor = _REMOTE_FACTOR if is_remote else 1.0
        self._line_stretch = self._core_stretch = 1.0
        self._drawn_at: dict[Panel, float] = {}
        self._looked_at, self._core_then = clock(), core_seconds()
        self._is_line_full = False

    @property
    def stretch(self) -> float:
        """How many times as long as usual the waits are now, for want of a faster line or a freer core."""
        return max(self._line_stretch, self._core_stretch)

    def note_tick(self, num_waiting: int) -> None:
        """Take note of the bytes that wait for the line, and look at the own share of a core now and then."""
        self._is_line_full = num_waiting > MAX_WAITING_BYTES
        if self._is_line_full:
            self._line_stretch = min(_LONGER * self._line_stretch, MAX_LINE_STRETCH)
        now = self._clock()
        seconds = now - self._looked_at
        if seconds < _LOOK_SECONDS:
            return
        core_seconds = self._core_seconds()
        is_too_much = core_seconds - self._core_then > MAX_CORE_SHARE * seconds
        self._looked_at, self._core_then = now, core_seconds
        self._core_stretch *= _LONGER if is_too_much else _SHORTER
        self._core_stretch = min(max(self._core_stretch, 1.0), MAX_CORE_STRETCH)
        if not self._is_line_full:
            self._line_stretch = max(_SHORTER * self._line_stretch, 1.0)

    def is_due(self, panel: Panel, *, is_awaited: bool = False) -> bool:
        """Return whether a panel is to be drawn now, and take note of it; what `is_awaited` does not wait its turn."""
        if self._is_line_full:
            return False
        now = self._clock()
        wait = SECONDS[panel] * self._factor * self.stretch
        if not is_awaited and now - self._drawn_at.get(panel, float("-inf")) < wait - 1e-3:
            return False
        self._drawn_at[panel] = now
        return True
