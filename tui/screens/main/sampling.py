"""The keys that have the model write."""

from __future__ import annotations

import secrets

from textual.widget import Widget

from engine.protocol.commands import SampleLadder, SampleNow
from tui.screens.dialogs.ladder import LadderDialog
from tui.screens.main.run_screen import RunScreen
from tui.widgets.input.prompt_line import PromptLine
from tui.widgets.key_bar import KeyBar


class Writing(RunScreen):
    """Tweets that are asked for."""

    _ladder_dialog: LadderDialog | None = None
    _focused_before_prompt: Widget | None = None

    def tick(self) -> None:
        """Take in what happened, and keep the line that is typed up with it."""
        super().tick()
        if self.run_view.phase in {"training", "paused"} and self._ending is None:
            self.prompt.tick(self._shown_view)
        else:
            self.prompt.close()

    @property
    def prompt(self) -> PromptLine:
        """The line to type in."""
        return self.query_one(PromptLine)

    def action_prompt(self) -> None:
        """Open the line to type in."""
        if self._can_command():
            if not self.prompt.is_open:
                self._focused_before_prompt = self.focused
                self.query_one(KeyBar).display = False
            self.prompt.open(self._shown_view)

    def on_prompt_line_asked(self, message: PromptLine.Asked) -> None:
        """Ask how the line goes on."""
        self._bridge.send(message.question)

    def on_prompt_line_sent(self, message: PromptLine.Sent) -> None:
        """Write a tweet that begins with the line."""
        if self._can_command():
            self._panels.await_tweet(self.run_view)
            self._send(SampleNow(prime=message.text))

    def on_prompt_line_closed(self) -> None:
        """Give the keys back to where they were."""
        self.query_one(KeyBar).display = True
        self.set_focus(self._focused_before_prompt)

    def action_sample(self) -> None:
        """Write a tweet now."""
        if self._can_command():
            self._panels.await_tweet(self.run_view)
            self._send(SampleNow())

    def action_ladder(self) -> None:
        """Open the temperature ladder and roll the first."""
        if self._can_command():
            self._ladder_dialog = LadderDialog(self._roll_ladder)
            self.app.push_screen(self._ladder_dialog, self._forget_ladder)
            self._roll_ladder()

    def _roll_ladder(self) -> bool:
        """Ask for a ladder from a seed of its own; say whether one is on its way."""
        can_command = self._can_command()
        if can_command:
            self._send(SampleLadder(seed=secrets.randbelow(1_000_000), prime=self._shown_view.sampling.prime))
        return can_command

    def _forget_ladder(self, _answer: None) -> None:
        self._ladder_dialog = None
