"""The program with a scripted run in place of one that trains: it needs no torch, and breaks where a test wants it.

$BREAKS says where: see `_break`. What breaks its screen on purpose first creates the file `broken` in the data folder.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from engine.config.run import RunConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import folder_of_run, home
from engine.storage.journal import Journal
from tests.fakes import FakeSession, checkpoint_saved, run_started, steps_finished, tweet_sampled
from tui.__main__ import main
from tui.process import local, screen_watch
from tui.terminal import driver, output

STEP_SECONDS = 0.02


class ScriptedSession(FakeSession):
    """The run `watched`: takes a step every 20 ms, writes a journal, and answers commands."""

    def __init__(self) -> None:
        super().__init__([tweet_sampled("hello ñ there", 0)], run_started(run="watched"))
        self._trains = False

    def run(self, emit: Callable[[e.Event], None], commands: queue.SimpleQueue[c.Command]) -> None:
        folder = folder_of_run("watched")
        folder.path.mkdir(parents=True)
        folder.config_path.write_text("{}", encoding="utf-8")
        journal = Journal(folder.journal_path)

        def record(event: e.Event) -> None:
            journal.write(event)
            emit(event)

        threading.Thread(target=self._train, daemon=True).start()
        super().run(record, commands)
        journal.close()

    def emit(self, event: e.Event) -> None:
        with self._lock:
            if isinstance(event, e.RunFinished):
                saved = checkpoint_saved(event.step, elapsed_seconds=event.elapsed_seconds)
                super().emit(saved)
            super().emit(event)
            self._trains = not isinstance(event, e.Paused | e.RunFinished) and (self._trains or not event.step)

    def answer(self, command: c.Command) -> e.Event:
        event = super().answer(command)
        self._trains |= isinstance(event, e.Resumed)
        return event

    def _train(self) -> None:
        while True:
            time.sleep(STEP_SECONDS)
            with self._lock:
                if self.has_begun and self._trains:
                    self.emit(steps_finished(self._step + 1, [2.0], elapsed_seconds=0.05 * (self._step + 1)))


class ScriptedRun(local.LocalRun):
    """A run, also of the lesson, whose session is scripted."""

    def __init__(self, config: RunConfig, _open_session: object = None, *others: Any, **named: Any) -> None:
        super().__init__(config, lambda _config, _on_stage: ScriptedSession(), *others, **named)


def _touch() -> None:
    (home() / "broken").touch()


def _after(owner: type, method: str, act: Callable[..., object]) -> None:
    """Have `act` called with the arguments of a method after each of its calls."""
    whole = getattr(owner, method)

    def broken(*given: Any) -> object:
        result = whole(*given)
        act(*given)
        return result

    setattr(owner, method, broken)


def _break(what: str) -> None:  # noqa: C901 - one case per place
    """Break the screen of a run that has begun, or the program right after it; the program then waits for less long."""
    from tui.app.app import TweetgenApp
    from tui.app.main_screen import MainScreen
    from tui.screens.lesson.screen import LessonScreen

    def has_begun(screen: Any) -> bool:
        return bool(screen.run.view.phase != "starting" and screen.app.screen is screen)

    def fail_if(is_time: object) -> None:
        if is_time:
            raise RuntimeError("a mistake of ours")

    def block(screen: Any) -> None:
        if has_begun(screen):
            _touch()
            time.sleep(1000)

    def close(screen: Any) -> None:
        if has_begun(screen):
            screen.app.set_interval(0.01, lambda: None if screen.is_running else _touch())
            screen.app.pop_screen()  # the event loop runs on

    screen_watch.PATIENCE_SECONDS = 0.3  # for a screen that never answers
    match what:
        case "tick":
            _after(MainScreen, "tick", lambda screen: fail_if(has_begun(screen)))
        case "keys":
            _after(driver.MeteredDriver, "process_message", lambda _, message: fail_if(hasattr(message, "key")))
        case "blocked screen":
            _after(MainScreen, "tick", block)
        case "closed screen":
            _after(MainScreen, "tick", close)
        case "blocked lesson":
            _after(LessonScreen, "tick", block)
        case "late reader":
            driver.EXIT_TIMEOUT_SECONDS = 0.0
            _after(TweetgenApp, "run", lambda _: _touch())
        case "no reader":
            driver.EXIT_TIMEOUT_SECONDS = output.EXIT_TIMEOUT_SECONDS = 0.2


if __name__ == "__main__":
    local.LocalRun = ScriptedRun  # type: ignore[assignment,misc]
    if place := os.environ.get("BREAKS"):
        _break(place)
    main()
