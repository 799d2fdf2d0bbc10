"""The keys that save, list and load checkpoints, and begin a new run from one."""

from __future__ import annotations

from functools import partial

from engine.checkpoints.catalog import CheckpointEntry
from engine.protocol.commands import LoadCheckpoint, SaveCheckpoint, SaveLatest
from tui.process.threads import on_own_thread
from tui.run.branching import Branch, curve_before, curve_of
from tui.screens.dialogs.checkpoint_browser import CheckpointBrowser
from tui.screens.dialogs.save import SaveDialog, free_name
from tui.screens.main.run_screen import RunScreen
from tui.widgets.plot.loss_plot import LossPlot


class Saving(RunScreen):
    """Checkpoints."""

    _branched_from = ""

    def on_mount(self) -> None:
        """Begin without a name that is being saved, and with the curve of the run that this one branched off."""
        self._names_to_save: set[str] = set()
        if self._beside is not None:
            self.query_one(LossPlot).show_overlay(self._beside.run, self._beside.train_losses)

    def tick(self) -> None:
        """Take in what happened; of a branch that was attached to or resumed, read the curve to compare with."""
        super().tick()
        if self.run_view.branched_from != self._branched_from:
            self._branched_from = self.run_view.branched_from
            if self._beside is None:
                self.run_worker(self._show_curve_before(self._branched_from))

    async def _show_curve_before(self, checkpoint: str) -> None:
        """Show the curve of the run that saved a checkpoint, unless the name means one of this run by now."""
        curve = await on_own_thread(partial(curve_before, checkpoint))
        started = self.run_view.started
        if curve is not None and started is not None and curve.run != started.run:
            self.query_one(LossPlot).show_overlay(curve.run, curve.train_losses)

    def action_save(self) -> None:
        """Ask for a name and save under it."""
        if self._can_command():
            self.app.push_screen(SaveDialog(free_name(f"step-{self.run_view.step}")), self._save)

    def _save(self, command: SaveCheckpoint | None) -> None:
        if command is not None and self._can_command():
            self._names_to_save.add(command.name)
            self._send(command)

    def action_save_latest(self) -> None:
        """Save the run now, without a name to think of."""
        if self._can_command():
            self._names_to_save.add("latest")
            self._send(SaveLatest())

    def action_load(self) -> None:
        """List the checkpoints, whatever the run is doing; what is chosen there is loaded, or a new run begins."""
        if self._may_switch():
            browser = CheckpointBrowser(
                self._runs.list_checkpoints, lambda: self.run_view, self._check_branch, self._runs.drop_typed_ahead
            )
            self.app.push_screen(browser, self._follow_browser)

    def _check_branch(self, entry: CheckpointEntry) -> object:
        return self._runs.check(Branch(entry).config_after(self._bridge.config))

    def _follow_browser(self, answer: LoadCheckpoint | Branch | None) -> None:
        """Load what was chosen, or end this run and start another from it."""
        if isinstance(answer, Branch) and self._ending is None:
            config = answer.config_after(self._bridge.config)
            start = partial(self._runs.start, config, curve_of(self.run_view))
            self._end_then(start, f"then a new run from {answer.entry.name}")
        elif isinstance(answer, LoadCheckpoint) and self._can_command():
            self._send(answer)
