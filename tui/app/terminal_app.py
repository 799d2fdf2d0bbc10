"""What the program asks of its terminal, whatever is shown: themes, glyphs, the mouse. `TweetgenApp` is built on it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from io import StringIO
from typing import Any

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.color import Color
from textual.driver import Driver
from textual.events import Event, Paste
from textual.filter import LineFilter, Monochrome
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Input

from tui.formatting.numbers import pasted_line
from tui.process.outcome import Outcome
from tui.settings.theme import THEMES, theme_for
from tui.terminal.capabilities import GlyphSet
from tui.terminal.driver import MeteredDriver
from tui.terminal.glyph_fallback import GlyphFilter
from tui.terminal.textual_private import HAS_LINUX_DRIVER, LinuxDriver, driver_of, failure_of, send_only_changed_cells
from tui.widgets.input.path_input import PathInput

_MOUSE_OFF = "Mouse released to the terminal; m recaptures it."
_MOUSE_ON = "Mouse captured; m releases it to the terminal."


class _Greys(Monochrome):
    """Textual's filter for `NO_COLOR`, which (8.2) fails on text that has no style at all."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Turn colours into greys."""
        styled = [segment if segment.style else Segment(segment.text, _NO_STYLE) for segment in segments]
        return super().apply(styled, background)


_NO_STYLE = Style.null()
_GREYS = _Greys()
"""One for all lines: a line remembers by its filter what it looked like."""


class TerminalApp(App[Outcome], inherit_bindings=False):
    """An app that draws with the glyphs and colours that its terminal has."""

    glyphs: reactive[GlyphSet] = reactive[GlyphSet]("braille", init=False)
    """What is drawn with."""

    def __init__(self, glyphs: GlyphSet = "braille", theme_name: str = "", *, is_utf8: bool = True) -> None:
        """Draw with `glyphs` in a theme of that name, or in the one that suits the terminal."""
        send_only_changed_cells()
        super().__init__()
        # Textual (8.2) prints a page of traceback over the shell; whoever runs the app tells of `failure` instead
        self.error_console = Console(file=StringIO())
        self.set_reactive(TerminalApp.glyphs, glyphs)
        self.has_mouse = True
        """Whether the terminal tells of the mouse, in place of selecting text with it."""
        self._is_utf8 = is_utf8
        self._wished_theme = theme_name
        self._glyph_filter = self._filter_for(glyphs)
        # a slow link shows the steps of an animation as a crawl
        self.animation_level = "none"

    def get_driver_class(self) -> type[Driver]:
        """Return the driver for this platform: where it is Textual's for Linux and macOS, ours, which is metered."""
        driver_class = super().get_driver_class()
        return MeteredDriver if HAS_LINUX_DRIVER and driver_class is LinuxDriver else driver_class

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Add ours, which draws with lesser glyphs, to Textual's."""
        filters = [_GREYS if isinstance(each, Monochrome) else each for each in super().get_line_filters()]
        return [*filters, *([self._glyph_filter] if self._glyph_filter.enabled else [])]

    def _filter_for(self, glyphs: GlyphSet) -> GlyphFilter:
        """Return what draws with these glyphs. Whoever wants more than ASCII has a terminal that takes it."""
        return GlyphFilter(glyphs, is_utf8=self._is_utf8 or glyphs != "ascii")

    def watch_glyphs(self, glyphs: GlyphSet) -> None:
        """Draw all anew with other glyphs."""
        self._glyph_filter = self._filter_for(glyphs)
        self.refresh_css(animate=False)

    @property
    def failure(self) -> Exception | None:
        """What ended the app, where that was a mistake of ours or of Textual's."""
        return failure_of(self)

    @property
    def num_waiting_bytes(self) -> int:
        """Bytes that the terminal has not taken yet; 0 where nobody counts them."""
        driver = driver_of(self)
        return driver.num_waiting_bytes if isinstance(driver, MeteredDriver) else 0

    def write_to_terminal(self, sequence: str) -> None:
        """Write to the terminal, where there is one, past what is drawn, but with the same glyphs."""
        driver = driver_of(self)
        if isinstance(driver, MeteredDriver):
            driver.write(self._glyph_filter.translated(sequence))

    async def on_event(self, event: Event) -> None:
        """Take an event in. Of what is pasted into a line, only what is harmless there: Textual's (8.2) shows it all.

        A line for a path looks first whether it is one.
        """
        if isinstance(event, Paste) and isinstance(self.focused, Input) and not isinstance(self.focused, PathInput):
            event.text = pasted_line(event.text)
        await super().on_event(event)

    def choose_theme(self) -> None:
        """Offer our themes and the best of Textual's, and begin with the one wished for or fit for the terminal."""
        offered = {theme.name: theme for theme in THEMES}
        for theme in offered.values():
            self.register_theme(theme)
        wished = self._wished_theme
        self.theme = wished if wished in offered else theme_for(self.console.color_system)
        for name in self.available_themes.keys() - offered.keys():
            self.unregister_theme(name)

    def pop_screen(self) -> AwaitComplete:
        """Close the screen on top, and end what it is still at."""
        self.end_workers_of(self.screen)
        return super().pop_screen()

    def end_workers_of(self, screen: Screen[Any]) -> None:
        """Cancel the workers of a screen that is about to be removed, once each has begun: one may write a file.

        Textual (8.2) cancels them after it has removed the widgets in it, which a worker that goes on by then misses.
        """

        async def end_them() -> None:
            await asyncio.sleep(0)  # to where each waits for its first errand
            self.workers.cancel_node(screen)

        self.call_next(end_them)

    def use_mouse(self, *, is_used: bool) -> None:
        """Have the terminal tell of the mouse, or leave it to the terminal, to select text with."""
        self.has_mouse = is_used
        driver = driver_of(self)
        if isinstance(driver, MeteredDriver):
            driver.set_mouse_reporting(is_on=is_used)

    def action_mouse(self) -> None:
        """Leave the mouse to the terminal, or take it back."""
        self.use_mouse(is_used=not self.has_mouse)
        self.notify(_MOUSE_ON if self.has_mouse else _MOUSE_OFF, markup=False)
