"""Typing ahead: keys and pastes that arrive right after a key that opens a line or a dialog go into it.

Without this they would still act on the main screen, since what opens gets the focus a few turns of the loop later.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable

from textual.app import App
from textual.events import Event, Key, Paste
from textual.timer import Timer
from textual.widgets import Input

from tui.key_map import mapped
from tui.keys import MAIN_KEYS
from tui.screens.run_screen import RunScreen

MAX_SECONDS = 1.0
"""How long keys are held back at most."""
NEVER_HELD = "ctrl+c"
_LOOK_SECONDS = 0.01


class TypingAhead:
    """Holds the events of an app's keys back while a key of the main screen opens something."""

    def __init__(self, app: App[None], handle: Callable[[Event], Awaitable[None]]) -> None:
        """Hold nothing back; `handle` is what the app does with an event."""
        self._app = app
        self._handle = handle
        self._opener: Key | None = None
        self._opener_has_acted = False
        self._held: deque[Key | Paste] = deque()
        self._held_until = 0.0
        self._timer: Timer | None = None

    async def handle(self, event: Event) -> None:
        """Hold a key or a paste back, or have the event handled. Called for every event of the app."""
        if isinstance(event, Key) and event.key == NEVER_HELD:
            self._held.clear()  # the program is to end: what was typed before has no line any more
            await self._handle(event)
        elif not isinstance(event, Key | Paste):
            await self._handle(event)
        elif event.is_forwarded:  # the key has come up from the widget in focus, and its action runs now
            await self._handle(event)
            self._opener_has_acted |= event is self._opener
        elif self._timer is not None:
            self._held.append(event)
        else:
            await self._press(event)

    async def _press(self, key: Key | Paste) -> None:
        """Send a key or a paste on its way; where a key opens something, begin to hold back what follows."""
        if isinstance(key, Key) and self._opens(key.key):
            self._opener, self._opener_has_acted = key, False
            self._held_until = time.monotonic() + MAX_SECONDS
            self._timer = self._timer or self._app.set_interval(_LOOK_SECONDS, self._hand_on)
        await self._handle(key)
        self._opener_has_acted |= key is self._opener and not key.is_forwarded  # the app has a binding with priority

    def _opens(self, key: str) -> bool:
        """Say whether a key opens a line or a dialog now."""
        screen = self._app.screen
        if not isinstance(screen, RunScreen) or isinstance(screen.focused, Input):
            return False
        return any(each.opens and key in each.keys.split(",") for each in mapped(MAIN_KEYS, screen.key_map))

    def _is_opening(self) -> bool:
        """Say whether what the latest key opens has yet to get the focus."""
        screen = self._app.screen
        if isinstance(screen.focused, Input) or time.monotonic() > self._held_until:
            return False
        if isinstance(screen, RunScreen):
            return screen.is_typing or not self._opener_has_acted
        return screen.focused is None

    async def _hand_on(self) -> None:
        """Hand on what was held back, once what was opened can take them."""
        while self._held and not self._is_opening():
            await self._press(self._held.popleft())
        if self._timer is not None and not self._is_opening():
            self._timer.stop()
            self._timer = None
