"""A storm of changes of size: the screen hears of the latest, ten times a second at most."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import sys
import time

import pexpect

from tests.fakes import FakeClock
from tui.driver import RESIZE_SECONDS, SpacedCalls

DEADLINE_SECONDS = 20.0
PROGRAM = """
import os
from textual.app import App
from tui.driver import MeteredDriver

class Counting(App):
    def get_driver_class(self):
        return MeteredDriver
    def on_resize(self, event):
        with open("resizes", "a") as file:
            file.write(f"{event.size.width}\\n")
    def on_mount(self):
        self.title = "mounted"
        open("mounted", "w").close()

Counting().run()
"""


async def test_of_calls_in_between_only_the_last_is_made_and_at_its_time() -> None:
    calls = SpacedCalls(asyncio.get_running_loop(), 0.05)
    made: list[tuple[float, int]] = []
    began = time.monotonic()
    number = 0
    while time.monotonic() < began + 0.5:
        number += 1
        calls.call(lambda number=number: made.append((time.monotonic(), number)))  # type: ignore[misc] # the usual way to bind
        await asyncio.sleep(0.001)
    while made[-1][1] != number:
        await asyncio.sleep(0.005)
    assert made[0][1] == 1
    assert all(later[0] - earlier[0] >= 0.05 for earlier, later in itertools.pairwise(made))
    assert len(made) < number / 2


async def test_a_call_after_a_while_is_made_at_once() -> None:
    clock = FakeClock(100.0)
    calls = SpacedCalls(asyncio.get_running_loop(), 3600.0, clock)
    made: list[int] = []
    calls.call(lambda: made.append(1))
    while not made:
        await asyncio.sleep(0.001)
    clock.advance(3600.0)
    calls.call(lambda: made.append(2))
    while len(made) < 2:
        await asyncio.sleep(0.001)
    assert made == [1, 2]


def test_the_screen_is_laid_out_once_a_tick_in_a_storm_of_sizes(tmp_path: os.PathLike[str]) -> None:
    variables = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    child = pexpect.spawn(
        sys.executable, ["-c", PROGRAM], dimensions=(24, 80), timeout=DEADLINE_SECONDS, cwd=tmp_path, env=variables
    )
    folder = os.fspath(tmp_path)
    try:
        child.expect(re.escape("\x1b[?1049h"))
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not os.path.exists(f"{folder}/mounted"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        began, width = time.monotonic(), 80
        while time.monotonic() < began + 1.0:
            width = 80 + (width - 79) % 40
            child.setwinsize(24, width)
            child.kill(signal.SIGWINCH)
            time.sleep(0.002)
        child.setwinsize(24, 133)
        widths: list[str] = []
        while widths[-1:] != ["133"]:
            assert time.monotonic() < deadline
            with open(f"{folder}/resizes", encoding="ascii") as file:
                widths = file.read().split()
            time.sleep(0.01)
        num_ticks = (time.monotonic() - began) / RESIZE_SECONDS
        assert len(widths) <= num_ticks + 3  # the first sizes come before the storm
        assert len(widths) >= 4
    finally:
        child.close(force=True)
