"""The patches of Textual, and that it still needs them."""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
import threading
from contextlib import nullcontext
from io import BytesIO
from unittest import mock

import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.drivers import linux_driver, web_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.strip import Strip

from tests.tui.conftest import wait_until
from tui.terminal import private
from tui.terminal.driver import BrowserDriver, MeteredDriver
from tui.terminal.private import ChopsUpdate, patch_textual

CONSOLE = Console(color_system=None)


@pytest.fixture(params=[True, False])
def is_patched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Patch Textual or have it as it is, as the returned value says."""
    monkeypatch.setattr(Screen, "_on_resize", private._LAY_OUT)
    monkeypatch.setattr(Screen, "_compositor_refresh", private._REFRESH)
    monkeypatch.setattr(linux_driver, "getincrementaldecoder", codecs.getincrementaldecoder)
    if request.param:
        private.patch_textual()
    return bool(request.param)


def update(*spans: tuple[int, int, int]) -> ChopsUpdate:
    """Return an update of two lines, each from a widget of 6 cells and one of 4."""
    line = {0: Strip([Segment("abc", Style()), Segment("def", Style())]), 6: Strip([Segment("ghij", Style())])}
    return ChopsUpdate([line, line], list(spans), [[6, 10], [6, 10]])


def test_textual_itself_still_sends_the_cells_left_of_a_span() -> None:
    """Once this fails, `render_cropped` is no longer needed."""
    pieces = update((0, 2, 4)).__rich_console__(CONSOLE, CONSOLE.options)
    assert "ab" in "".join(piece.text for piece in pieces if isinstance(piece, Segment) and not piece.control)


def test_only_the_cells_of_each_span_are_sent_in_every_app_of_the_process() -> None:
    private.patch_textual()
    for spans, expected in (
        ([(0, 2, 4)], "1;3Hcd"),
        ([(0, 2, 3), (0, 8, 10), (1, 9, 10)], "1;3Hc\n 1;9Hij\n 2;10Hj"),
        ([(1, 5, 8)], "2;6Hf 2;7Hgh"),
    ):
        output = update(*spans).render_segments(CONSOLE)
        assert output.replace("\x1b[", " ").strip() == expected


class SizedScreen(Screen[None]):
    """Records up to 20 sizes that it is sent. After each it queues another message: resizes in a row become one."""

    sizes: tuple[Size, ...] = ()

    def on_resize(self, event: Resize) -> None:
        if len(self.sizes) == 20:
            event.prevent_default()
            return
        self.sizes += (event.size,)
        self.call_later(lambda: None)


async def test_a_screen_is_laid_out_for_the_present_size_of_the_terminal_only(is_patched: bool) -> None:
    app, screen, before, now = App[None](), SizedScreen(), Size(60, 20), Size(80, 24)
    async with app.run_test(size=now):
        await app.push_screen(screen)
        del screen.sizes
        for size in (before, now):  # in its queue at once, the latter that of the terminal
            screen.post_message(Resize(size, size))
            screen.call_later(lambda: None)
        for _ in range(20):
            handled = asyncio.Event()
            screen.call_later(handled.set)
            await handled.wait()
    assert screen.sizes[:2] == (before, now)
    assert (before not in screen.sizes[2:]) is is_patched, "Textual needs no `_lay_out_for_present_size` any more"


class DrawnDialog(ModalScreen[None]):
    """Records the regions that it is asked to draw."""

    drawn: tuple[Region, ...] = ()

    def refresh(self, *regions: Region, **options: bool) -> DrawnDialog:
        self.drawn += regions
        return super().refresh(*regions, **options)


async def test_what_changes_below_a_dialog_is_drawn_once(is_patched: bool) -> None:
    app, below, dialog, changed = App[None](), Screen[None](), DrawnDialog(), Region(2, 3, 5, 1)
    async with app.run_test() as pilot:
        await app.push_screen(below)
        await app.push_screen(dialog)
        await pilot.pause()
        private.update_screen(below)
        del dialog.drawn
        below.refresh(changed)
        for _ in range(3):
            private.update_screen(below)
        assert changed in dialog.drawn
        assert (dialog.drawn == (changed,)) is is_patched, "Textual needs no `_refresh_once` any more"


class KeysDriver(LinuxDriver):
    """Records the characters that it reads, up to a "."."""

    def __init__(self, descriptor: int) -> None:
        self.fileno, self.exit_event, self._debug, self.read = descriptor, threading.Event(), False, ""

    def process_message(self, message: Message) -> None:
        assert isinstance(message, Key)
        self.read += message.character or ""
        if message.character == ".":
            self.exit_event.set()


class HangingUpDriver(KeysDriver, MeteredDriver):
    """Reads as our driver does."""


def test_bytes_that_are_not_utf8_are_read_as_replacement_characters(is_patched: bool) -> None:
    """Once it fails without the patch, Textual needs no `KeyDecoder` any more."""
    reading, writing = os.pipe()
    driver = KeysDriver(reading)
    os.write(writing, "é\N{WASTEBASKET}".encode() + b"\xff\xc3(caf\xe9.")
    with nullcontext() if is_patched else pytest.raises(UnicodeDecodeError):
        driver.run_input_thread()
    os.close(reading)
    os.close(writing)
    assert driver.read == ("é\N{WASTEBASKET}\ufffd\ufffd(caf\ufffd." if is_patched else "")


def test_a_terminal_that_is_gone_hangs_up_where_it_reads_as_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS; on Linux, reading fails."""
    hangups: list[int] = []
    patch_textual()
    reading, writing = os.pipe()
    os.write(writing, b"a")
    os.close(writing)
    driver = HangingUpDriver(reading)
    monkeypatch.setattr(os, "kill", lambda _pid, number: hangups.append(number))
    driver.run_input_thread()
    os.close(reading)
    assert (driver.read, hangups) == ("a", [signal.SIGHUP])


async def test_a_failure_where_the_keys_of_a_browser_are_read_ends_the_app_with_it_and_is_no_closed_tab(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hangups: list[int] = []
    mistake = RuntimeError("a mistake of ours")
    monkeypatch.setattr(web_driver.WebDriver, "process_message", mock.Mock(side_effect=mistake))
    monkeypatch.setattr(os, "kill", lambda _pid, number: hangups.append(number))
    monkeypatch.setattr(web_driver, "InputReader", lambda: BytesIO(b"D\0\0\0\1x"))  # a packet with the key x

    async def read() -> None:
        app = App[None]()
        async with app.run_test():
            await asyncio.to_thread(BrowserDriver(app).run_input_thread)
            await wait_until(lambda: hangups or app._exception, "the end")

    with pytest.raises(RuntimeError) as caught:
        await read()
    assert (caught.value, hangups) == (mistake, [])
