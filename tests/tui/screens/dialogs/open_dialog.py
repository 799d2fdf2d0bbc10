"""The dialog for other tweets over a scripted run, and what it shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual import events
from textual.screen import Screen
from textual.widgets import Input

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Running, Stage, wait_until
from tui.screens.dialogs.open import OpenDialog
from tui.widgets.input.file_list import FileList


class Opening(Running):
    """A run over which the dialog is open."""

    @property
    def chosen(self) -> str | None:
        """The name of the highlighted entry."""
        lists = list(self.app.screen.query(FileList))
        entry = lists[0].chosen if lists else None
        return None if entry is None else entry.path.name

    @property
    def line(self) -> str:
        return self.app.screen.query_one(Input).value

    async def chooses(self, name: str) -> None:
        await wait_until(lambda: self.chosen == name, name)

    def type_at_once(self, text: str, *keys: str) -> None:
        """Clear the line, type a path and press further keys, without waiting in between."""
        for key in ("ctrl+a", "ctrl+k", *text, *keys):
            self.app.post_message(events.Key(key, key if len(key) == 1 else None))

    async def paste(self, text: str, **then: Any) -> None:
        self.app.post_message(events.Paste(text))
        await self.press(**then)


def on_first(folder: Path) -> RunConfig:
    """Return the config of a run on the first file."""
    return RunConfig(corpus=CorpusConfig(files=(str(folder / "first.csv"),)), settings={"hidden_size": 16})


def second_session() -> FakeSession:
    return FakeSession((steps_finished(1, [3.5]), tweet_sampled("second to none", 1)), run_started(run="second-run"))


@asynccontextmanager
async def opening(
    stage: Stage,
    folder: Path,
    session: FakeSession | None = None,
    size: tuple[int, int] = (80, 24),
    further: Iterable[FakeSession] = (),
) -> AsyncIterator[Opening]:
    """Open the dialog over a run on the first file of a folder."""
    async with stage.running(session, size, further=further, config=on_first(folder)) as at:
        await at.press("o", opens=OpenDialog)
        opening = Opening(*at)
        await opening.chooses("first.csv")
        yield opening


def checked_names(stage: Stage) -> list[str]:
    """Return the names of the checked files."""
    return [Path(config.corpus.files[0]).name for config in stage.checked if config.corpus]


async def has_no_worker(screen: Screen[Any]) -> None:
    """Wait until each worker of a screen has ended or was cancelled."""
    await wait_until(
        lambda: not any(each.node is screen and not each.is_finished for each in screen.workers), "their end"
    )
