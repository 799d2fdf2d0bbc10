"""How often panels draw: at the default pace, over ssh, with blocked output, and with a busy core."""

from __future__ import annotations

import pytest

from tests.fakes import FakeClock
from tui.terminal.frame_pacing import (
    MAX_CORE_SHARE,
    MAX_CORE_SLOWDOWN,
    MAX_LINE_SLOWDOWN,
    MAX_WAITING_BYTES,
    FramePacing,
)

TICK, PLOT_SECONDS = 0.1, 0.5


@pytest.fixture(autouse=True)
def _panels_draw_at_each_tick() -> None:
    """Draw at the usual pace, unlike in other tests."""


class Screen:
    """Ticks ten times a second, and counts how often the plot is due."""

    def __init__(self, *, is_remote: bool = False) -> None:
        self.clock, self.core = FakeClock(), FakeClock()
        self.pace = FramePacing(self.clock, self.core, is_remote=is_remote)

    def plots(self, seconds: float, waiting: int = 0, core_share: float = 0.0) -> int:
        num_plots = 0
        for _ in range(round(seconds / TICK)):
            self.clock.advance(TICK)
            self.core.advance(TICK * core_share)
            self.pace.record_tick(waiting)
            num_plots += self.pace.is_due("plot")
        return num_plots


@pytest.mark.parametrize(("is_remote", "share"), [(False, 1.0), (True, 0.5)])
def test_over_ssh_a_panel_draws_half_as_often(is_remote: bool, share: float) -> None:
    assert Screen(is_remote=is_remote).plots(100) == pytest.approx(share * 100 / PLOT_SECONDS, abs=2)


def test_nothing_is_drawn_while_output_is_blocked_not_even_awaited_panels() -> None:
    screen = Screen()
    assert screen.plots(5, waiting=MAX_WAITING_BYTES + 1) == 0
    assert not screen.pace.is_due("plot", is_awaited=True)


def test_blocked_output_slows_drawing_down_until_the_terminal_keeps_up() -> None:
    screen = Screen()
    screen.plots(60, waiting=MAX_WAITING_BYTES + 1)
    assert screen.pace.slowdown == MAX_LINE_SLOWDOWN
    assert screen.plots(PLOT_SECONDS * MAX_LINE_SLOWDOWN) <= 4

    screen.plots(60)

    assert screen.pace.slowdown == 1.0


def test_drawing_slows_down_while_the_screen_uses_too_much_of_its_core() -> None:
    screen = Screen()
    screen.plots(60, core_share=2 * MAX_CORE_SHARE)
    assert screen.pace.slowdown == MAX_CORE_SLOWDOWN

    screen.plots(60, core_share=MAX_CORE_SHARE / 2)

    assert screen.pace.slowdown == 1.0
