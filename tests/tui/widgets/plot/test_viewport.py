"""The steps in view, after any actions and when the run goes back."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.plot.axes import Limits, step_limits
from tui.widgets.plot.viewport import MIN_SPAN, Viewport, Window

STEPS = st.integers(1, 5_000_000)
CHANGES = st.lists(
    st.one_of(
        st.builds(lambda factor, at: lambda view: view.zoomed(factor, at), st.floats(0.1, 10), STEPS),
        st.builds(lambda factor: lambda view: view.zoomed(factor), st.floats(0.1, 10)),
        st.builds(lambda steps: lambda view: view.panned(steps), st.integers(-(10**7), 10**7)),
        st.builds(
            lambda count: lambda view: view.with_cursor((view.cursor or 0) + count), st.sampled_from([-10, -1, 1, 10])
        ),
        st.builds(lambda step: lambda view: view.with_cursor(step), st.none() | STEPS),
        st.just(lambda view: view.next_mode()),
        st.just(lambda view: view.following()),
    ),
    max_size=12,
)


@given(st.integers(1, 1000), st.integers(0, 5_000_000), CHANGES, st.booleans())
def test_after_any_actions_each_pane_shows_steps_of_the_run(
    first: int, num_more: int, changes: list[Callable[[Viewport], Viewport]], is_wide: bool
) -> None:
    run = Limits(first, first + num_more)
    whole = step_limits(first, first + num_more)
    view = Viewport(run, is_wide=is_wide)
    for change in changes:
        view = change(view)
    for pane in view.panes:
        limits = view.limits(pane)
        assert whole.low <= limits.low <= run.high
        assert MIN_SPAN <= limits.span <= whole.span
        assert limits.high <= whole.high + limits.span
    if view.cursor is not None:
        assert run.low <= view.cursor <= run.high


@given(st.integers(1, 5_000_000), st.integers(1, 5_000_000), st.integers(20, 100_000))
def test_a_run_that_goes_back_stays_in_view(last: int, first: int, span: int) -> None:
    limits = Viewport(Limits(1, last), whole=Window(span, first)).limits("whole")
    assert limits.low <= last
