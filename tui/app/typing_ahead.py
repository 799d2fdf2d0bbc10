"""Type-ahead: a key that arrives while an earlier one may still open or close something waits until that has acted.

Without this it would act on the screen before, since a line or a dialog gets the focus, and a dialog is closed, only a
few turns of the event loop later. A screen lists the keys that open something in `opening_keys`; over the main screen
and in a line, every key counts that is not text. Where the action of such a key is refused, the keys read together with
it are dropped: `pquick` while a run starts must not leave the program by its `q`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.events import Event, Key, Paste
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from tui.app.main_screen import MainScreen

MAX_SECONDS = 5.0
"""The longest time that keys are buffered."""
DROP_SECONDS = 0.05
"""How long keys are dropped after a refusal: the keys of one read arrive one by one, from another thread."""
NEVER_BUFFERED = "ctrl+c"
_POLL_SECONDS = 0.01
_NUM_ECHOES = 3
"""A key bubbles up; its action posts a message, such as `Input.Submitted`; what handles that may post another."""


class _Echo(Event, bubble=True):
    """Posted to the focused widget, returns to the app once all that was posted there before has been handled."""

    def __init__(self, key: Key, number: int) -> None:
        super().__init__()
        self.key, self.number = key, number


class TypingAhead:
    """Buffers the key events of an app while a key may open or close a line or a dialog."""

    def __init__(self, app: App[Any], handle: Callable[[Event], Awaitable[None]]) -> None:
        """Start with an empty buffer; `handle` is the app's own handler of events."""
        self._app = app
        self._handle = handle
        self._switch: Key | None = None
        """The latest key that may open or close something."""
        self._target: Widget | None = None
        """The focused widget, or the screen without one, which has received it."""
        self._has_acted = False
        self._pressed_on: Screen[Any] | None = None
        self._seen: Screen[Any] | None = None
        """The screen that was on top at the last check."""
        self._acting: Event | None = None
        """The key whose action is running."""
        self._buffer: deque[Key | Paste] = deque()
        self._buffering_until = 0.0
        self._dropping_until = 0.0
        self._timer: Timer | None = None

    async def handle(self, event: Event) -> None:
        """Buffer a key or a paste, or pass the event on. Called for every event of the app."""
        if isinstance(event, _Echo):
            await self._receive(event)
        elif isinstance(event, Key) and event.key == NEVER_BUFFERED:
            self._buffer.clear()  # the program ends: no line opens any more
            await self._handle(event)
        elif not isinstance(event, Key | Paste):
            await self._handle(event)
        elif event.is_forwarded:  # the key has bubbled up from the focused widget, and its action runs now
            self._acting = event
            await self._handle(event)
            self._acting = None
        elif time.monotonic() < self._dropping_until:
            pass  # read together with a key that was refused
        elif self._timer is not None:
            self._buffer.append(event)
        else:
            await self._press(event)

    def drop(self) -> None:
        """Drop the keys after one whose action is refused: they were not meant for the screen.

        Also called while no key's action runs: a message that the key has posted is refused, or a mouse click or a
        command of the palette, which look the same here and drop the keys of the next `DROP_SECONDS` too.
        """
        if self._acting is None or self._acting is self._switch:
            self._buffer.clear()
            self._dropping_until = time.monotonic() + DROP_SECONDS

    async def _press(self, key: Key | Paste) -> None:
        """Pass on a key or a paste; where a key may open or close something, buffer what follows."""
        if not isinstance(key, Key) or not self._may_switch(key):
            await self._handle(key)
            return
        self._switch, self._has_acted = key, False
        self._pressed_on = self._seen = self._app.screen
        self._target = self._app.focused or self._app.screen
        self._buffering_until = time.monotonic() + MAX_SECONDS
        self._timer = self._timer or self._app.set_interval(_POLL_SECONDS, self._flush)
        await self._handle(key)
        self._target.post_message(_Echo(key, 1))

    def _may_switch(self, key: Key) -> bool:
        """Return whether a key may open or close a line or a dialog."""
        screen = self._app.screen
        if isinstance(screen.focused, Input):
            return not key.is_printable
        opening_keys: frozenset[str] = getattr(screen, "opening_keys", frozenset())
        return key.key in opening_keys or not isinstance(screen, MainScreen)

    async def _receive(self, echo: _Echo) -> None:
        """Send the echo of the latest key another time, or go on."""
        if echo.key is not self._switch or self._target is None:
            return
        if echo.number < _NUM_ECHOES:
            self._target.post_message(_Echo(echo.key, echo.number + 1))
        else:
            self._has_acted = True
            await self._flush()

    def _is_switching(self) -> bool:
        """Return whether the latest key has yet to act, or what it opens to get the focus. Called once at a time."""
        screen, before = self._app.screen, self._seen
        self._seen = screen
        if time.monotonic() > self._buffering_until:
            return False
        if screen is self._pressed_on:
            return not self._has_acted and self._target is not None and self._target.is_attached
        is_new = screen is not before  # what has closed a dialog may open another
        return is_new or not screen.is_mounted or (screen.focused is None and bool(screen.focus_chain))

    async def _flush(self) -> None:
        """Pass on the buffered keys, one after the other."""
        while not self._is_switching():
            if not self._buffer:
                break
            await self._press(self._buffer.popleft())
        else:
            return
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
