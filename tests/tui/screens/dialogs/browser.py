"""The checkpoint browser over a scripted run, and what it shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.checkpoints.catalog import CheckpointEntry
from engine.protocol import events as e
from engine.storage.folders import home as data_folder
from tests.engine.checkpoints.saved import checkpoint_info
from tests.fakes import FakeSession, run_started
from tests.tui.conftest import SCRIPT, Running, Stage
from tui.screens.dialogs.checkpoint_browser import CheckpointBrowser
from tui.widgets.checkpoints import table
from tui.widgets.checkpoints.table import CheckpointTable

NOW = datetime(2026, 11, 25, 15, 0).timestamp()  # noqa: DTZ001 - shown in local time, too
STARTED = run_started(run="now")
Entries = Callable[[], Iterable[CheckpointEntry]]


def entry(name: str, problem: str = "", hours: float = 5.2, **changes: Any) -> CheckpointEntry:
    """Return an entry without a file, saved some hours ago."""
    return CheckpointEntry(
        name=name,
        path=data_folder() / "checkpoints" / f"{name.replace('/', ' ')}.safetensors",
        saved_at=NOW - 3600 * hours,
        num_bytes=1_800_000,
        info=None if problem else checkpoint_info(**{"last_eval_step": changes.get("step", 2), **changes}),
        problem=problem,
    )


class Browsing(Running):
    """A browser that is open over a run."""

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


@asynccontextmanager
async def browsing(
    stage: Stage, entries: Entries, *script: e.Event, size: tuple[int, int] = (80, 24), **options: Any
) -> AsyncIterator[Browsing]:
    """Open the browser over a run whose script is on screen, and wait until the list has been read."""
    session = FakeSession((*SCRIPT, *script), STARTED)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(table, "time", SimpleNamespace(time=lambda: NOW))
        async with stage.running(session, size, entries=entries, **options) as at:
            await at.press("l", opens=CheckpointBrowser)
            yield Browsing(*at)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
