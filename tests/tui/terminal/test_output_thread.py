"""A slow terminal gets fewer frames, and the last output if it accepts it in time; else it does not delay the exit."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from io import TextIOWrapper
from typing import IO

import pytest

from tests.fakes import FakeClock
from tui.terminal.frame_pacing import (
    MAX_CORE_SHARE,
    MAX_CORE_SLOWDOWN,
    MAX_LINE_SLOWDOWN,
    MAX_WAITING_BYTES,
    FramePacing,
)
from tui.terminal.output_thread import OutputThread

DEADLINE_SECONDS = 60.0
MUCH = "x" * 2_000_000
"""More than any pipe accepts before it is read."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, IO[str]]]:
    """The reading descriptor and the writing file of a pipe."""
    reading, writing = os.pipe()
    with TextIOWrapper(os.fdopen(writing, "wb", buffering=0), encoding="utf-8", write_through=True) as file:
        yield reading, file
    os.close(reading)


def read_all(reading: int, num_bytes: int) -> bytes:
    data = b""
    while len(data) < num_bytes:
        data += os.read(reading, 65536)
    return data


def test_a_flush_with_a_deadline_waits_for_a_terminal_that_reads(pipe: tuple[int, IO[str]]) -> None:
    reading, writing = pipe
    file = OutputThread(writing)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(read_all(reading, len(MUCH))))
    reader.start()
    file.set_deadline(DEADLINE_SECONDS)
    file.write(MUCH)
    file.flush()
    assert file.num_sent_bytes == len(MUCH)
    reader.join()
    assert received == [MUCH.encode()]


def test_a_flush_drops_the_output_of_a_stalled_terminal_at_the_deadline(pipe: tuple[int, IO[str]]) -> None:
    clock = FakeClock()
    file = OutputThread(pipe[1], clock)
    file.write(MUCH)
    file.set_deadline(1.0)
    clock.advance(1.5)
    file.flush()
    assert file.num_sent_bytes == len(MUCH)


def test_unencodable_characters_are_replaced_and_counted_as_sent() -> None:
    reading, writing = os.pipe()
    with TextIOWrapper(os.fdopen(writing, "wb", buffering=0), encoding="ascii", write_through=True) as ascii_file:
        file = OutputThread(ascii_file)
        file.set_deadline(DEADLINE_SECONDS)
        file.write("⣿!")
        file.flush()
        assert (os.read(reading, 10), file.num_sent_bytes) == (b"?!", 2)
    os.close(reading)


# Fewer frames ---------------------------------------------------------------------------------------------------------

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


def test_nothing_is_drawn_while_output_is_blocked_and_then_less_until_the_terminal_keeps_up() -> None:
    screen = Screen()
    assert screen.plots(5, waiting=MAX_WAITING_BYTES + 1) == 0
    assert not screen.pace.is_due("plot", is_awaited=True)
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
