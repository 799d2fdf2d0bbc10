"""The screen under test: a `TweetgenApp` over a scripted session, and waiting for what it shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from engine.checkpoint_list import CheckpointEntry
from engine.config import RunConfig
from tests.fakes import FakeSession
from tui.app import TweetgenApp
from tui.bridge import EngineBridge, Session
from tui.state import RunView

DEADLINE_SECONDS = 10.0
SIZES = [(120, 40), (80, 24)]


async def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Let the app work until `condition` holds; fail after the deadline."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        await asyncio.sleep(0.01)


def screen_text(app: TweetgenApp) -> str:
    """Return what the terminal would show, as plain text."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in lines)


async def shows(app: TweetgenApp, *words: str) -> None:
    """Wait until the terminal shows all of `words`: a screen that was just opened is not laid out at once."""
    for word in words:
        await until(lambda word=word: word in screen_text(app), word)  # type: ignore[misc]


async def opened(app: TweetgenApp, kind: type[Screen[Any]]) -> None:
    """Wait until a screen of this kind is on top, composed and laid out."""
    await until(lambda: isinstance(app.screen, kind) and screen_text(app).strip(), kind.__name__)


@dataclass
class Stage:
    """Makes apps over sessions, and ends their threads."""

    bridges: list[EngineBridge] = field(default_factory=list)

    def app(
        self,
        session: Session,
        history: RunView | None = None,
        entries: Callable[[], list[CheckpointEntry]] = list,
    ) -> TweetgenApp:
        """Return an app whose bridge opens `session`."""
        bridge = EngineBridge(RunConfig(), lambda _config, _on_stage: session)
        self.bridges.append(bridge)
        return TweetgenApp(RunConfig(), bridge, history, entries)


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Return a stage; every thread started on it ends with the test."""
    stage = Stage()
    yield stage
    for bridge in stage.bridges:
        bridge.stop("end of the test")
        assert bridge.join(DEADLINE_SECONDS)


async def press(pilot: Pilot[None], session: FakeSession, key: str, num_commands: int = 1) -> None:
    """Press a key and wait until the session has taken that many further commands."""
    wanted = len(session.received) + num_commands
    await pilot.press(key)
    await until(lambda: len(session.received) >= wanted, f"a command after {key}")
