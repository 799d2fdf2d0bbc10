"""Typing ahead: keys and pastes that arrive right after a key that opens a line or a dialog go into it.

Without this they would still act on the screen before, since what opens gets the focus a few turns of the loop later.
Which keys open something, a screen says by its `opening_keys`. Where the action of such a key is refused, what came in
one go with it is dropped: `pquick` while a run starts must not leave the program by its `q`.
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

MAX_SECONDS = 1.0
"""How long keys are held back at most."""
DROP_SECONDS = 0.05
"""How long keys are dropped after a refusal: those of one read arrive one by one, from another thread."""
NEVER_HELD = "ctrl+c"
_LOOK_SECONDS = 0.01


class TypingAhead:
    """Holds the events of an app's keys back while a key of a screen opens something."""

    def __init__(self, app: App[Any], handle: Callable[[Event], Awaitable[None]]) -> None:
        """Hold nothing back; `handle` is what the app does with an event."""
        self._app = app
        self._handle = handle
        self._opener: Key | None = None
        self._opener_has_acted = False
        self._acting: Event | None = None
        """The key whose action runs now."""
        self._opened_on: Screen[Any] | None = None
        """The screen that the opener was pressed on."""
        self._held: deque[Key | Paste] = deque()
        self._held_until = 0.0
        self._dropping_until = 0.0
        self._timer: Timer | None = None

    async def handle(self, event: Event) -> None:
        """Hold a key or a paste back, or have the event handled. Called for every event of the app."""
        if isinstance(event, Key) and event.key == NEVER_HELD:
            self._held.clear()  # the program is to end: what was typed before has no line any more
            await self._handle(event)
        elif not isinstance(event, Key | Paste):
            await self._handle(event)
        elif event.is_forwarded:  # the key has come up from the widget in focus, and its action runs now
            self._acting = event
            await self._handle(event)
            self._acting = None
            self._opener_has_acted |= event is self._opener
        elif time.monotonic() < self._dropping_until:
            pass  # in one go with a key that was refused
        elif self._timer is not None:
            self._held.append(event)
        else:
            await self._press(event)

    def drop(self) -> None:
        """Forget what was typed behind the key whose action runs and is refused: it was not meant for the screen."""
        if self._acting is self._opener:
            self._held.clear()
            self._dropping_until = time.monotonic() + DROP_SECONDS

    async def _press(self, key: Key | Paste) -> None:
        """Send a key or a paste on its way; where a key opens something, begin to hold back what follows."""
        if isinstance(key, Key) and self._opens(key.key):
            self._opener, self._opener_has_acted, self._opened_on = key, False, self._app.screen
            self._held_until = time.monotonic() + MAX_SECONDS
            self._timer = self._timer or self._app.set_interval(_LOOK_SECONDS, self._hand_on)
        await self._handle(key)
        self._opener_has_acted |= key is self._opener and not key.is_forwarded  # the app has a binding with priority

    def _opens(self, key: str) -> bool:
        """Say whether a key opens a line or a dialog now."""
        screen = self._app.screen
        opening_keys: frozenset[str] = getattr(screen, "opening_keys", frozenset())
        return key in opening_keys and not isinstance(screen.focused, Input)

    def _is_opening(self) -> bool:
        """Say whether what the latest key opens has yet to get the focus."""
        screen = self._app.screen
        if isinstance(screen.focused, Input) or time.monotonic() > self._held_until:
            return False
        if screen is self._opened_on:
            return not self._opener_has_acted
        return not screen.is_mounted or (screen.focused is None and bool(screen.focus_chain))

    async def _hand_on(self) -> None:
        """Hand on what was held back, once what was opened can take them."""
        while self._held and not self._is_opening():
            await self._press(self._held.popleft())
        if self._timer is not None and not self._is_opening():
            self._timer.stop()
            self._timer = None
