"""`LessonRun`: the run that the lesson shows, and the change from one run to the next. Independent of the screen."""

from __future__ import annotations

from engine.config.run import RunConfig
from engine.protocol.commands import Command, Pause, Resume
from engine.protocol.events import Event, Paused, Resumed
from tui.lesson.runs import MAIN, OVERFIT, main_config, overfit_config
from tui.run.connection import OpenRun, RunConnection
from tui.run.fold import fold
from tui.run.view import RunView

_REASON = "the lesson goes on with another run"


class LessonRun:
    """One run at a time. A command sent while the next run has not started is sent to that one."""

    def __init__(self, connection: RunConnection, open_run: OpenRun, view: RunView | None = None) -> None:
        """Show the run of `connection`, which is not started yet, from `view` on; `open_run` opens later ones."""
        self.connection = connection
        """That of the latest run."""
        self._open_run = open_run
        self.view = view or RunView()
        """The run after the events so far."""
        self.is_training_wanted = False
        """Whether the run is to train; it is paused otherwise."""
        self._asked: bool | None = None
        """Whether the unanswered command is a `Resume`, not a `Pause`; None without one."""
        self._left_view = RunView()
        """The run of the lesson when it was left, to continue with its curve."""
        self._next: RunConfig | None = None
        self._unsent: list[Command] = []

    @property
    def name(self) -> str:
        """The name of the run that is shown, or that starts next."""
        config = self._next or self.connection.config
        return config.run_name or config.resume or ""

    @property
    def main_view(self) -> RunView:
        """The run of the lesson, also while the one on a single tweet still ends."""
        return self._left_view if self.connection.config.run_name == OVERFIT else self.view

    @property
    def is_ready(self) -> bool:
        """Whether the run accepts commands."""
        return self._next is None and self.view.phase in {"training", "paused"}

    def start(self) -> None:
        """Start the first run, paused before its first step."""
        self._start_paused()

    def show_main(self, *, is_new: bool = False) -> None:
        """Change to the run of the lesson, or to a new one from random weights."""
        if is_new or self.name != MAIN:
            self._change_to(main_config(is_new=is_new))

    def show_overfit(self) -> None:
        """Change to a new run on a single tweet."""
        self._change_to(overfit_config())

    def send(self, command: Command) -> None:
        """Send a command to the run that is shown, or that starts next."""
        if self._next is None:
            self.connection.send(command)
        else:
            self._unsent.append(command)

    def stop(self, reason: str) -> None:
        """Have the run save and end, and no other start."""
        self._next = None
        self.connection.stop(reason)

    def drain(self) -> tuple[Event, ...]:
        """Fold the events since the last call into the view; return them. Pause or resume as `is_training_wanted`."""
        has_ended = not self.connection.is_alive  # asked before draining, so that no last event is missed
        update = self.connection.drain()
        self.view = fold(update.view or self.view, update.events)
        for event in update.events:
            if isinstance(event, Paused | Resumed):
                self._asked = None
        if self._next is not None and has_ended:
            self._start_next(self._next)
            return ()
        if self._next is None:
            self._pause_or_resume()
        return () if self._next is not None else update.events

    def _change_to(self, config: RunConfig) -> None:
        """Save and end the run; the next starts once it has ended."""
        if self._next is None:
            self.connection.stop(_REASON)
        self._next = config
        self._unsent.clear()

    def _start_next(self, config: RunConfig) -> None:
        self._next, self._left_view = None, self.main_view
        self.connection = self._open_run(config, self.connection)
        self.view = RunView() if config.resume is None else self._left_view.for_resume()
        self._start_paused()
        for command in self._unsent:
            self.connection.send(command)
        self._unsent.clear()

    def _start_paused(self) -> None:
        self._asked = False
        self.connection.send(Pause())
        self.connection.start()

    def _pause_or_resume(self) -> None:
        """Send `Pause` or `Resume` if the run does not do as `is_training_wanted`, and none is unanswered."""
        wanted = self.is_training_wanted
        if not self.is_ready:
            return
        is_training = self.view.phase == "training" if self._asked is None else self._asked
        if is_training != wanted:
            self._asked = wanted
            self.send(Resume() if wanted else Pause())
