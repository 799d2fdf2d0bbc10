"""The keys that steer the training."""

from __future__ import annotations

from tui.screens.run_screen import RunScreen


class Steering(RunScreen):
    """Pause, finish, and what is changed while the run goes on."""

    def action_pause(self) -> None:
        """Pause or resume."""
        if self._can_command():
            self._wishes, command = self._wishes.with_pause_toggled(self.run_view)
            self._send(command)

    def action_finish(self) -> None:
        """Finish the run, or take that back."""
        if self._can_command():
            self._wishes, command = self._wishes.with_finish_toggled(self.run_view)
            self._send(command)

    def action_temperature(self, direction: int) -> None:
        """Raise (1) or lower (-1) the temperature by a step."""
        if self._can_command():
            self._wishes, command = self._wishes.with_other_temperature(self.run_view, direction)
            self._send(command)
