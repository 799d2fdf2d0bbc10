"""`LessonRun`: the runs that the lesson shows, one after the other, and the change from one to the next. No screen.

They are in a data folder of their own, so that they are not among the user's: `lesson` is continued the next time,
`overfit` is replaced whenever it is started.
"""

from __future__ import annotations

import shutil

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import StorageError
from engine.protocol.commands import Command, Pause, Resume
from engine.protocol.events import Event
from engine.storage.files import is_locked, storage_errors
from engine.storage.folders import folder_of_run
from tui.process.local import OnStage, Session, open_training_session
from tui.run.connection import OpenRun, RunConnection
from tui.run.fold import fold
from tui.run.pending import Pending
from tui.run.view import RunView

MAIN, OVERFIT = "lesson", "overfit"
"""The names of the runs."""
OVERFIT_ROW = 200
"""The row of the tutorial."""
EVAL_EVERY = 100
_RUNTIME = RuntimeConfig(device="cpu", precision="float32", threads=1)
"""Fast enough for small models, without a measurement at the start."""
_REASON = "the lesson goes on with another run"


def main_config(*, is_new: bool = False) -> RunConfig:
    """Return the config of the run `lesson`: continued where it was saved, unless a new one `is_new`."""
    if not is_new and folder_of_run(MAIN).checkpoint_path("latest").exists():
        return RunConfig(resume=MAIN, runtime=_RUNTIME)
    settings = {
        "embedding_size": 64,
        "hidden_size": 64,
        "eval_every": EVAL_EVERY,
        "eval_tweets": 500,
        "sample_every": 0,
    }
    return RunConfig(preset="tutorial", settings=settings, run_name=MAIN, runtime=_RUNTIME)


def overfit_config() -> RunConfig:
    """Return the config of a run on one tweet, with the sizes and the learning rate of the tutorial's part (c)."""
    # slow enough to watch: the loss is below 0.07 bits after some 110 steps
    settings = {"learning_rate": 0.001, "eval_every": 0, "sample_every": 4, "steps_per_second": 8.0}
    return RunConfig(
        preset="tutorial",
        settings=settings,
        corpus=CorpusConfig(overfit=OVERFIT_ROW),
        run_name=OVERFIT,
        runtime=_RUNTIME,
    )


def open_lesson_session(config: RunConfig, on_stage: OnStage) -> Session:
    """Remove the run that a new one replaces, and open a session. Called on the run's thread.

    Raises `StorageError` where another process trains that run.
    """
    if config.run_name is not None:
        run = folder_of_run(config.run_name)
        if is_locked(run.journal_path):
            raise StorageError("Another process trains the model of the lesson.", "End it, then open the lesson again.")
        with storage_errors(run.path):
            if run.path.exists():
                shutil.rmtree(run.path)
    return open_training_session(config, on_stage)


class LessonRun:
    """One run at a time. A command sent while the next run has not started is sent to that one."""

    def __init__(self, connection: RunConnection, open_run: OpenRun, view: RunView | None = None) -> None:
        """Show the run of `connection`, which is not started yet, from `view` on; `open_run` opens later ones."""
        self.connection = connection
        """The connection to the latest run."""
        self._open_run = open_run
        self.view = view or RunView()
        """The run after the events so far."""
        self.is_training_wanted = False
        """Whether the run is to train; it is paused otherwise."""
        self._pending = Pending()
        """The unanswered `Pause` or `Resume`, if any."""
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
        """Start the run of `connection`, paused before its first step."""
        self._pending = Pending().sent(Pause(), self.view)
        self.connection.send(Pause())
        self.connection.start()

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
            self._pending, _ = self._pending.after(event)
        if self._next is not None:
            if has_ended:
                self._start_next(self._next)
            return ()
        self._pause_or_resume()
        return update.events

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
        self.start()
        for command in self._unsent:
            self.connection.send(command)
        self._unsent.clear()

    def _pause_or_resume(self) -> None:
        """Send `Pause` or `Resume` if the run does not do as `is_training_wanted`, nor will by what is unanswered."""
        toggled = self._pending.pause_toggled(self.view)
        if self.is_ready and isinstance(toggled, Resume) == self.is_training_wanted:
            self._pending = self._pending.sent(toggled, self.view)
            self.send(toggled)
