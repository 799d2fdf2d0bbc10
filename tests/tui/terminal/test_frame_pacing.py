"""How often panels draw: the usual pace, over ssh, on a line that does not keep up, and where a core is wanted."""

from __future__ import annotations

import pytest

from tests.fakes import FakeClock
from tui.terminal.frame_pacing import MAX_LINE_STRETCH, MAX_WAITING_BYTES, SECONDS, DrawingPace

TICK = 0.1


class Screen:
    """Ticks ten times a second, and counts how often the plot is due."""

    def __init__(self, *, is_remote: bool = False) -> None:
        self.clock, self.core = FakeClock(), FakeClock()
        self.pace = DrawingPace(self.clock, self.core, is_remote=is_remote)

    def plots(self, seconds: float, waiting: int = 0, core_share: float = 0.0) -> int:
        num_plots = 0
        for _ in range(round(seconds / TICK)):
            self.clock.advance(TICK)
            self.core.advance(TICK * core_share)
            self.pace.note_tick(waiting)
            num_plots += self.pace.is_due("plot")
        return num_plots


@pytest.mark.parametrize(("is_remote", "share"), [(False, 1.0), (True, 0.5)])
def test_over_ssh_a_panel_draws_half_as_often(is_remote: bool, share: float) -> None:
    assert Screen(is_remote=is_remote).plots(100) == pytest.approx(share * 100 / SECONDS["plot"], abs=2)


def test_nothing_is_drawn_while_the_line_is_full_not_even_what_is_awaited() -> None:
    screen = Screen()
    assert screen.plots(5, waiting=MAX_WAITING_BYTES + 1) == 0
    assert not screen.pace.is_due("plot", is_awaited=True)


def test_a_line_that_was_full_is_given_less_and_then_again_more() -> None:
    screen = Screen()
    screen.plots(60, waiting=MAX_WAITING_BYTES + 1)
    assert screen.pace.stretch == MAX_LINE_STRETCH
    assert screen.plots(SECONDS["plot"] * MAX_LINE_STRETCH) <= 4

    screen.plots(60)

    assert screen.pace.stretch == 1.0
