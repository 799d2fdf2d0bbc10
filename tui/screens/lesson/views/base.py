"""`StopView`: the live view of a stop, which shows the run and records what was done."""

from __future__ import annotations

from typing import ClassVar

from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget

from engine.protocol.events import Event
from tui.screens.lesson.lesson import Lesson
from tui.settings.keys import Key


class StopView(Vertical):
    """The base of the views. All are mounted; those of other stops are hidden and get no events."""

    ACT_TRAINS: ClassVar[bool] = False
    """Whether enter starts to train."""
    TAKES_ARROWS: ClassVar[bool] = False
    """Whether left and right move something in the view while it has the focus; else they go between stops."""

    class KeysChanged(Message):
        """Other keys act now."""

    def __init__(self, lesson: Lesson, number: int) -> None:
        """Show stop `number`."""
        super().__init__(id=f"stop-{number}")
        self.lesson = lesson

    @property
    def entry(self) -> Widget | None:
        """The widget that gets the focus when the view does."""
        return next((child for child in self.query("*") if child.can_focus), None)

    @property
    def first_focus(self) -> Widget | None:
        """The widget that gets the focus when the stop is opened; None: the text."""
        return None

    @property
    def keys_target(self) -> Widget:
        """The widget whose actions are those of `bar_keys`."""
        return self

    @property
    def compares(self) -> str:
        """What v compares, for the key bar; empty if it compares nothing."""
        return ""

    def bar_keys(self) -> tuple[Key, ...]:
        """Return the keys that the view has of its own, for the key bar."""
        return ()

    def typed(self, character: str) -> None:
        """Called with a character that was typed while the text had the focus."""

    def opened(self) -> None:
        """Called when the stop is opened: choose the run."""
        self.lesson.run.show_main()

    def run_is_ready(self) -> None:
        """Called when the stop is opened and its run accepts commands, and again after a change of run."""

    def closed(self) -> None:
        """Called when another stop is opened."""

    @property
    def has_trained_enough(self) -> bool:
        """Whether the model has the steps that the stop trains it for."""
        return self.lesson.run.view.step >= self.lesson.stop.train_to

    def wants_training(self) -> bool:
        """Return whether the model is to be trained now."""
        return not self.has_trained_enough

    def tick(self) -> None:
        """Called ten times a second, after the events."""

    def handle(self, event: Event) -> None:
        """Handle an event of the run."""

    def act(self) -> None:
        """Do what enter does."""

    def adjust(self, step: int) -> None:
        """Do what - (-1) and + (1) do."""

    def compare(self) -> None:
        """Do what v does."""
