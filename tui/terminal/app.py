"""`TerminalApp`: what the app overrides of Textual for the sake of its terminal: driver, filters, themes, mouse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, Generic, TypeVar

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual import on
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.color import Color
from textual.css.query import NoMatches
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Event, Resize
from textual.filter import LineFilter, Monochrome
from textual.geometry import Size
from textual.reactive import reactive
from textual.screen import Screen
from textual.timer import Timer

from tui.terminal.capabilities import GlyphSet, drawn_size
from tui.terminal.driver import BrowserDriver, MeteredDriver
from tui.terminal.glyphs import GlyphFilter
from tui.terminal.private import patch_textual
from tui.terminal.theme import HEAT_VARIABLES, THEMES, theme_for
from tui.text.cells import with_placed_words
from tui.text.numbers import LossUnit

RESIZE_SECONDS = 0.1
"""Shortest interval between two layouts for another size."""
_MOUSE_OFF = "Mouse released to the terminal; m recaptures it."
_MOUSE_ON = "Mouse captured; m releases it to the terminal."
Answer = TypeVar("Answer")
_OfDialog = TypeVar("_OfDialog")


class _Greys(Monochrome):
    """Textual's filter for `NO_COLOR`, which (8.2) fails on text without a style."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return super().apply([Segment(text, style or Style.null()) for text, style, _ in segments], background)


_GREYS = _Greys()
"""One instance for all lines: a line caches its strip by the identity of its filters."""


class TerminalApp(App[Answer], Generic[Answer], inherit_bindings=False):
    """An app that draws with the glyphs and colours that its terminal supports, laid out by the style sheet."""

    CSS_PATH = Path(__file__).with_name("style.tcss")
    HORIZONTAL_BREAKPOINTS = [(0, "-too-narrow"), (40, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as Textual types it
    VERTICAL_BREAKPOINTS = [(0, "-too-low"), (12, "-tiny"), (18, "-low"), (23, "-medium"), (30, "-tall")]  # noqa: RUF012 - the same

    glyphs: reactive[GlyphSet] = reactive[GlyphSet]("braille", init=False)
    """The set of glyphs for plots and bars."""
    loss_unit: reactive[LossUnit] = reactive[LossUnit]("bits", init=False)
    """The unit of all losses on the screen."""

    def __init__(self, glyphs: GlyphSet = "braille", theme_name: str = "", *, is_utf8: bool = True) -> None:
        """Draw with `glyphs` in the theme `theme_name`, or without it in the one that suits the terminal."""
        patch_textual()
        super().__init__()
        # Textual (8.2) prints a page of traceback; the caller of `run` reports `failure` instead
        self.error_console = Console(file=StringIO())
        self.set_reactive(TerminalApp.glyphs, glyphs)
        self.has_mouse = True
        """Whether the terminal reports the mouse, in place of selecting text with it."""
        self._resized_at = -RESIZE_SECONDS
        self._late_resize: Timer | None = None
        self._is_utf8 = is_utf8
        self._theme_name = theme_name
        self._glyph_filter = GlyphFilter(glyphs, is_utf8=self._is_utf8)
        # over a slow link, animations are slow
        self.animation_level = "none"

    def get_driver_class(self) -> type[Driver]:
        """Return our driver in place of Textual's for terminals."""
        driver_class = super().get_driver_class()
        return MeteredDriver if driver_class is LinuxDriver else driver_class

    @property
    def metered_driver(self) -> MeteredDriver | None:
        """Our driver; None in a browser or a test, and before the start."""
        return self._driver if isinstance(self._driver, MeteredDriver) else None

    def on_ctrl_c(self, note: Callable[[], object]) -> None:
        """Have each ctrl+c call `note` before the app receives it, on the thread that reads keys."""
        if self.metered_driver is not None:
            self.metered_driver.on_interrupt = note

    def abandon_terminal(self) -> bool:
        """Stop reading and drawing, where the app can't; return whether the terminal accepts output. For any thread."""
        return self.metered_driver is None or self.metered_driver.abandon()

    @property
    def has_lost_output(self) -> bool:
        """Whether the terminal has accepted too late what was written last, so that some of it was dropped."""
        return self.metered_driver is not None and self.metered_driver.has_lost_output

    @property
    def num_waiting_bytes(self) -> int:
        """Bytes that the terminal has not accepted yet; 0 without our driver."""
        return self.metered_driver.num_waiting_bytes if self.metered_driver is not None else 0

    def write_to_terminal(self, sequence: str) -> None:
        """Write a sequence to the terminal, bypassing the compositor but not the glyph filter."""
        if self.metered_driver is not None:
            self.metered_driver.write(self._glyph_filter.translated(sequence))

    @property
    def failure(self) -> Exception | None:
        """The unhandled exception that ended the app, if any.

        A dialog that opens as the app exits gets no widgets from Textual (8.2) and finds none of them: no failure.
        """
        is_late = isinstance(self._exception, NoMatches) and self.return_value is not None
        return None if is_late else self._exception

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return Textual's filters and ours, which replaces glyphs that the terminal lacks."""
        filters = [each for each in super().get_line_filters() if not isinstance(each, Monochrome)]
        if self.no_color:
            filters.append(_GREYS)
        if self._glyph_filter.enabled:
            filters.append(self._glyph_filter)
        return filters

    def watch_glyphs(self, glyphs: GlyphSet) -> None:
        """Redraw with other glyphs."""
        self._glyph_filter = GlyphFilter(glyphs, is_utf8=self._is_utf8)
        self.refresh_css(animate=False)

    async def on_event(self, event: Event) -> None:
        """Handle an event; of sizes within `RESIZE_SECONDS` only the last, each limited: Textual (8.2) lays out any."""
        if isinstance(event, Resize):
            if self._late_resize is not None:
                self._late_resize.stop()
            seconds = self._resized_at + RESIZE_SECONDS - time.monotonic()
            if seconds > 0:
                self._late_resize = self.set_timer(seconds, partial(self.post_message, event))
                return
            self._resized_at = time.monotonic()
            size = event.size if self.metered_driver is None else self.metered_driver.present_size(event.size)
            event.size = event.virtual_size = event.container_size = Size(*drawn_size(*size))
        await super().on_event(event)

    @on(Driver.SignalResume)
    def _draw_all(self) -> None:
        """Draw every cell after ctrl+z and fg, on an empty screen: Textual (8.2) may draw what has changed alone."""
        self.refresh(layout=True)

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """Return an SVG picture of the screen, whose columns line up in every viewer."""
        return with_placed_words(super().export_screenshot(title=title, simplify=simplify))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return the variables of our widgets that Textual's themes lack."""
        return HEAT_VARIABLES

    def choose_theme(self) -> None:
        """Register our themes and the best of Textual's, and set the chosen one or the one that suits the terminal."""
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = theme_for(self._theme_name, self.console.color_system)
        for name in self.available_themes.keys() - {theme.name for theme in THEMES}:
            self.unregister_theme(name)

    def ask(self, dialog: Screen[_OfDialog | None], then: Callable[[_OfDialog], object]) -> None:
        """Open a dialog; call `then` with its answer unless it was closed without one."""

        def follow(answer: _OfDialog | None) -> None:
            if answer is not None:
                then(answer)

        self.push_screen(dialog, follow)

    def pop_screen(self) -> AwaitComplete:
        """Close the top screen, and cancel its workers."""
        self.cancel_workers_of(self.screen)
        return super().pop_screen()

    def cancel_workers_of(self, screen: Screen[Any]) -> None:
        """Cancel the workers of a screen that is about to be removed, once each has started: one may write a file.

        Textual (8.2) cancels them only after it has removed the widgets, which a worker still running then lacks.
        That of a widget is cancelled as the widget is removed: it may use that widget alone, while it is attached.
        """

        async def cancel() -> None:
            await asyncio.sleep(0)  # lets each start its first thread
            self.workers.cancel_node(screen)

        self.call_next(cancel)

    def set_mouse(self, *, is_on: bool) -> None:
        """Have the terminal report the mouse, or release it for selecting text."""
        self.has_mouse = is_on
        if isinstance(self._driver, MeteredDriver | BrowserDriver):
            self._driver.set_mouse_reporting(is_on=is_on)

    def action_mouse(self) -> None:
        """Release the mouse to the terminal, or recapture it."""
        self.set_mouse(is_on=not self.has_mouse)
        self.notify(_MOUSE_ON if self.has_mouse else _MOUSE_OFF, markup=False)
