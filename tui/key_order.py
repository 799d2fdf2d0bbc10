"""`KeyOrder`: hands a key on once what the key before it did has settled.

Textual (8.2) gives each key at once to whatever has the focus. Keys that arrive in one read, after a line has stalled
or from a person who types ahead, would so pass by the line or dialog that the first of them opens, and a name would be
a row of commands. Here the others wait until the handler of the one before has run, the screen that it opened is
composed and the focus is where it was asked to be. It never waits without end, nor holds back a key that comes alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from textual.app import App, ScreenStackError
from textual.dom import DOMNode
from textual.events import Key, Paste
from textual.widgets import Input

_TURN_SECONDS = 0.02
_PATIENCE = 15.0
"""Turns that what a key does may take, 0.3 s together. A machine that stalls uses none up: nothing is done meanwhile.

What takes longer is stuck, or waits for more than the screen.
"""
_COST_OF_COMPOSING = 0.1
"""Of a turn in which a screen opens: there is nothing in it to hand a key to yet."""
_URGENT = {"ctrl+c", "ctrl+z"}


class KeyOrder:
    """The keys and pasted texts that wait for the one before them."""

    def __init__(self, app: App[None], hand_on: Callable[[Key | Paste], Awaitable[None]]) -> None:
        """Hand on with `hand_on`, called among the messages of the app."""
        self._app = app
        self._hand_on = hand_on
        self._waiting: deque[Key | Paste] = deque()
        self._settling: asyncio.Task[None] | None = None

    @property
    def num_waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def take(self, event: Key | Paste) -> None:
        """Hand a key or pasted text on, now or in its turn. A key that leaves the program passes all others by."""
        if isinstance(event, Key) and event.key in _URGENT:
            await self._hand_on(event)
            return
        self._waiting.append(event)
        if self._settling is None:
            if self._app.screen.is_mounted:
                await self._go_on()
            else:
                self._settling = asyncio.create_task(self._settle(None, 0))

    async def _go_on(self) -> None:
        """Hand on as many as can be."""
        self._settling = None
        while self._waiting and self._settling is None:
            event = self._waiting.popleft()
            is_mere_text, num_screens = self._is_mere_text(event), len(self._app.screen_stack)
            await self._hand_on(event)
            if not is_mere_text:
                self._settling = asyncio.create_task(self._settle(event, num_screens))

    def _is_mere_text(self, event: Key | Paste) -> bool:
        """Say whether this goes into a line that has the focus, and so moves it nowhere."""
        return isinstance(self._app.focused, Input) and (isinstance(event, Paste) or event.is_printable)

    async def _settle(self, event: Key | Paste | None, num_screens: int) -> None:
        """Wait until all is done that a key began, then go on with the next; there were so many screens before.

        The key that has closed a dialog was meant for that, however often it was pressed.
        """
        resting = asyncio.create_task(self._rest())
        patience = _PATIENCE
        try:
            while patience > 0 and not resting.done():
                patience -= 1 if self._app.screen.is_mounted else _COST_OF_COMPOSING
                await asyncio.wait({resting}, timeout=_TURN_SECONDS)
            if len(self._app.screen_stack) < num_screens:
                while self._waiting and _is_same_key(self._waiting[0], event):
                    self._waiting.popleft()
        except ScreenStackError:  # the app is ending
            pass
        finally:
            resting.cancel()
            self._app.call_later(self._go_on)

    async def _rest(self) -> None:
        """Return once nothing is on its way any more between what has the focus and the app.

        A key rises to the app, which acts; what that posts, the focus that it asks for included, takes a second round.
        """
        num_quiet = 0
        while num_quiet < 2 and self._app.is_running:
            screen, focused = self._app.screen, self._app.focused
            path: list[DOMNode] = (focused or screen).ancestors_with_self
            for node in path:
                await _reach(node)
            is_same = (screen, focused) == (self._app.screen, self._app.focused)
            is_quiet = is_same and screen.is_mounted and not screen._callbacks  # noqa: SLF001 - calls after a refresh
            num_quiet = num_quiet + 1 if is_quiet else 0


def _is_same_key(event: Key | Paste, other: Key | Paste | None) -> bool:
    """Say whether both are of the same key."""
    return isinstance(event, Key) and isinstance(other, Key) and event.key == other.key


async def _reach(node: DOMNode) -> None:
    """Wait until a node has dealt with all messages that it has now."""
    reached = asyncio.get_running_loop().create_future()

    def note() -> None:
        if not reached.done():  # who waited has lost patience
            reached.set_result(None)

    if node.call_later(note):
        await reached
