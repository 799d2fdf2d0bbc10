"""The lesson under test: a `LessonApp` over scripted sessions, one for each run that it starts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.config.run import RunConfig
from engine.model.vocab import UNK
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, run_started
from tests.tui.conftest import DEADLINE_SECONDS
from tui.app.lesson_app import LessonApp
from tui.lesson.progress import Progress, write_progress
from tui.lesson.runs import main_config
from tui.run.engine_bridge import EngineBridge, Session
from tui.run.view import RunView

PROGRESS = "progress.json"
OpenLesson = Callable[..., LessonApp]


class LessonSession(FakeSession):
    """A session whose model lacks the characters `$` and `~`."""

    def __init__(self, name: str = "lesson", **started: Any) -> None:
        super().__init__(started=run_started(run=name, **started))
        self.measures_baselines = True

    def answer(self, command: c.Command) -> e.Event:
        answer = super().answer(command)
        if isinstance(answer, e.TextTraced):
            ids = [
                UNK if char in "$~" else token_id
                for char, token_id in zip(answer.text, answer.token_ids[1:], strict=True)
            ]
            return replace(answer, token_ids=(answer.token_ids[0], *ids))
        return answer

    def commands(self, kind: type[c.Command]) -> list[c.Command]:
        """Return the commands of a kind so far."""
        return [command for command in self.received if isinstance(command, kind)]


class LateSession(LessonSession):
    """Ends after a `Stop` only once `may_end` is set, like a session that takes long to save."""

    def __init__(self, name: str = "lesson", **started: Any) -> None:
        super().__init__(name, **started)
        self.may_end = threading.Event()

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.Stop):
            assert self.may_end.wait(DEADLINE_SECONDS)
        return super().answer(command)


@pytest.fixture
def open_lesson(home: Path) -> Iterator[OpenLesson]:
    """Return a function that makes the app at a stop, over these sessions in turn; every thread ends with the test."""
    apps: list[LessonApp] = []

    def open_(*sessions: Session, stop: int = 1, done: frozenset[int] = frozenset()) -> LessonApp:
        remaining = iter(sessions)
        configs: list[RunConfig] = []

        def open_session(config: RunConfig, _on_stage: object) -> Session:
            configs.append(config)
            return next(remaining)

        write_progress(home / PROGRESS, Progress(stop, done))
        bridge = EngineBridge(main_config(), open_session)
        apps.append(LessonApp(bridge, RunView(), home / PROGRESS))
        return apps[-1]

    yield open_
    for bridge in (bridge for app in apps for bridge in app.bridges):
        bridge.stop("end of the test")
        assert bridge.join(DEADLINE_SECONDS)
