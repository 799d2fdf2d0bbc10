"""The driver's writes come from two threads and from signal handlers: every frame is sent whole and in order."""

from __future__ import annotations

import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from textual.app import App

from tests.tui.conftest import wait_until
from tui.terminal.driver import MeteredDriver
from tui.terminal.sgr_compaction import FRAME_END, FRAME_START, FrameBuffer

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
    """A writer thread that records what the driver writes."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.on_write: Callable[[], object] = int

    def write(self, text: str) -> None:
        self.texts.append(text)
        self.on_write()


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
    driver._writer_thread = written  # type: ignore[assignment] # has all that a driver uses
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

    threads = [threading.Thread(target=each) for each in (write_frames, write_pieces)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
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
