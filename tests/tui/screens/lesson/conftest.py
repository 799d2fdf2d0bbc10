"""The lesson under test: a `LessonApp` over scripted sessions, one for each run that it starts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from engine.model.vocab import UNK
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, run_started
from tests.tui.conftest import DEADLINE_SECONDS, wait_until
from tui.app.lesson_app import LessonApp
from tui.lesson.progress import Progress, write_progress
from tui.lesson.runs import main_config
from tui.run.engine_bridge import EngineBridge, Session
from tui.run.view import RunView
from tui.screens.lesson.screen import LessonScreen

PROGRESS = "progress.json"
OpenLesson = Callable[..., LessonApp]
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
        if isinstance(answer, e.TextTraced):
            pairs = zip(answer.text, answer.token_ids[1:], strict=True)
            ids = [UNK if char in "$~" else token_id for char, token_id in pairs]
            return replace(answer, token_ids=(answer.token_ids[0], *ids))
        return answer

    def commands(self, kind: type[Kind]) -> list[Kind]:
        """Return the commands of a kind so far."""
        return [command for command in self.received if isinstance(command, kind)]


async def ready(app: LessonApp) -> LessonScreen:
    """Wait until the run accepts commands and the view was notified."""
    screen = app.lesson_screen
    await wait_until(lambda: screen.is_mounted and screen.lesson.run.is_ready and screen._is_announced, "the run")
    return screen


@pytest.fixture
def open_lesson(home: Path) -> Iterator[OpenLesson]:
    """Return a function that makes the app at a stop, over these sessions in turn; every thread ends with the test."""
    apps: list[LessonApp] = []

    def open_(*sessions: Session, stop: int = 1, done: frozenset[int] = frozenset()) -> LessonApp:
        remaining = iter(sessions)
        write_progress(home / PROGRESS, Progress(stop, done))
        bridge = EngineBridge(main_config(), lambda _config, _on_stage: next(remaining))
        apps.append(LessonApp(bridge, RunView(), home / PROGRESS))
        return apps[-1]

    yield open_
    for bridge in (bridge for app in apps for bridge in app.bridges):
        bridge.stop("end of the test")
        assert bridge.join(DEADLINE_SECONDS)
