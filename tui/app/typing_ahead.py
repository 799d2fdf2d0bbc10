"""Type-ahead: a key that arrives while an earlier one may still open or close something waits until that has acted.

Without this it would act on the screen before, since a line or a dialog gets the focus, and a dialog is closed, only a
few turns of the event loop later. On the main screen the keys of `opening_keys` do that, in a line every key that is no
text, and elsewhere any key may. Where the action of such a key is refused, the keys read together with it are dropped:
`pquick` while a run starts must not leave the program by its `q`.
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
_POLL_SECONDS = 0.01
_NUM_RETURNS = 3
"""A key bubbles up; its action posts a message, such as `Input.Submitted`; what handles that may post another."""


class _Switch(Event, bubble=True):
    """A key that may open or close something.

    Posted to the widget that receives the key, it returns to the app once all that was posted there before is handled.
    """

    def __init__(self, key: Key, screen: Screen[Any], target: Widget) -> None:
        super().__init__()
        self.key, self.screen, self.target = key, screen, target
        self.deadline = time.monotonic() + MAX_SECONDS
        self.num_returns = 0
        self.seen = screen
        """The screen that was on top at the last check."""

    def is_done(self, screen: Screen[Any]) -> bool:
        """Return whether the key has acted, and what it opens has the focus; `screen` is on top. Called once a poll."""
        before, self.seen = self.seen, screen
        if time.monotonic() > self.deadline:
            return True
        if screen is self.screen:
            return self.num_returns >= _NUM_RETURNS or not self.target.is_attached
        # what has closed a dialog may open another
        return screen is before and screen.is_mounted and (screen.focused is not None or not screen.focus_chain)


class _Interrupt(Event, bubble=True):
    """ctrl+c. Posted to the widget that receives keys, it returns to the app behind those typed before it."""


class TypingAhead:
    """Buffers the key events of an app while a key may open or close a line or a dialog."""

    def __init__(
        self, app: App[Any], handle: Callable[[Event], Awaitable[None]], interrupt: Callable[[], None]
    ) -> None:
        """Start with an empty buffer; `handle` is the app's own handler of events, `interrupt` that of ctrl+c."""
        self._app, self._handle, self._interrupt = app, handle, interrupt
        self._switch: _Switch | None = None
        """The latest key that may open or close something."""
        self._acting: Event | None = None
        """The key whose action is running."""
        self._buffer: deque[Key | Paste] = deque()
        self._dropping_until = 0.0
        self._timer: Timer | None = None
        """Runs while keys are buffered."""

    async def handle(self, event: Event) -> None:
        """Buffer a key or a paste, or pass the event on. Called for every event of the app."""
        if isinstance(event, _Switch):
            event.num_returns += 1
            if event.num_returns < _NUM_RETURNS:
                event.target.post_message(event.stop(False))  # noqa: FBT003 - Textual (8.2) stops what returns to its sender
        elif isinstance(event, _Interrupt):
            self._interrupt()
        elif not isinstance(event, Key | Paste):
            await self._handle(event)
        elif isinstance(event, Key) and event.key == "ctrl+c":
            self._buffer.clear()  # the program ends: no line opens any more
            if not (self._app.focused or self._app.screen).post_message(_Interrupt()):
                self._interrupt()
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
        if self._acting is None or (self._switch is not None and self._acting is self._switch.key):
            self._buffer.clear()
            self._dropping_until = time.monotonic() + DROP_SECONDS

    async def _press(self, key: Key | Paste) -> None:
        """Pass on a key or a paste; where a key may open or close something, buffer what follows."""
        if not isinstance(key, Key) or not self._may_switch(key):
            await self._handle(key)
            return
        self._switch = switch = _Switch(key, self._app.screen, self._app.focused or self._app.screen)
        self._timer = self._timer or self._app.set_interval(_POLL_SECONDS, self._flush)
        await self._handle(key)
        switch.target.post_message(switch)

    def _may_switch(self, key: Key) -> bool:
        screen = self._app.screen
        if isinstance(screen.focused, Input):
            return not key.is_printable
        return not isinstance(screen, MainScreen) or key.key in screen.opening_keys

    async def _flush(self) -> None:
        """Pass on the buffered keys, one after the other, each once the one before has acted."""
        while self._switch is None or self._switch.is_done(self._app.screen):
            if self._buffer:
                await self._press(self._buffer.popleft())
                continue
            if self._timer is not None:
                self._timer.stop()
            self._timer = None
            return
