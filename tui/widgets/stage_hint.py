"""The hint that stands where the plot will be, while torch loads and the tweets are read."""

from __future__ import annotations

from textual.widgets import Static

from engine.text import harmless

_FRAMES = ("·    ", "· ·  ", "· · ·", "  · ·", "    ·", "     ")
_TICKS_PER_FRAME = 3


class StageHint(Static):
    """Say what the session is doing before its first step, with a slow pulse that shows that the screen lives."""

    def __init__(self) -> None:
        """Begin without a stage."""
        super().__init__(markup=False)
        self._shown = ""

    def show(self, stage: str, tick: int) -> None:
        """Show the stage and the pulse's picture at this tick; paints only what changed."""
        frame = _FRAMES[tick // _TICKS_PER_FRAME % len(_FRAMES)]
        text = f"{harmless(stage)}\n{frame}"
        if text != self._shown:
            self._shown = text
            self.update(text, layout=False)
