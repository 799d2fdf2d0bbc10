"""A `RunModel` over a connection that a test drives: it gives the events, and gets the commands."""

from __future__ import annotations

from engine.config.run import RunConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, run_started
from tui.run.connection import RunConnection, Update
from tui.run.fold import fold
from tui.run.model import RunModel
from tui.run.view import RunView


def refusal_of(command: c.Command) -> e.CommandRefused:
    kind, words = type(command).__name__, {"title": "no", "detail": "no", "hint": ""}
    names = tuple(command.settings) if isinstance(command, c.ChangeSettings) else ()
    return e.CommandRefused(step=0, elapsed_seconds=0.0, command=kind, settings=names, **words)


class Driven(RunConnection):
    """Returns the updates of a test, and records the commands."""

    interruption = ""

    def __init__(self) -> None:
        self.config = RunConfig()
        self.updates: list[Update] = []
        self.sent: list[c.Command] = []
        """What is not answered yet."""
        self.log: list[c.Command] = []
        """All that was sent."""

    def drain(self) -> Update:
        return self.updates.pop(0)

    def send(self, command: c.Command) -> None:
        self.sent.append(command)
        self.log.append(command)


class Screen:
    """A model with its toasts; commands are answered on demand."""

    def __init__(self, view: RunView | None = None) -> None:
        self.link = Driven()
        self.run = RunModel(self.link, view or fold(RunView(), [run_started()]))
        self.toasts: list[str] = []
        self.run.toast = lambda text, _: self.toasts.append(text)

    @property
    def training(self) -> TrainingConfig:
        assert self.run.shown.training is not None
        return self.run.shown.training

    @property
    def settings(self) -> tuple[SamplingConfig, TrainingConfig]:
        return self.run.shown.sampling, self.training

    def send(self, *commands: c.Command) -> None:
        for command in commands:
            assert self.run.send(command)

    def see(self, *events: e.Event, view: RunView | None = None) -> tuple[e.Event, ...]:
        self.link.updates.append(Update(events, view))
        return self.run.drain()

    def answer(self, *, is_refused: bool = False) -> None:
        """Have the oldest command answered, if there is one."""
        if self.link.sent:
            command = self.link.sent.pop(0)
            self.see(refusal_of(command) if is_refused else FakeSession().answer(command))
