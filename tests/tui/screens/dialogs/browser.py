"""The checkpoint browser over a scripted run, and what it shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Static

from engine.checkpoints.catalog import CheckpointEntry
from engine.protocol import events as e
from engine.storage.folders import home as data_folder
from tests.engine.checkpoints.saved import checkpoint_info
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, wait_until
from tui.app.app import TweetgenApp
from tui.process.outcome import Outcome
from tui.screens.dialogs.checkpoint_browser import CheckpointBrowser
from tui.widgets.checkpoints.table import CheckpointTable

SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))
STARTED = run_started(run="now")
Entries = Callable[[], Iterable[CheckpointEntry]]


def entry(name: str, problem: str = "", saved_at: float = 1.79e9, **changes: Any) -> CheckpointEntry:
    """Return an entry without a file."""
    return CheckpointEntry(
        name=name,
        path=data_folder() / "checkpoints" / f"{name.replace('/', ' ')}.safetensors",
        saved_at=saved_at,
        num_bytes=1_800_000,
        info=None if problem else checkpoint_info(**changes),
        problem=problem,
    )


@dataclass
class Browsing:
    """A browser that is open over a run."""

    app: TweetgenApp
    pilot: Pilot[Outcome]
    session: FakeSession

    @property
    def table(self) -> CheckpointTable:
        return next(screen for screen in self.app.screen_stack if isinstance(screen, CheckpointBrowser)).query_one(
            CheckpointTable
        )

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.table.entries]

    @property
    def current(self) -> str:
        return self.table.current.name if self.table.current else ""

    async def says(self, words: str, line: str = "#notice") -> None:
        await wait_until(lambda: words in str(self.app.screen.query_one(line, Static).render()), words)


@asynccontextmanager
async def browsing(
    stage: Stage, entries: Entries, *script: e.Event, size: tuple[int, int] = (80, 24), **options: Any
) -> AsyncIterator[Browsing]:
    """Open the browser over a run whose script is on screen, and wait until the list has been read."""
    session = FakeSession((*SCRIPT, *script), STARTED)
    app = stage.app(session, entries=entries, **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        await wait_until(lambda: app.summary_view.num_tweets == 1, "the script's end")
        await pilot.press("l")
        await opened(app, CheckpointBrowser)
        await wait_until(lambda: "reading" not in str(app.screen.query_one("#box").border_title), "the end of reading")
        yield Browsing(app, pilot, session)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
