"""The driver's output: every frame whole and in order, also of two threads and signal handlers, in fewer bytes.

A slow terminal gets fewer frames, and the last output if it accepts it in time; else it does not delay the exit.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import TextIOWrapper
from types import FrameType
from typing import Any, TypeAlias

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App

from tests.fakes import FakeClock
from tests.tui.conftest import wait_until
from tests.waiting import DEADLINE_SECONDS
from tui.terminal.compaction import FRAME_END, FRAME_START, FrameBuffer, compacted
from tui.terminal.driver import MeteredDriver
from tui.terminal.output import OutputThread
from tui.widgets import panels

NUM_WRITES = 1000


@pytest.fixture(autouse=True)
def _signals_and_threads_as_before() -> Iterator[None]:
    """Restore the signal handlers, and switch threads as often as possible meanwhile."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
    for number, handler in before.items():
        signal.signal(number, handler)


class Written:
    """A thread for output that records what the driver writes."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.on_write: Callable[[], object] = int

    def write(self, text: str) -> int:
        self.texts.append(text)
        self.on_write()
        return len(text)


class InterruptedFrames(FrameBuffer):
    """A frame buffer that yields to other threads in the middle of a call and fails on a nested call."""

    is_busy = False

    def add(self, piece: str) -> str:
        assert not self.is_busy
        self.is_busy = True
        time.sleep(0)
        text = super().add(piece)
        self.is_busy = False
        return text


class StoppingDriver(MeteredDriver):
    """A driver that records suspensions in place of stopping the process."""

    is_writing = False
    stops: tuple[bool, ...] = ()
    """Whether each suspension came in the middle of a write."""

    def _sigtstp_application(self, *_: int | FrameType | None) -> None:
        self.stops += (self.is_writing,)


def driver_over(written: Written) -> StoppingDriver:
    driver = StoppingDriver(App[Any]())
    driver._output = written  # type: ignore[assignment] # has all that a driver uses
    return driver


async def test_writes_of_two_threads_are_sent_once_in_order_with_whole_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.terminal.driver.FrameBuffer", InterruptedFrames)
    written = Written()
    driver = driver_over(written)
    both_run = threading.Barrier(2)

    def write_frames() -> None:
        both_run.wait()
        for number in range(NUM_WRITES):
            for piece in (FRAME_START, f"<a{number}>", f"<z{number}>", FRAME_END):
                driver.write(piece)

    def write_pieces() -> None:
        both_run.wait()
        for number in range(NUM_WRITES):
            driver.write(f"<k{number}>")

    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda write: write(), (write_frames, write_pieces)))
    text = "".join(written.texts)
    frames = re.findall(f"{re.escape(FRAME_START)}(.*?){re.escape(FRAME_END)}", text)
    assert [re.sub(r"<k\d+>", "", frame) for frame in frames] == [f"<a{n}><z{n}>" for n in range(NUM_WRITES)]
    assert re.findall(r"<k(\d+)>", text) == [str(number) for number in range(NUM_WRITES)]
    assert driver.num_bytes == len(text)


async def test_a_signal_handlers_write_during_another_write_is_sent_after_it() -> None:
    written = Written()
    driver = driver_over(written)
    signal.signal(signal.SIGCONT, lambda *_: driver.write("again"))

    def interrupt() -> None:
        written.on_write = int
        signal.raise_signal(signal.SIGCONT)
        assert written.texts == ["first"]

    written.on_write = interrupt
    driver.write("first")
    assert written.texts == ["first", "again"]


async def test_ctrl_z_during_a_write_suspends_after_it() -> None:
    written = Written()
    driver = driver_over(written)

    def interrupt() -> None:
        driver.is_writing = True
        signal.raise_signal(signal.SIGTSTP)
        driver.is_writing = False

    written.on_write = interrupt
    driver.write("first")
    await wait_until(lambda: driver.stops, "the stop")
    assert driver.stops == (False,)


COLORS = ["38;2;1;2;3", "38;2;9;9;9", "48;2;1;2;3", "38;5;200", "48;5;17", "31", "42", "97", "104", "39", "49"]
PIECES = st.one_of(
    st.text("ab ●é", min_size=1, max_size=5),
    st.sampled_from(["\x1b[0m", "\x1b[m", "\n"]),
    st.lists(st.sampled_from([*COLORS, "1", "3", "4", "7", "0"]), min_size=1, max_size=4).map(
        lambda codes: "\x1b[" + ";".join(codes) + "m"
    ),
    st.tuples(st.integers(1, 5), st.integers(1, 12)).map(lambda at: f"\x1b[{at[0]};{at[1]}H"),
)


def picture(text: str) -> list[list[pyte.screens.Char]]:
    screen = pyte.Screen(12, 40)  # no text here is so long that it scrolls
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))  # like a terminal's line discipline
    return [[screen.buffer[y][x] for x in range(12)] for y in range(40)]


@given(st.lists(PIECES, max_size=20).map("".join))
def test_compacted_output_draws_the_same_picture_and_is_not_longer(text: str) -> None:
    text += "\x1b[0m"
    assert picture(compacted(text)) == picture(text)
    assert len(compacted(text)) <= len(text)


def test_active_attributes_are_not_sent_again() -> None:
    assert compacted("\x1b[1;31ma\x1b[0m\x1b[1;31mb\x1b[0m") == "\x1b[1;31mab\x1b[0m"
    assert compacted("\x1b[31;40ma\x1b[0m\x1b[32;40mb\x1b[0m") == "\x1b[40;31ma\x1b[32mb\x1b[0m"
    assert compacted("\x1b[3;4H\n\x1b[2;2Hx") == "\x1b[2;2Hx"
    assert compacted("\x1b[31ma\x1b[0m\x1b[3;4H\x1b[31mb\x1b[0m") == "\x1b[31ma\x1b[3;4Hb\x1b[0m"


def test_a_frame_is_sent_as_a_whole_unless_it_only_repeats_the_cursors_position_and_other_output_at_once() -> None:
    frames = FrameBuffer()
    sent = [frames.add(piece) for piece in (FRAME_START, "\x1b[31ma\x1b[0m", "\x1b[31mb\x1b[0m", FRAME_END)]
    assert sent == ["", "", "", f"{FRAME_START}\x1b[31mab\x1b[0m{FRAME_END}"]
    bodies = ("a\x1b[1;1H", "\x1b[1;1H", "\x1b[2;1H", "b\x1b[2;1H")
    sent = ["".join(map(frames.add, (FRAME_START, body, FRAME_END))) for body in bodies]
    assert [bool(text) for text in sent] == [True, False, True, True]
    assert frames.add("\x1b[?25l") == "\x1b[?25l"


Pipe: TypeAlias = tuple[int, TextIOWrapper]
MUCH = "x" * 2_000_000
"""More than any pipe accepts before it is read."""


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """The reading descriptor and the writing file of a pipe."""
    reading, writing = os.pipe()
    with TextIOWrapper(os.fdopen(writing, "wb", buffering=0), encoding="utf-8", write_through=True) as file:
        yield reading, file
    os.close(reading)


def read_all(reading: int, num_bytes: int) -> bytes:
    data = b""
    while len(data) < num_bytes and (piece := os.read(reading, 65536)):
        data += piece
    return data


def test_a_flush_with_a_deadline_waits_for_a_terminal_that_reads(pipe: Pipe) -> None:
    file = OutputThread(pipe[1])
    with ThreadPoolExecutor() as pool:
        received = pool.submit(read_all, pipe[0], len(MUCH))
        try:
            file.set_deadline(DEADLINE_SECONDS)
            file.write(MUCH)
            file.flush()
            assert file.num_sent_bytes == len(MUCH)
        finally:
            pipe[1].close()  # what reads it ends also if some of it was dropped
        assert received.result() == MUCH.encode()


def test_a_flush_drops_the_output_of_a_stalled_terminal_at_the_deadline(pipe: Pipe) -> None:
    clock = FakeClock()
    file = OutputThread(pipe[1], clock)
    file.write(MUCH)
    file.set_deadline(1.0)
    clock.advance(1.5)
    file.flush()
    assert file.num_sent_bytes == len(MUCH)


def test_unencodable_characters_are_replaced_and_counted_as_sent(pipe: Pipe) -> None:
    pipe[1].reconfigure(encoding="ascii")
    file = OutputThread(pipe[1])
    file.set_deadline(DEADLINE_SECONDS)
    file.write("⣿!")
    file.flush()
    assert (os.read(pipe[0], 10), file.num_sent_bytes) == (b"?!", 2)


TICK, PLOT_SECONDS = 0.1, 0.5


@pytest.fixture(autouse=True)
def _panels_draw_at_each_tick() -> None:
    """Draw at the usual pace, unlike in other tests."""


class Screen:
    """Ticks ten times a second, and counts how often the plot is due."""

    def __init__(self, *, is_remote: bool = False) -> None:
        self.clock, self.core = FakeClock(), FakeClock()
        self.pace = panels.Pace(self.clock, self.core, is_over_ssh=is_remote)

    def plots(self, seconds: float, waiting: int = 0, core_share: float = 0.0) -> int:
        num_plots = 0
        for _ in range(round(seconds / TICK)):
            self.clock.advance(TICK)
            self.core.advance(TICK * core_share)
            self.pace.record_tick(waiting)
            num_plots += self.pace.is_due("plot")
        return num_plots


def test_over_ssh_a_panel_draws_half_as_often() -> None:
    for is_remote, share in ((False, 1.0), (True, 0.5)):
        assert Screen(is_remote=is_remote).plots(100) == pytest.approx(share * 100 / PLOT_SECONDS, abs=2)


def test_nothing_is_drawn_while_output_is_blocked_and_then_less_until_the_terminal_keeps_up() -> None:
    screen = Screen()
    assert screen.plots(5, waiting=panels.MAX_WAITING_BYTES + 1) == 0
    assert not screen.pace.is_due("plot", is_awaited=True)
    screen.plots(60, waiting=panels.MAX_WAITING_BYTES + 1)
    assert screen.pace.slowdown == panels.MAX_LINE_SLOWDOWN
    assert screen.plots(PLOT_SECONDS * panels.MAX_LINE_SLOWDOWN) <= 4
    screen.plots(60)
    assert screen.pace.slowdown == 1.0


def test_drawing_slows_down_while_the_screen_uses_too_much_of_its_core() -> None:
    screen = Screen()
    screen.plots(60, core_share=2 * panels.MAX_CORE_SHARE)
    assert screen.pace.slowdown == panels.MAX_CORE_SLOWDOWN
    screen.plots(60, core_share=panels.MAX_CORE_SHARE / 2)
    assert screen.pace.slowdown == 1.0
