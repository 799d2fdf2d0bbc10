"""Which steps are in view: the arrangements of `v`, the cursor, zooming and panning, as plain values."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.plot.scales import Limits, step_limits
from tui.widgets.plot.viewport import MIN_SPAN, PlotView, StepWindow

RUN = Limits(1, 20_000)
WIDE = PlotView(is_wide=True)


def test_v_cycles_through_the_arrangements_that_look_different() -> None:
    wide = [WIDE, WIDE.next_mode(), WIDE.next_mode().next_mode(), WIDE.next_mode().next_mode().next_mode()]
    assert [view.panes for view in wide] == [("whole", "recent"), ("whole",), ("recent",), ("whole", "recent")]
    narrow = PlotView()
    assert [narrow.panes, narrow.next_mode().panes, narrow.next_mode().next_mode().panes] == [
        ("whole",),
        ("recent",),
        ("whole",),
    ]
    assert WIDE.next_mode().fitted(is_wide=False).next_mode().panes == ("recent",)


def test_the_recent_pane_is_fixed_while_the_cursor_is_shown() -> None:
    held = WIDE.with_cursor(19_500, RUN)
    longer = Limits(1, 40_000)
    assert held.limits("recent", longer) == Limits(18_000, 20_000)
    assert held.with_cursor(None, RUN).limits("recent", longer).high == 40_000
    panned = held.panned(-500, RUN).with_cursor(None, RUN)
    assert panned.limits("recent", longer) == Limits(17_500, 19_500)
    assert panned.following().limits("recent", longer).high == 40_000


STEPS = st.integers(1, 5_000_000)
CHANGES = st.lists(
    st.one_of(
        st.builds(lambda factor, at: lambda view, run: view.zoomed(factor, run, at), st.floats(0.1, 10), STEPS),
        st.builds(lambda factor: lambda view, run: view.zoomed(factor, run), st.floats(0.1, 10)),
        st.builds(lambda steps: lambda view, run: view.panned(steps, run), st.integers(-(10**7), 10**7)),
        st.builds(lambda count: lambda view, run: view.cursor_moved(count, 80, run), st.sampled_from([-10, -1, 1, 10])),
        st.builds(lambda step: lambda view, run: view.with_cursor(step, run), st.none() | STEPS),
        st.just(lambda view, _run: view.next_mode()),
        st.just(lambda view, _run: view.following()),
    ),
    max_size=12,
)


@given(st.integers(1, 1000), st.integers(0, 5_000_000), CHANGES, st.booleans())
def test_after_any_actions_each_pane_shows_steps_of_the_run(
    first: int, num_more: int, changes: list[Callable[[PlotView, Limits], PlotView]], is_wide: bool
) -> None:
    run = Limits(first, first + num_more)
    whole = step_limits(first, first + num_more)
    view = PlotView(is_wide=is_wide)
    for change in changes:
        view = change(view, run)
    for pane in view.panes:
        limits = view.limits(pane, run)
        assert whole.low <= limits.low <= run.high
        assert MIN_SPAN <= limits.span <= whole.span
        assert limits.high <= whole.high + limits.span
    if view.cursor is not None:
        assert run.low <= view.cursor <= run.high


@given(st.integers(1, 5_000_000), st.integers(1, 5_000_000), st.integers(20, 100_000))
def test_a_run_that_goes_back_stays_in_view(last: int, first: int, span: int) -> None:
    limits = StepWindow(span, first).limits(Limits(1, last), None)
    assert limits.low <= last


def test_zooming_at_a_step_outside_the_recent_pane_moves_the_pane_there() -> None:
    window = WIDE.zoomed(0.8, RUN, 5000).limits("recent", RUN)
    assert window.low < 5000 < window.high
    assert window.span == pytest.approx(0.8 * 2000, abs=1)


def test_a_cursor_outside_the_recent_pane_moves_by_columns_of_the_whole_run() -> None:
    view = WIDE.with_cursor(18_010, RUN).cursor_moved(-1, 50, RUN)
    assert view.cursor == 17_970
    per_column = (step_limits(1, 20_000).span + 1) / 50
    assert view.cursor_moved(-1, 50, RUN).cursor == 17_970 - round(per_column)
    assert view.limits("recent", RUN) == Limits(18_000, 20_000)


def test_a_single_pane_follows_the_cursor() -> None:
    view = PlotView("recent").with_cursor(18_001, RUN)
    assert view.limits("recent", RUN) == Limits(18_000, 20_000)
    view = view.cursor_moved(-10, 50, RUN)
    window = view.limits("recent", RUN)
    assert view.cursor is not None
    assert window.low < view.cursor < 18_000 < window.high
