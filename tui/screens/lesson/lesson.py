"""`Lesson`: the state that the screen of the lesson and the views of its stops share. Draws nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import StorageError
from tui.lesson.checks import Facts, is_done
from tui.lesson.lesson_run import LessonRun
from tui.lesson.progress import Progress, read_progress, write_progress
from tui.lesson.stops import STOPS, Stop


class Lesson:
    """Run, facts and progress."""

    def __init__(self, run: LessonRun, path: Path) -> None:
        """Continue from the progress in the file `path`, which is rewritten on each change."""
        self.run = run
        self.facts = Facts()
        self.progress = read_progress(path)
        self.on_done: Callable[[], None] = lambda: None
        """Called once the task of the open stop is done for the first time."""
        self.on_unsaved: Callable[[StorageError], None] = lambda _: None
        """Called if the progress can't be saved."""
        self._path = path

    @property
    def number(self) -> int:
        """The open stop, from 1."""
        return self.progress.stop

    @property
    def stop(self) -> Stop:
        """The open stop."""
        return STOPS[self.number - 1]

    @property
    def is_done(self) -> bool:
        """Whether the task of the open stop was done, now or before."""
        return self.number in self.progress.done

    def open(self, number: int) -> None:
        """Open a stop."""
        self._save(replace(self.progress, stop=number))

    def record(self, **facts: Any) -> None:  # noqa: ANN401 - fields of `Facts`
        """Record what was done or seen at the open stop."""
        self.facts = replace(self.facts, **facts)
        if not self.is_done and is_done(self.number, self.facts):
            self._save(replace(self.progress, done=self.progress.done | {self.number}))
            self.on_done()

    def _save(self, progress: Progress) -> None:
        self.progress = progress
        try:
            write_progress(self._path, progress)
        except StorageError as error:
            self.on_unsaved(error)
