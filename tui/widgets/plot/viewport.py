"""`PlotView`: which steps the loss plot shows, side by side or alone, and where its cursor stands. Pure values.

There are two panes: the whole run, and its recent part. Side by side the whole run stays whole, and zooming and panning
move the recent pane, as a magnifying glass over it; alone, they move the pane that is there. The cursor moves by one
column of the finest pane that shows it. Knows no framework and no pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from tui.widgets.plot.scales import Limits, step_limits

Mode = Literal["both", "whole", "recent"]
PaneKind = Literal["whole", "recent"]

MIN_SPAN = 20
_RECENT_SPANS = (500, 1000, 2000, 5000)
"""All of them short enough for a `Series` to hold each of their steps."""
_RECENT_SHARE = 10


@dataclass(frozen=True)
class Viewport:
    """The steps in one pane: a window that stands still, or one that follows the newest step."""

    span: int | None = None
    """How many steps; None for as many as the pane shows by itself."""
    first: int | None = None
    """Where the window stands; None to follow."""

    def limits(self, run: Limits, default_span: int | None) -> Limits:
        """Return the x axis for a run of these steps; without a span and a default, the whole run.

        A following window moves by a quarter of itself at a time, so that it keeps still in between.
        """
        whole = _whole(run)
        span = self.span or default_span
        if span is None or span >= whole.span:
            return whole
        if self.first is not None:
            first = min(self.first, round(max(run.high - span / 4, whole.low)))  # never only what is still to come
            return Limits(first, first + span)
        quantum = max(span // 4, 1)
        high = math.ceil(run.high / quantum) * quantum
        low = max(high - span, whole.low)
        return Limits(low, low + span)

    def zoomed(self, now: Limits, factor: float, anchor: float | None, run: Limits) -> Viewport:
        """Return the view of `factor` times as many steps, `anchor` kept in its place, or else the right edge."""
        whole = _whole(run)
        span = round(min(max(now.span * factor, MIN_SPAN), whole.span))
        if span >= whole.span:
            return Viewport(span=math.ceil(whole.span))
        if anchor is None and self.first is None:
            return Viewport(span=span)
        kept = now.high if anchor is None else anchor
        first = kept - (kept - now.low) / now.span * span
        return Viewport(span, _inside(first, span, whole))

    def panned(self, now: Limits, num_steps: float, run: Limits) -> Viewport:
        """Return the view so many steps further; where that reaches the newest step, it follows."""
        whole = _whole(run)
        span = round(now.span)
        if span >= whole.span:
            return self
        if num_steps > 0 and now.low + num_steps + span > run.high:
            return Viewport(span)
        return Viewport(span, _inside(now.low + num_steps, span, whole))

    def showing(self, now: Limits, step: int, run: Limits) -> Viewport:
        """Return this view, moved as far as it must be for `step` to be in it."""
        if now.low <= step <= now.high:
            return self
        share = 0.25 if step < now.low else 0.75
        return Viewport(round(now.span), _inside(step - share * now.span, now.span, _whole(run)))


@dataclass(frozen=True)
class PlotView:
    """What the user has chosen to look at."""

    mode: Mode = "both"
    is_wide: bool = False
    """Whether two panes fit side by side, and are worth it."""
    whole: Viewport = Viewport()
    recent: Viewport = Viewport()
    cursor: int | None = None
    followed_before: bool = False
    """Whether the pane stands still only because the cursor is shown."""

    @property
    def panes(self) -> tuple[PaneKind, ...]:
        """The panes shown, from left to right; the last is the one that zooms and pans."""
        if self.mode == "both":
            return ("whole", "recent") if self.is_wide else ("whole",)
        return (self.mode,)

    @property
    def detail(self) -> Viewport:
        """The view that zooming and panning change."""
        return self.whole if self.panes[-1] == "whole" else self.recent

    def limits(self, pane: PaneKind, run: Limits) -> Limits:
        """Return the x axis of a pane for a run from its first step to its last."""
        if pane == "recent":
            return self.recent.limits(run, recent_span(int(run.high - run.low) + 1))
        return (self.whole if len(self.panes) == 1 else Viewport()).limits(run, None)

    def fitted(self, *, is_wide: bool) -> PlotView:
        """Return this for a plot that shows two panes side by side, or one."""
        return self if is_wide == self.is_wide else replace(self, is_wide=is_wide)

    def switched(self) -> PlotView:
        """Return the next choice of panes that looks different."""
        order: tuple[Mode, ...] = ("both", "whole", "recent") if self.is_wide else ("both", "recent")
        mode = order[(order.index(self.mode) + 1) % len(order)] if self.mode in order else "recent"
        return replace(self, mode=mode)

    def zoomed(self, factor: float, run: Limits, anchor: float | None = None) -> PlotView:
        """Return the detail with `factor` times as many steps, around `anchor`, the cursor or the right edge."""
        now = self.limits(self.panes[-1], run)
        anchor = anchor if anchor is not None else self.cursor
        if anchor is not None and not now.low <= anchor <= now.high:
            now = self.detail.showing(now, round(anchor), run).limits(run, round(now.span))
        return self._with_detail(self.detail.zoomed(now, factor, anchor, run))

    def panned(self, num_steps: float, run: Limits) -> PlotView:
        """Return the detail so many steps further."""
        return self._with_detail(self.detail.panned(self.limits(self.panes[-1], run), num_steps, run))

    def reset(self) -> PlotView:
        """Return the panes as they are by themselves, following, without a cursor."""
        return PlotView(self.mode, self.is_wide)

    def following(self) -> PlotView:
        """Return the detail at the newest step again, as wide as it was, without a cursor."""
        return replace(self._with_detail(replace(self.detail, first=None)), cursor=None)

    def moved(self, num_columns: int, columns_in_pane: int, run: Limits) -> PlotView:
        """Return the cursor so many columns further; it begins at the newest step."""
        if self.cursor is None:
            return self.pointed(round(run.high), run)
        per_column = (self.limits(self._finest_pane(self.cursor, run), run).span + 1) / max(columns_in_pane, 1)
        num_steps = max(round(abs(num_columns) * per_column), 1)
        return self.pointed(self.cursor + (num_steps if num_columns > 0 else -num_steps), run)

    def pointed(self, step: int | None, run: Limits) -> PlotView:
        """Return the cursor at that step of the run, and the pane still while it is shown."""
        if step is None:
            shown = replace(self.detail, first=None) if self.followed_before else self.detail
            return replace(self._with_detail(shown), cursor=None)
        step = round(min(max(step, run.low), run.high))
        now = self.limits(self.panes[-1], run)
        detail, followed_before = self.detail, self.followed_before
        if self.cursor is None and detail.first is None and now.span < _whole(run).span:
            detail, followed_before = Viewport(round(now.span), round(now.low)), True
        if len(self.panes) == 1:
            detail = detail.showing(now, step, run)
        return replace(self._with_detail(detail), cursor=step, followed_before=followed_before)

    def _finest_pane(self, step: int, run: Limits) -> PaneKind:
        """Return the last pane that shows a step."""
        shown = [pane for pane in self.panes if self.limits(pane, run).low <= step <= self.limits(pane, run).high]
        return shown[-1] if shown else self.panes[-1]

    def _with_detail(self, detail: Viewport) -> PlotView:
        """Return this with another view of the detail, which from now on stands or follows by itself."""
        if self.panes[-1] == "whole":
            return replace(self, whole=detail, followed_before=False)
        return replace(self, recent=detail, followed_before=False)


def recent_span(num_steps: int) -> int:
    """Return how many of a run's last steps count as recent: about a tenth, 500 to 5,000."""
    return max((span for span in _RECENT_SPANS if span * _RECENT_SHARE <= num_steps), default=_RECENT_SPANS[0])


def _whole(run: Limits) -> Limits:
    return step_limits(int(run.low), int(run.high))


def _inside(first: float, span: float, whole: Limits) -> int:
    """Return where a window of that span stands so that it is inside the whole run."""
    return round(min(max(first, whole.low), max(whole.high - span, whole.low)))
