"""`PlotView`: which steps each pane of the plot shows (a `StepWindow`), and the step of the cursor. Immutable, pure.

There are two panes: the whole run, and its recent part. Side by side, zooming and panning move the recent pane; alone,
they move the pane that is shown. The cursor moves by one column of the finest pane that shows it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from tui.widgets.plot.axes import Limits, step_limits
from tui.widgets.plot.pane import Pane

Mode = Literal["both", "whole", "recent"]
PaneKind = Literal["whole", "recent"]

MIN_SPAN = 20
_RECENT_SPANS = (500, 1000, 2000, 5000)
"""Short enough for a `Series` to store each of their steps."""
_RECENT_SHARE = 10


@dataclass(frozen=True)
class StepWindow:
    """The steps in one pane: a fixed window, or one that follows the newest step."""

    span: int | None = None
    """Number of steps; None for the pane's default."""
    first: int | None = None
    """First step of a fixed window; None to follow."""

    def limits(self, run: Limits, default_span: int | None) -> Limits:
        """Return the x axis for a run; without a span and a default, the whole run.

        A following window moves by a quarter of its span at a time and is still in between.
        """
        whole = _whole(run)
        span = self.span or default_span
        if span is None or span >= whole.span:
            return whole
        if self.first is not None:
            first = min(self.first, round(max(run.high - span / 4, whole.low)))  # keep some steps of the run in view
            return Limits(first, first + span)
        quantum = max(span // 4, 1)
        high = math.ceil(run.high / quantum) * quantum
        low = max(high - span, whole.low)
        return Limits(low, low + span)

    def zoomed(self, now: Limits, factor: float, anchor: float | None, run: Limits) -> StepWindow:
        """Return a window of `factor` times as many steps around `anchor`, or else the right edge."""
        whole = _whole(run)
        span = round(min(max(now.span * factor, MIN_SPAN), whole.span))
        if span >= whole.span:
            return StepWindow(span=math.ceil(whole.span))
        if anchor is None and self.first is None:
            return StepWindow(span=span)
        kept = now.high if anchor is None else anchor
        first = kept - (kept - now.low) / now.span * span
        return StepWindow(span, _clamped(first, span, whole))

    def panned(self, now: Limits, num_steps: float, run: Limits) -> StepWindow:
        """Return the window moved by `num_steps`; it follows once it reaches the newest step."""
        whole = _whole(run)
        span = round(now.span)
        if span >= whole.span:
            return self
        if num_steps > 0 and now.low + num_steps + span > run.high:
            return StepWindow(span)
        return StepWindow(span, _clamped(now.low + num_steps, span, whole))

    def showing(self, now: Limits, step: int, run: Limits) -> StepWindow:
        """Return the window moved as little as necessary to show `step`."""
        if now.low <= step <= now.high:
            return self
        share = 0.25 if step < now.low else 0.75
        return StepWindow(round(now.span), _clamped(step - share * now.span, now.span, _whole(run)))


@dataclass(frozen=True)
class PlotView:
    """Panes, their windows, and the cursor."""

    mode: Mode = "both"
    is_wide: bool = False
    """Whether two panes fit side by side, in a run long enough for them."""
    whole: StepWindow = StepWindow()
    recent: StepWindow = StepWindow()
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
    def detail(self) -> StepWindow:
        """The window that zooming and panning change."""
        return self.whole if self.panes[-1] == "whole" else self.recent

    def limits(self, pane: PaneKind, run: Limits) -> Limits:
        """Return the x axis of a pane for a run from its first step to its last."""
        if pane == "recent":
            return self.recent.limits(run, recent_span(int(run.high - run.low) + 1))
        return (self.whole if len(self.panes) == 1 else StepWindow()).limits(run, None)

    def fitted(self, *, is_wide: bool) -> PlotView:
        """Return the view for a plot that is wide enough for two panes, or not."""
        return self if is_wide == self.is_wide else replace(self, is_wide=is_wide)

    def next_mode(self) -> PlotView:
        """Return the view with the next arrangement of panes that looks different."""
        order: tuple[Mode, ...] = ("both", "whole", "recent") if self.is_wide else ("both", "recent")
        mode = order[(order.index(self.mode) + 1) % len(order)] if self.mode in order else "recent"
        return replace(self, mode=mode)

    def zoomed(self, factor: float, run: Limits, anchor: float | None = None) -> PlotView:
        """Return the view with `factor` times as many steps, around `anchor`, the cursor or the right edge."""
        now = self.limits(self.panes[-1], run)
        anchor = anchor if anchor is not None else self.cursor
        if anchor is not None and not now.low <= anchor <= now.high:
            now = self.detail.showing(now, round(anchor), run).limits(run, round(now.span))
        return self._with_detail(self.detail.zoomed(now, factor, anchor, run))

    def panned(self, num_steps: float, run: Limits) -> PlotView:
        """Return the view moved by `num_steps`."""
        return self._with_detail(self.detail.panned(self.limits(self.panes[-1], run), num_steps, run))

    def reset(self) -> PlotView:
        """Return the default view: following, without a cursor."""
        return PlotView(self.mode, self.is_wide)

    def following(self) -> PlotView:
        """Return the view at the newest step, at the same zoom, without a cursor."""
        return replace(self._with_detail(replace(self.detail, first=None)), cursor=None)

    def cursor_moved(self, num_columns: int, columns_in_pane: int, run: Limits) -> PlotView:
        """Return the view with the cursor moved by columns; it starts at the newest step."""
        if self.cursor is None:
            return self.with_cursor(round(run.high), run)
        per_column = (self.limits(self._finest_pane(self.cursor, run), run).span + 1) / max(columns_in_pane, 1)
        num_steps = max(round(abs(num_columns) * per_column), 1)
        return self.with_cursor(self.cursor + (num_steps if num_columns > 0 else -num_steps), run)

    def with_cursor(self, step: int | None, run: Limits) -> PlotView:
        """Return the view with the cursor at a step, or none; the window is fixed while there is a cursor."""
        if step is None:
            shown = replace(self.detail, first=None) if self.resumes_following else self.detail
            return replace(self._with_detail(shown), cursor=None)
        step = round(min(max(step, run.low), run.high))
        now = self.limits(self.panes[-1], run)
        detail, resumes_following = self.detail, self.resumes_following
        if self.cursor is None and detail.first is None and now.span < _whole(run).span:
            detail, resumes_following = StepWindow(round(now.span), round(now.low)), True
        if len(self.panes) == 1:
            detail = detail.showing(now, step, run)
        return replace(self._with_detail(detail), cursor=step, resumes_following=resumes_following)

    def _finest_pane(self, step: int, run: Limits) -> PaneKind:
        """Return the last pane that shows a step."""
        shown = [pane for pane in self.panes if self.limits(pane, run).low <= step <= self.limits(pane, run).high]
        return shown[-1] if shown else self.panes[-1]

    def _with_detail(self, detail: StepWindow) -> PlotView:
        """Return the view with another window in the last pane."""
        if self.panes[-1] == "whole":
            return replace(self, whole=detail, resumes_following=False)
        return replace(self, recent=detail, resumes_following=False)


@dataclass
class Drag:
    """A mouse button pressed over a pane, to pan it. Never handles an event."""

    x: int
    """Column where the button was pressed."""
    pane: Pane
    is_overview: bool
    """Whether another pane shows a window of this one: then the pointer moves that window."""
    view: PlotView
    """The view when the button was pressed."""
    has_moved: bool = False

    def moved_to(self, x: int, run: Limits) -> PlotView | None:
        """Return the view for a pointer at column `x`; None while it has not moved."""
        self.has_moved = self.has_moved or x != self.x
        if not self.has_moved:
            return None
        num_steps = (x - self.x) * self.pane.num_steps / self.pane.width
        return self.view.panned(num_steps if self.is_overview else -num_steps, run)


def recent_span(num_steps: int) -> int:
    """Return how many of a run's last steps count as recent: about a tenth, 500 to 5,000."""
    return max((span for span in _RECENT_SPANS if span * _RECENT_SHARE <= num_steps), default=_RECENT_SPANS[0])


def _whole(run: Limits) -> Limits:
    return step_limits(int(run.low), int(run.high))


def _clamped(first: float, span: float, whole: Limits) -> int:
    """Return the first step of a window, moved inside the run."""
    return round(min(max(first, whole.low), max(whole.high - span, whole.low)))
