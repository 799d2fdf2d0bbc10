"""The lesson under test: a `LessonApp` over scripted sessions, one for each run that it starts."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec import structs

from engine.config.run import RunConfig
from engine.model.vocab import UNK
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from tests.fakes import FakeSession, run_started
from tests.tui.conftest import DEADLINE_SECONDS, Running, idle, wait_until
from tui.lesson.run import main_config
from tui.lesson.stops import Progress, write_progress
from tui.process.local import LocalRun
from tui.run.connection import RunConnection
from tui.run.view import RunView
from tui.screens.lesson import screen
from tui.screens.lesson.app import LessonApp
from tui.screens.lesson.screen import LessonScreen
from tui.terminal.private import update_screen

PROGRESS = "progress.json"
Kind = TypeVar("Kind")


class LessonSession(FakeSession):
    """A session whose model lacks the characters `$` and `~`."""

    def __init__(self, name: str = "lesson", **started: Any) -> None:
        super().__init__(started=run_started(run=name, **started))
        self.measures_baselines = True
        self.may_end = threading.Event()
        """A `Stop` is answered once it is set, as by a session that takes long to save; it is set from the start."""
        self.may_end.set()

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.Stop):
            assert self.may_end.wait(DEADLINE_SECONDS)
        answer = super().answer(command)
        if isinstance(answer, insight.TextTraced):
            pairs = zip(answer.text, answer.token_ids[1:], strict=True)
            ids = [UNK if char in "$~" else token_id for char, token_id in pairs]
            return structs.replace(answer, token_ids=(answer.token_ids[0], *ids))
        return answer

    def commands(self, kind: type[Kind]) -> list[Kind]:
        """Return the commands of a kind so far."""
        return [command for command in self.received if isinstance(command, kind)]


class Visit(Running):
    """A lesson on the screen; its session is that of its first run."""

    @property
    def screen(self) -> LessonScreen:
        return next(screen for screen in self.app.screen_stack if isinstance(screen, LessonScreen))

    @property
    def view(self) -> RunView:
        return self.screen.run.view

    @property
    def config(self) -> RunConfig:
        """The config of the latest run, also once the screen is closed."""
        app: Any = self.app
        assert isinstance(app, LessonApp)
        return app.connection.config

    async def settle(self) -> None:
        """Handle all messages, and draw what has happened so far."""
        await idle()
        if self.app.is_running:
            self.screen.tick()
            await idle()
            update_screen(self.app.screen)

    async def shows(self, *words: str) -> None:
        await self.press(shows=words)

    async def is_in(self, phase: str) -> None:
        await wait_until(lambda: self.view.phase == phase, phase)

    async def is_ready(self) -> None:
        """Wait until the run accepts commands and the view was notified."""
        await wait_until(lambda: self.screen.run.is_ready and self.screen._is_announced, "the run")


Open = Callable[..., AbstractAsyncContextManager[Visit]]


@pytest.fixture
def visit(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Return a context manager that runs the lesson at a stop over sessions; every thread ends with the test."""
    monkeypatch.setattr(screen, "_TICK_SECONDS", 0.02)  # tests wait for what a tick shows
    apps: list[LessonApp] = []

    @asynccontextmanager
    async def visit(
        *sessions: Any,
        stop: int = 1,
        done: frozenset[int] = frozenset(),
        size: tuple[int, int] = (80, 24),
        is_ready: bool = True,
    ) -> AsyncIterator[Visit]:
        remaining = iter(sessions)
        write_progress(home / PROGRESS, Progress(stop, done))

        def open_run(config: RunConfig, before: RunConnection | None) -> LocalRun:
            return LocalRun(config, lambda _config, _on_stage: next(remaining), before)

        apps.append(LessonApp(open_run(main_config(), None), open_run, RunView(), home / PROGRESS))
        async with apps[-1].run_test(size=size) as pilot:
            app: Any = apps[-1]
            at = Visit(app, pilot, sessions[0])
            await wait_until(lambda: app.lesson_screen.is_mounted and app.lesson_screen._num_ticks, "the first tick")
            if is_ready:
                await at.is_ready()
            yield at

    yield visit
    for app in apps:
        app.connection.stop("end of the test")
        assert app.connection.wait(DEADLINE_SECONDS)
