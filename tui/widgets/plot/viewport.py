"""`Viewport`: which steps of a run each pane shows (a `Window`), and the step of the cursor. Immutable, pure.

There are two panes: the whole run, and its recent part. Side by side, zooming and panning move the recent pane; alone,
they move the pane that is shown. The window is fixed while there is a cursor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from tui.widgets.plot.axes import Limits, step_limits

Mode = Literal["both", "whole", "recent"]
PaneKind = Literal["whole", "recent"]

MIN_SPAN = 20
_RECENT_SPANS = (500, 1000, 2000, 5000)
"""Lengths of the recent part: the longest within a tenth of the run. A `Series` stores so many single steps."""
_NO_STEPS = Limits(0, 0)


@dataclass(frozen=True)
class Window:
    """The steps in one pane."""

    span: int | None = None
    """Number of steps; None for the pane's default."""
    first: int | None = None
    """First step of a fixed window; None to follow the newest step."""


@dataclass(frozen=True)
class Viewport:
    """Panes, their windows, and the cursor."""

    run: Limits = _NO_STEPS
    """The first and the last step."""
    mode: Mode = "both"
    is_wide: bool = False
    """Whether two panes fit side by side, in a run long enough for them."""
    whole: Window = Window()
    recent: Window = Window()
    cursor: int | None = None
    resumes_following: bool = False
    """Whether the window is fixed only because of the cursor."""

    @property
    def panes(self) -> tuple[PaneKind, ...]:
        """The panes from left to right; the last one zooms and pans."""
        if self.mode == "both":
            return ("whole", "recent") if self.is_wide else ("whole",)
        return (self.mode,)

    @property
    def detail(self) -> Window:
        """The window that zooming and panning change."""
        return self.whole if self.panes[-1] == "whole" else self.recent

    @property
    def whole_run(self) -> Limits:
        """The x axis of the whole run."""
        return step_limits(int(self.run.low), int(self.run.high))

    def limits(self, pane: PaneKind) -> Limits:
        """Return the x axis of a pane."""
        if pane == "recent":
            tenth = (self.run.span + 1) / 10
            return self._limits(
                self.recent, max((span for span in _RECENT_SPANS if span <= tenth), default=_RECENT_SPANS[0])
            )
        return self._limits(self.whole if len(self.panes) == 1 else Window())

    def _limits(self, window: Window, default_span: int | None = None) -> Limits:
        """Return the x axis of a window; without a span and a default, that of the whole run.

        A following window moves by a quarter of its span at a time and is still in between.
        """
        whole, span = self.whole_run, window.span or default_span
        if span is None or span >= whole.span:
            return whole
        if window.first is not None:
            first = min(window.first, round(max(self.run.high - span / 4, whole.low)))  # show some steps of the run
            return Limits(first, first + span)
        quantum = max(span // 4, 1)
        low = max(math.ceil(self.run.high / quantum) * quantum - span, whole.low)
        return Limits(low, low + span)

    def next_mode(self) -> Viewport:
        """Return the next arrangement of panes that looks different."""
        order: tuple[Mode, ...] = ("both", "whole", "recent") if self.is_wide else ("both", "recent")
        return replace(self, mode=order[(order.index(self.mode) + 1) % len(order)] if self.mode in order else "recent")

    def zoomed(self, factor: float, anchor: float | None = None) -> Viewport:
        """Return `factor` times as many steps, around `anchor`, the cursor or the right edge."""
        now, whole = self.limits(self.panes[-1]), self.whole_run
        anchor = anchor if anchor is not None else self.cursor
        if anchor is not None and not now.low <= anchor <= now.high:
            now = self._limits(self._window_at(now, round(anchor)))
        span = round(min(max(now.span * factor, MIN_SPAN), whole.span))
        if span >= whole.span:
            return self._with_detail(Window(math.ceil(whole.span)))
        if anchor is None and self.detail.first is None:
            return self._with_detail(Window(span))
        kept = now.high if anchor is None else anchor
        return self._with_detail(self._window(kept - (kept - now.low) / now.span * span, span))

    def panned(self, num_steps: float) -> Viewport:
        """Return the view moved by `num_steps`; it follows once it reaches the newest step."""
        now = self.limits(self.panes[-1])
        span, first = round(now.span), now.low + num_steps
        if span >= self.whole_run.span:
            return self._with_detail(self.detail)
        is_newest = num_steps > 0 and first + span > self.run.high
        return self._with_detail(Window(span) if is_newest else self._window(first, span))

    def reset(self) -> Viewport:
        """Return the default view: following, without a cursor."""
        return Viewport(self.run, self.mode, self.is_wide)

    def following(self) -> Viewport:
        """Return the view at the newest step, at the same zoom, without a cursor."""
        return replace(self._with_detail(replace(self.detail, first=None)), cursor=None)

    def with_cursor(self, step: float | None) -> Viewport:
        """Return the view with the cursor at the step of the run nearest to `step`, or without one."""
        if step is None:
            shown = replace(self.detail, first=None) if self.resumes_following else self.detail
            return replace(self._with_detail(shown), cursor=None)
        step = round(min(max(step, self.run.low), self.run.high))
        now, detail, resumes_following = self.limits(self.panes[-1]), self.detail, self.resumes_following
        if self.cursor is None and detail.first is None and now.span < self.whole_run.span:
            detail, resumes_following = Window(round(now.span), round(now.low)), True
        if len(self.panes) == 1 and not now.low <= step <= now.high:
            detail = self._window_at(now, step)
        return replace(self._with_detail(detail), cursor=step, resumes_following=resumes_following)

    def _window_at(self, now: Limits, step: int) -> Window:
        """Return the window moved as little as necessary to show a step that it doesn't."""
        return self._window(step - (0.25 if step < now.low else 0.75) * now.span, round(now.span))

    def _window(self, first: float, span: int) -> Window:
        """Return a fixed window, moved inside the run."""
        whole = self.whole_run
        return Window(span, round(min(max(first, whole.low), max(whole.high - span, whole.low))))

    def _with_detail(self, detail: Window) -> Viewport:
        """Return the view with another window in the last pane."""
        if self.panes[-1] == "whole":
            return replace(self, whole=detail, resumes_following=False)
        return replace(self, recent=detail, resumes_following=False)
