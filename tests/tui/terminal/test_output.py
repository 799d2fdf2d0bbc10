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
from typing import Any
from unittest import mock

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
MUCH = "x" * 2_000_000
"""More than any pipe accepts before it is read."""
COLORS = ["38;2;1;2;3", "38;2;9;9;9", "48;2;1;2;3", "38;5;200", "48;5;17", "31", "42", "97", "104", "39", "49"]
CODES = st.lists(st.sampled_from([*COLORS, "1", "3", "4", "7", "0"]), min_size=1, max_size=4)
PIECES = st.one_of(
    st.text("ab ●é", min_size=1, max_size=5),
    st.sampled_from(["\x1b[0m", "\x1b[m", "\n"]),
    CODES.map(lambda codes: f"\x1b[{';'.join(codes)}m"),
    st.tuples(st.integers(1, 5), st.integers(1, 12)).map(lambda at: f"\x1b[{at[0]};{at[1]}H"),
)


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


class RecordedDriver(MeteredDriver):
    """Records what is written, and its suspensions in place of stopping the process."""

    def __init__(self) -> None:
        super().__init__(App[Any]())
        self._output = mock.Mock(write=self._record)
        self.written: list[str] = []
        self.interrupt: Callable[[], object] = int
        """Called in the middle of the next write."""

    def _record(self, text: str) -> int:
        self.written.append(text)
        interrupt, self.interrupt = self.interrupt, int
        interrupt()
        return len(text)

    def _sigtstp_application(self, *_: object) -> None:
        self.written.append("stopped")


@pytest.fixture
def _signals_and_threads_as_before() -> Iterator[None]:
    """Restore the signal handlers, and switch threads as often as possible meanwhile."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals_and_threads_as_before")
async def test_writes_of_two_threads_are_sent_once_in_order_with_whole_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.terminal.driver.FrameBuffer", InterruptedFrames)
    driver, both_run = RecordedDriver(), threading.Barrier(2)
    of_frames = [piece for n in range(NUM_WRITES) for piece in (FRAME_START, f"<a{n}>", f"<z{n}>", FRAME_END)]

    def write(pieces: list[str]) -> None:
        both_run.wait()
        for piece in pieces:
            driver.write(piece)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, (of_frames, [f"<k{n}>" for n in range(NUM_WRITES)])))
    text = "".join(driver.written)
    frames = re.findall(f"{re.escape(FRAME_START)}(.*?){re.escape(FRAME_END)}", text)
    assert [re.sub(r"<k\d+>", "", frame) for frame in frames] == [f"<a{n}><z{n}>" for n in range(NUM_WRITES)]
    assert re.findall(r"<k(\d+)>", text) == [str(number) for number in range(NUM_WRITES)]
    assert driver.num_bytes == len(text)


@pytest.mark.usefixtures("_signals_and_threads_as_before")
async def test_what_a_signal_handler_writes_during_a_write_and_a_stop_by_ctrl_z_come_after_it() -> None:
    driver = RecordedDriver()
    signal.signal(signal.SIGCONT, lambda *_: driver.write("again"))

    def interrupt() -> None:
        for number in (signal.SIGTSTP, signal.SIGCONT):
            signal.raise_signal(number)
        assert driver.written == ["first"]

    driver.interrupt = interrupt
    driver.write("first")
    assert driver.written == ["first", "again"]
    await wait_until(lambda: driver.written[2:] == ["stopped"], "the stop")


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


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIOWrapper]]:
    """The reading descriptor and the writing file of a pipe; the file has an encoding without braille."""
    reading, writing = os.pipe()
    with TextIOWrapper(os.fdopen(writing, "wb", buffering=0), encoding="ascii", write_through=True) as file:
        yield reading, file
    os.close(reading)


def test_a_flush_with_a_deadline_waits_for_a_terminal_that_reads_and_unencodable_characters_are_replaced(
    pipe: tuple[int, TextIOWrapper],
) -> None:
    file = OutputThread(pipe[1])
    with ThreadPoolExecutor() as pool:
        received = pool.submit(lambda: b"".join(iter(lambda: os.read(pipe[0], 65536), b"")))
        try:
            file.set_deadline(DEADLINE_SECONDS)
            file.write(f"⣿{MUCH}")
            file.flush()
            assert file.num_sent_bytes == 1 + len(MUCH)
        finally:
            pipe[1].close()  # what reads it ends
        assert received.result() == f"?{MUCH}".encode()


def test_a_flush_drops_the_output_of_a_stalled_terminal_at_the_deadline(pipe: tuple[int, TextIOWrapper]) -> None:
    clock = FakeClock()
    file = OutputThread(pipe[1], clock)
    file.write(MUCH)
    file.set_deadline(1.0)
    clock.advance(1.5)
    file.flush()
    assert file.num_sent_bytes == len(MUCH)


@pytest.fixture
def _panels_draw_at_each_tick() -> None:
    """Draw at the usual pace, unlike in other tests."""


@pytest.mark.parametrize("is_over_ssh", [False, True])
def test_a_panel_draws_half_as_often_over_ssh_less_where_terminal_or_core_are_slow_and_not_while_output_is_blocked(
    is_over_ssh: bool,
) -> None:
    clock, core = FakeClock(), FakeClock()
    pace = panels.Pace(clock, core, is_over_ssh=is_over_ssh)
    num_seconds, blocked = 0.5 * (1 + is_over_ssh), panels.MAX_WAITING_BYTES + 1

    def plots(seconds: float, waiting: int = 0, core_share: float = 0.0) -> int:
        """Tick ten times a second; return how often the plot was due."""
        num_plots = 0
        for _ in range(round(10 * seconds)):
            clock.advance(0.1)
            core.advance(0.1 * core_share)
            pace.record_tick(waiting)
            num_plots += pace.is_due("plot")
        return num_plots

    assert plots(100) == pytest.approx(100 / num_seconds, abs=2)
    assert plots(5, blocked) == 0
    assert not pace.is_due("plot", is_awaited=True)
    plots(60, blocked)
    assert pace.slowdown == panels.MAX_LINE_SLOWDOWN
    assert plots(num_seconds * panels.MAX_LINE_SLOWDOWN) <= 4
    plots(60)
    assert pace.slowdown == 1.0
    plots(60, core_share=2 * panels.MAX_CORE_SHARE)
    assert pace.slowdown == panels.MAX_CORE_SLOWDOWN
    plots(60, core_share=panels.MAX_CORE_SHARE / 2)
    assert pace.slowdown == 1.0
