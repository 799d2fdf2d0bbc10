"""Type-ahead: keys and pastes that arrive right after a key that opens a line or a dialog go into it.

Without this they would still act on the screen before, since the line or dialog gets the focus only a few turns of the
event loop later. A screen lists such keys in `opening_keys`. Where the action of such a key is refused, the keys read
together with it are dropped: `pquick` while a run starts must not leave the program by its `q`.
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
from textual.widgets import Input

MAX_SECONDS = 5.0
"""The longest time that keys are buffered."""
DROP_SECONDS = 0.05
"""How long keys are dropped after a refusal: the keys of one read arrive one by one, from another thread."""
NEVER_BUFFERED = "ctrl+c"
_POLL_SECONDS = 0.01


class TypingAhead:
    """Buffers the key events of an app while a key of a screen opens a line or a dialog."""

    def __init__(self, app: App[Any], handle: Callable[[Event], Awaitable[None]]) -> None:
        """Start with an empty buffer; `handle` is the app's own handler of events."""
        self._app = app
        self._handle = handle
        self._opener: Key | None = None
        self._opener_has_acted = False
        self._acting: Event | None = None
        """The key whose action is running."""
        self._opened_on: Screen[Any] | None = None
        """The screen that the opener was pressed on."""
        self._buffer: deque[Key | Paste] = deque()
        self._buffering_until = 0.0
        self._dropping_until = 0.0
        self._timer: Timer | None = None

    async def handle(self, event: Event) -> None:
        """Buffer a key or a paste, or pass the event on. Called for every event of the app."""
        if isinstance(event, Key) and event.key == NEVER_BUFFERED:
            self._buffer.clear()  # the program ends: no line opens any more
            await self._handle(event)
        elif not isinstance(event, Key | Paste):
            await self._handle(event)
        elif event.is_forwarded:  # the key has bubbled up from the focused widget, and its action runs now
            self._acting = event
            await self._handle(event)
            self._acting = None
            self._opener_has_acted |= event is self._opener
        elif time.monotonic() < self._dropping_until:
            pass  # read together with a key that was refused
        elif self._timer is not None:
            self._buffer.append(event)
        else:
            await self._press(event)

    def drop(self) -> None:
        """Drop the keys after one whose action is refused: they were not meant for the screen."""
        if self._acting is self._opener:
            self._buffer.clear()
            self._dropping_until = time.monotonic() + DROP_SECONDS

    async def _press(self, key: Key | Paste) -> None:
        """Pass on a key or a paste; where a key opens a line or a dialog, buffer what follows."""
        if isinstance(key, Key) and self._opens(key.key):
            self._opener, self._opener_has_acted, self._opened_on = key, False, self._app.screen
            self._buffering_until = time.monotonic() + MAX_SECONDS
            self._timer = self._timer or self._app.set_interval(_POLL_SECONDS, self._flush)
        await self._handle(key)
        self._opener_has_acted |= key is self._opener and not key.is_forwarded  # the app has a binding with priority

    def _opens(self, key: str) -> bool:
        """Return whether a key opens a line or a dialog now."""
        screen = self._app.screen
        opening_keys: frozenset[str] = getattr(screen, "opening_keys", frozenset())
        return key in opening_keys and not isinstance(screen.focused, Input)

    def _is_opening(self) -> bool:
        """Return whether the line or dialog that the latest key opens has yet to get the focus."""
        screen = self._app.screen
        if isinstance(screen.focused, Input) or time.monotonic() > self._buffering_until:
            return False
        if screen is self._opened_on:
            return not self._opener_has_acted
        return not screen.is_mounted or (screen.focused is None and bool(screen.focus_chain))

    async def _flush(self) -> None:
        """Pass on the buffered keys once the line or dialog has the focus."""
        while self._buffer and not self._is_opening():
            await self._press(self._buffer.popleft())
        if self._timer is not None and not self._is_opening():
            self._timer.stop()
            self._timer = None
