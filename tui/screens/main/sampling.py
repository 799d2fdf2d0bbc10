"""Sampling: tweets that the user asks for, the filter, the prompt line and the temperature ladder."""

from __future__ import annotations

import secrets

from textual.widget import Widget

from engine.config.sampling import SamplingConfig
from engine.protocol.commands import CompleteText, SampleLadder, SampleNow
from engine.protocol.events import LadderSampled
from tui.dialogs.ladder import LadderDialog
from tui.dialogs.settings import FilterDialog
from tui.screens.main.run_control import Controller, RunControl
from tui.widgets.key_bar import KeyBar
from tui.widgets.prompt_line import PromptLine


class SamplingController(Controller):
    """The keys that sample from the model."""

    def __init__(self, run: RunControl) -> None:
        """Sample from the model of this run."""
        super().__init__(run)
        self._ladder_dialog: LadderDialog | None = None
        self._filter_dialog: FilterDialog | None = None
        self._focused_before_prompt: Widget | None = None

    @property
    def prompt(self) -> PromptLine:
        """The line in which a prompt is typed."""
        return self._run.screen.query_one(PromptLine)

    def tick(self) -> None:
        """Update filter and prompt line. The line stays open after the end of a run: the next keys are meant for it."""
        if self._filter_dialog is not None:
            self._filter_dialog.tick()
        if self._run.is_ending:
            self.prompt.close()
        elif self._run.view.phase in {"training", "paused"}:
            self.prompt.tick(self._run.shown_view)

    def show_end(self) -> None:
        """Show in the prompt line, if it is open, that no model completes it any more."""
        self.prompt.show_refusal("No model is running to complete the prompt.")

    def action_prompt(self) -> None:
        """Open the prompt line."""
        if self._run.can_command():
            if not self.prompt.is_open:
                self._focused_before_prompt = self._run.screen.focused
                self._run.screen.query_one(KeyBar).display = False
            self.prompt.open(self._run.shown_view)

    def complete(self, question: CompleteText) -> None:
        """Ask the model how the prompt continues."""
        self._run.bridge.send(question)

    def restore_focus(self) -> None:
        """Show the key bar again, and restore the focus from before the prompt."""
        self._run.screen.query_one(KeyBar).display = True
        self._run.screen.set_focus(self._focused_before_prompt)

    def action_sample(self) -> None:
        """Sample a tweet now."""
        self.sample()

    def sample(self, prime: str | None = None, draw: int | None = None) -> None:
        """Sample a tweet that begins with `prime`, or with the prime of the run for None; `draw` as in `SampleNow`."""
        if self._run.can_command():
            self._run.panels.await_tweet(self._run.view)
            self._run.send(SampleNow(prime=prime, draw=draw))

    def action_filter(self) -> None:
        """Show the filter of sampled tweets and the other settings of sampling, to change them."""
        if self._run.can_command():
            view = self._run.view
            at_start = view.sampling if view.started is None else view.started.sampling
            self._filter_dialog = FilterDialog(
                lambda: self._run.shown_view.sampling, self._set_sampling, at_start.max_length
            )
            self._run.app.push_screen(self._filter_dialog, self._on_filter_closed)

    def _set_sampling(self, sampling: SamplingConfig) -> None:
        self._run.change(**vars(sampling))

    def show_refusal(self, reason: str) -> bool:
        """Show in the filter's dialog why the run refuses a setting; return whether the dialog is on the screen."""
        if self._filter_dialog is None or not self._filter_dialog.is_mounted:
            return False
        self._filter_dialog.show_refusal(reason)
        return True

    def _on_filter_closed(self, _answer: None) -> None:
        self._filter_dialog = None

    def action_ladder(self) -> None:
        """Open the temperature ladder and roll the first."""
        if self._run.can_command():
            self._ladder_dialog = LadderDialog(self._roll_ladder)
            self._run.app.push_screen(self._ladder_dialog, self._on_ladder_closed)
            self._roll_ladder()

    def _roll_ladder(self) -> bool:
        """Ask for a ladder with a random seed; return whether one will come."""
        can_command = self._run.can_command()
        if can_command:
            prime = self._run.shown_view.sampling.prime
            self._run.send(SampleLadder(seed=secrets.randbelow(1_000_000), prime=prime))
        return can_command

    def show_ladder(self, ladder: LadderSampled) -> None:
        """Show a ladder in its dialog, if that is still open."""
        if self._ladder_dialog is not None:
            self._ladder_dialog.show(ladder)

    def _on_ladder_closed(self, _answer: None) -> None:
        self._ladder_dialog = None
