"""The keys that have the model write."""

from __future__ import annotations

import secrets

from engine.commands import SampleLadder, SampleNow
from tui.screens.ladder_dialog import LadderDialog
from tui.screens.run_screen import RunScreen


class Writing(RunScreen):
    """Tweets that are asked for."""

    _ladder_dialog: LadderDialog | None = None

    def action_sample(self) -> None:
        """Write a tweet now."""
        if self._can_command():
            self._send(SampleNow())

    def action_ladder(self) -> None:
        """Open the temperature ladder and roll the first."""
        if self._can_command():
            self._ladder_dialog = LadderDialog(self._roll_ladder)
            self.app.push_screen(self._ladder_dialog, self._forget_ladder)
            self._roll_ladder()

    def _roll_ladder(self) -> None:
        """Ask for a ladder from a seed of its own."""
        if self._can_command():
            self._send(SampleLadder(seed=secrets.randbelow(1_000_000), prime=self._shown_view.sampling.prime))

    def _forget_ladder(self, _answer: None) -> None:
        self._ladder_dialog = None
