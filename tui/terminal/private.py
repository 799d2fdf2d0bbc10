"""Textual's private names that the program uses outside of subclasses, and patches: the reason for its pin to 8.2.

A test fails for each patch once Textual no longer needs it.
"""
# ruff: noqa: SLF001 - the file for it

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from encodings import utf_8
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.control import Control
from textual import screen as textual_screen
from textual._compositor import ChopsUpdate
from textual.drivers import linux_driver
from textual.events import Resize
from textual.keys import _character_to_key
from textual.screen import Screen

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LAY_OUT, _REFRESH = Screen._on_resize, Screen._compositor_refresh
name_of_key = _character_to_key
"""Returns Textual's name of the key for a character: "question_mark"."""


class Actions:
    """A target of actions that is no widget."""

    def check_action(self, _action: str, _parameters: tuple[object, ...]) -> bool:
        """Return that every action may run."""
        return True


def update_screen(screen: Screen[Any]) -> None:
    """Lay out and draw what has changed, which Textual does up to 60 times a second."""
    screen._on_timer_update()


@contextmanager
def drawing_on_demand() -> Iterator[None]:
    """Make the screens created inside the block draw only when `update_screen` is called."""
    before = textual_screen.UPDATE_PERIOD
    textual_screen.UPDATE_PERIOD = 1e9  # type: ignore[misc] # a patch
    try:
        yield
    finally:
        textual_screen.UPDATE_PERIOD = before  # type: ignore[misc] # the same


def patch_textual() -> None:
    """Patch Textual (8.2) for every app of this process."""
    ChopsUpdate.render_segments = render_cropped  # type: ignore[assignment, method-assign] # a patch
    Screen._on_resize = _lay_out_for_present_size  # type: ignore[assignment, method-assign] # the same
    Screen._compositor_refresh = _refresh_once  # type: ignore[assignment, method-assign] # the same
    linux_driver.getincrementaldecoder = lambda _: KeyDecoder  # type: ignore[assignment] # the same


def render_cropped(update: ChopsUpdate, console: Console) -> str:
    """Return the output of an update, each line cropped on both sides, so that only changed cells are sent.

    Textual (8.2) crops a line on its right only ("TODO: crop to x extents" in `ChopsUpdate`).
    """
    pieces: list[str] = []
    last_line = update.spans[-1][0]
    for y, first, end in update.spans:
        for part_end, (part, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or part >= end or part_end <= first:
                continue
            start = max(part, first)
            pieces.append(Control.move_to(start, y).segment.text)
            pieces.append(strip.crop(start - part, min(part_end, end) - part).render(console))
        if y != last_line:
            pieces.append("\n")
    return "".join(pieces)


async def _lay_out_for_present_size(screen: Screen[Any], event: Resize) -> None:
    """Ignore a `Resize` whose size is not the terminal's any more.

    Each layout of Textual (8.2) posts its size to the screen once more: two sizes in the queue would replace each other
    forever.
    """
    if event.size == screen.app.size:
        await _LAY_OUT(screen, event)


def _refresh_once(screen: Screen[Any]) -> None:
    """Draw what has changed; what has below a dialog, once.

    Textual (8.2) marks that as changed again: at each further message to the screen below, a tick say, it would draw
    all that has changed since the dialog opened, soon the whole terminal.
    """
    is_required, regions = screen._repaint_required, screen._repaint_regions.copy()
    _REFRESH(screen)
    if screen is not screen.app.screen:
        screen._repaint_required, screen._repaint_regions = is_required, regions


class KeyDecoder(utf_8.IncrementalDecoder):
    """Decodes what the terminal sends. Textual's (8.2) decodes strictly, and reads on after the end of the file.

    One byte that is not UTF-8 would end the thread that reads keys, and with it the screen.
    """

    def __init__(self) -> None:
        super().__init__("replace")

    def decode(self, data: ReadableBuffer, final: bool = False) -> str:  # noqa: FBT001, FBT002 - as in the base class
        """Return the characters. Raises `OSError` at the end of the file, as reading does on Linux.

        macOS reports it by no data when the terminal is gone; Textual would go on without a pause.
        """
        if data == b"" and not final:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().decode(data, final)
