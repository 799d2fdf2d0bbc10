"""Stops 3 and 8: a training tweet in the X-ray, beginning with the view that the stop is about."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from engine.protocol.events import CommandRefused, Event
from engine.protocol.insight import (
    BatchShown,
    EmbeddingsMapped,
    InsightEvent,
    ReachMeasured,
    ShowBatch,
    TextTraced,
    UnitHeld,
    UnitsScored,
)
from tui.lesson.tweets import tweet_to_look_at
from tui.screens.lesson.views.base import StopView
from tui.settings.keys import Key
from tui.widgets.xray.panel import XrayPanel, xray_bar_keys
from tui.xray.state import ViewName

_DIGITS = 7
"""One more than the losses have, against the error of their difference."""


class XrayView(StopView):
    """The X-ray of a tweet of the first batch."""

    TAKES_ARROWS = True
    FIRST_VIEW: ClassVar[ViewName] = "step"

    def compose(self) -> ComposeResult:
        """Lay out the panel."""
        yield XrayPanel(view=self.FIRST_VIEW)

    @property
    def first_cursor(self) -> int:
        """The character of the tweet to begin with."""
        return 0

    @property
    def panel(self) -> XrayPanel:
        """The panel."""
        return self.query_one(XrayPanel)

    @property
    def keys_target(self) -> Widget:
        """The panel."""
        return self.panel

    def bar_keys(self) -> tuple[Key, ...]:
        """Return the keys of the view that the panel shows; the arrows move the cursor without a place in the bar."""
        keys = xray_bar_keys(self.panel.view_name)
        return tuple(key for key in keys if key.place == "xray" and key.keys != "enter")

    def run_is_ready(self) -> None:
        """Ask for a tweet, or again for all that was asked and not answered."""
        if self.panel.text:
            self.panel.ask_again()
        else:
            self.lesson.run.send(ShowBatch())

    def tick(self) -> None:
        """Follow the training."""
        if self.panel.text and self.lesson.run.is_ready:
            self.panel.tick(self.lesson.run.view.step)

    def handle(self, event: Event) -> None:
        """Show an answer."""
        if isinstance(event, BatchShown) and not self.panel.text:
            self.panel.open(tweet_to_look_at([row.text for row in event.rows]))
            self.panel.cursor = self.first_cursor
            self.panel.ask_again()
        elif isinstance(event, InsightEvent):
            self.panel.show(event)
        elif isinstance(event, CommandRefused):
            self.panel.show_refusal(event.command, event.detail)

    @on(XrayPanel.Asked)
    def _send(self, message: XrayPanel.Asked) -> None:
        message.stop()
        if self.panel.text and self.panel.expects(message.command):
            self.lesson.run.send(message.command)


class ForcingView(XrayView):
    """One character at a time."""

    FIRST_VIEW = "step"

    def handle(self, event: Event) -> None:
        """Record how far the two ways of computing the loss are apart, and whether own draws were shown."""
        super().handle(event)
        if isinstance(event, TextTraced) and event.text == self.panel.text:
            self.lesson.record(
                trace_difference=round(abs(event.stepwise_loss - event.sequence_loss), _DIGITS),
                num_places=len(event.text) + 1,
                has_seen_own_draw=self.lesson.facts.has_seen_own_draw or event.own is not None,
            )

    def on_mount(self) -> None:
        """Record each place of the cursor."""
        self.watch(self.panel, "cursor", self._record_place)

    def _record_place(self, place: int) -> None:
        self.lesson.record(stepped=self.lesson.facts.stepped | {place})


class LearnedView(XrayView):
    """Reach, units, map."""

    FIRST_VIEW = "reach"

    def wants_training(self) -> bool:
        """Train up to the wanted step, but not beside the views of units, whose answers would take long."""
        return super().wants_training() and self.panel.view_name != "units"

    @property
    def first_cursor(self) -> int:
        """The middle: the first characters have little before them to reach to."""
        return len(self.panel.text) // 2

    def handle(self, event: Event) -> None:
        """Record which views were shown, and at which values a unit was held."""
        super().handle(event)
        views: dict[type[InsightEvent], ViewName] = {
            ReachMeasured: "reach",
            UnitsScored: "units",
            EmbeddingsMapped: "map",
        }
        shown = {views[type(event)]} if isinstance(event, InsightEvent) and type(event) in views else set()
        held = {event.value} if isinstance(event, UnitHeld) and event.value is not None else set()
        self.lesson.record(
            views_seen=self.lesson.facts.views_seen | shown,
            held_values=self.lesson.facts.held_values | held,
        )
