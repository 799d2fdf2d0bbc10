"""An app around one X-ray panel, which records what it asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from textual.app import App, ComposeResult

from engine.protocol.commands import Insight
from engine.protocol.events import InsightEvent
from tests.fakes import FakeClock, FakeSession
from tests.tui.conftest import wait_until
from tui.formatting.loss_units import LossUnit
from tui.terminal.capabilities import GlyphSet
from tui.widgets.xray.panel import XrayPanel
from tui.xray.spans import plain
from tui.xray.view_names import ViewName

Kind = TypeVar("Kind", bound=Insight)


class PanelApp(App[None]):
    """Shows a panel; `answer` answers its commands as a session does."""

    glyphs: GlyphSet = "braille"
    loss_unit: LossUnit = "bits"
    num_waiting_bytes = 0

    def __init__(self, text: str, view: ViewName = "step") -> None:
        super().__init__()
        self.clock = FakeClock()
        self.panel = XrayPanel(text, view, self.clock)
        self.asked: list[Insight] = []
        self._session = FakeSession()
        self._num_answered = 0

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_xray_panel_asked(self, message: XrayPanel.Asked) -> None:
        self.asked.append(message.command)

    @property
    def shown(self) -> str:
        """The panel as text."""
        return plain(self.panel.picture)

    async def answer(self, change: Callable[[InsightEvent], InsightEvent] = lambda event: event) -> None:
        """Wait for a command, and answer all until no more come."""
        await wait_until(lambda: len(self.asked) > self._num_answered, "a command")
        while len(self.asked) > self._num_answered:
            event = self._session.answer(self.asked[self._num_answered])
            assert isinstance(event, InsightEvent)
            self._num_answered += 1
            self.panel.show(change(event))
            handled = asyncio.Event()  # by the panel, the screen and the app: so a command takes its way
            self.panel.call_later(self.screen.call_later, self.call_later, handled.set)
            await handled.wait()

    async def shows(self, *words: str) -> None:
        """Wait until the panel shows all of `words`."""
        for word in words:
            await wait_until(lambda word=word: word in self.shown, f"{word!r} in\n{self.shown}")  # type: ignore[misc]
