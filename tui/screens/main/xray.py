"""The X-ray: opens its screen over the main screen, and has a model answer what it asks."""

from __future__ import annotations

from typing import get_args

from engine.protocol.commands import Insight
from engine.protocol.events import CommandRefused, InsightEvent
from tui.screens.main.run_control import Controller, RunControl
from tui.screens.xray.screen import MainActions, XrayScreen
from tui.widgets.feed.tweet_feed import TweetFeed

_COMMANDS = {kind.__name__ for kind in get_args(Insight)}


class XrayController(Controller):
    """The key that opens the X-ray, and the model behind it."""

    def __init__(self, run: RunControl, do: MainActions) -> None:
        """Look into the model of this run; `do` does the actions of the main screen that the X-ray has keys for."""
        super().__init__(run)
        self._do = do
        self._screen: XrayScreen | None = None
        self._asked: tuple[str, int] = ("", 0)
        """Why no model answered at the last tick, and the gaps in the events by then."""

    def action_open_xray(self) -> None:
        """Open the selected tweet, or else the newest; without any, have a text typed."""
        tweet = self._run.screen.query_one(TweetFeed).chosen
        self.open(None if tweet is None else tweet.text)

    def open(self, text: str | None) -> None:
        """Open the X-ray on a text; for None, have one typed."""
        if self._screen is None:  # a key pressed twice at once
            self._asked = self._now
            self._screen = XrayScreen(text, self._ask, self._do)
            self._run.app.push_screen(self._screen, self._on_closed)

    def tick(self) -> None:
        """Show the state of the run; ask again where a model answers that did not, or answers were lost."""
        if self._screen is not None:
            if self._now != self._asked:
                self._asked = self._now
                self._screen.panel.ask_again()
            self._screen.tick(self._run.view)

    def show(self, answer: InsightEvent) -> None:
        """Show an answer, if the X-ray is open."""
        if self._screen is not None:
            self._screen.panel.show(answer)

    def show_refusal(self, refusal: CommandRefused) -> bool:
        """Show why there is no answer, if the X-ray is still open; return whether only an X-ray asks such commands."""
        if self._screen is not None:
            self._screen.panel.show_refusal(refusal.command, refusal.detail)
        return refusal.command in _COMMANDS

    def _ask(self, command: Insight) -> None:
        """Have the model of the run answer a command."""
        problem = self._problem
        if not problem:
            self._run.send(command)
        elif self._screen is not None:
            self._screen.panel.show_refusal(type(command).__name__, problem)

    @property
    def _now(self) -> tuple[str, int]:
        return self._problem, self._run.num_gaps

    @property
    def _problem(self) -> str:
        """Why no model can answer; empty if one can."""
        if self._run.view.is_replay:
            return "This is a replay, without a model."
        if self._run.view.phase == "starting":
            return "The run is still starting: it has no weights yet."
        if self._run.view.phase not in {"training", "paused"} or self._run.is_ending:
            return "The run has ended."
        return ""

    def _on_closed(self, _answer: None) -> None:
        self._screen = None
