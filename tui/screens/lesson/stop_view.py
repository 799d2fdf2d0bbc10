"""`StopView`: the live view of a stop, which shows the run and knows when the task of its stop is done."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget

from engine.protocol.events import Event
from tui.lesson.run import LessonRun
from tui.lesson.stops import Stop
from tui.settings.key_table import Key
from tui.widgets.xray.picture_view import LivePicture
from tui.xray.drawing import Glyphs, Picture


class StopView(Vertical):
    """The base of the views. All are mounted; those of other stops are hidden and get no events."""

    ACT_TRAINS: ClassVar[bool] = False
    """Whether enter starts to train."""
    TAKES_ARROWS: ClassVar[bool] = False
    """Whether left and right move something in the view while it has the focus; else they go between stops."""

    class KeysChanged(Message):
        """Other keys act now."""

    def __init__(self, stop: Stop, run: LessonRun) -> None:
        super().__init__(id=f"stop-{stop.number}")
        self.stop = stop
        self.run = run
        self.was_done = False
        """Whether the task was done when the stop was opened."""

    def compose(self) -> ComposeResult:
        yield LivePicture(self.picture)

    def picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        """Return what a view without another layout shows."""
        raise NotImplementedError

    def redraw(self) -> None:
        self.query_one(LivePicture).redraw()

    @property
    def is_done(self) -> bool:
        """Whether the task is done, by what was done and seen since the lesson was opened."""
        raise NotImplementedError

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

    @property
    def bar_keys(self) -> tuple[Key, ...]:
        """The keys that the view has of its own, for the key bar."""
        return ()

    @property
    def has_trained_enough(self) -> bool:
        """Whether the model has the steps that the stop trains it for."""
        return self.run.view.step >= self.stop.train_to

    def wants_training(self) -> bool:
        """Return whether the model is to be trained now."""
        return not self.has_trained_enough

    def opened(self) -> None:
        """Called when the stop is opened: choose the run."""
        self.run.show_main()

    def run_is_ready(self) -> None:
        """Called when the stop is opened and its run accepts commands, and again after a change of run."""

    def closed(self) -> None:
        """Called when another stop is opened."""

    def handle(self, event: Event) -> None:
        """Handle an event of the run."""

    def tick(self) -> None:
        """Called ten times a second, after the events."""

    def typed(self, character: str) -> None:
        """Called with a character that was typed while the text had the focus."""

    def act(self) -> None:
        """Do what enter does."""

    def adjust(self, step: int) -> None:
        """Do what - (-1) and + (1) do."""

    def compare(self) -> None:
        """Do what v does."""
