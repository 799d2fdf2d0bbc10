"""Checkpoints: save, list and load them, and start a new run from one."""

from __future__ import annotations

from functools import partial

from engine.protocol.commands import SaveCheckpoint, SaveLatest
from engine.storage.folders import BEFORE_LOAD
from tui.dialogs.ask import SaveDialog, free_name
from tui.dialogs.checkpoints import CheckpointBrowser
from tui.process.threads import begin_work, on_own_thread
from tui.run.new_run import Branch, OverlayCurve, curve_before, curve_of
from tui.screens.main.leaving import LeavingController
from tui.screens.main.run_control import Controller, RunControl
from tui.widgets.plot.plot import LossPlot


class CheckpointsController(Controller):
    """The keys of checkpoints, and the curve of the run that this one branched off."""

    def __init__(self, run: RunControl, leaving: LeavingController, overlay: OverlayCurve | None) -> None:
        """Save and load for this run; `overlay` is a curve to compare its own with."""
        super().__init__(run)
        self._leaving = leaving
        self._overlay = overlay
        self._branched_from = ""
        self._names_to_save: set[str] = set()
        self._saved_before_load = ""
        """What the current weights were saved as, where a load is about to replace them."""

    def mount(self) -> None:
        """Show the curve to compare with, where there is one from the start."""
        if self._overlay is not None:
            self._show_overlay(self._overlay)

    def tick(self) -> None:
        """Of a branch that was attached to or resumed, read the curve to compare with."""
        if self._run.view.branched_from != self._branched_from:
            self._branched_from = self._run.view.branched_from
            if self._overlay is None:
                begin_work(self._run.screen, partial(self._show_curve_before, self._branched_from))

    async def _show_curve_before(self, checkpoint: str) -> None:
        """Show the curve of the run that saved a checkpoint, unless the name means one of this run by now."""
        curve = await on_own_thread(partial(curve_before, checkpoint))
        started = self._run.view.started
        if curve is not None and started is not None and curve.run != started.run:
            self._show_overlay(curve)

    def _show_overlay(self, curve: OverlayCurve) -> None:
        self._run.screen.query_one(LossPlot).overlay = curve

    def action_save(self) -> None:
        """Ask for a name and save under it."""
        if self._run.can_command():
            self._run.app.push_screen(SaveDialog(free_name(f"step-{self._run.view.step}")), self._save)

    def _save(self, command: SaveCheckpoint | None) -> None:
        if command is not None and self._run.can_command():
            self._names_to_save.add(command.name)
            self._run.send(command)

    def action_save_latest(self) -> None:
        """Save the run now, without asking for a name."""
        if self._run.can_command():
            self._names_to_save.add("latest")
            self._run.send(SaveLatest())

    def report_loaded(self, name: str, step: int) -> None:
        """Show that a checkpoint is loaded, and where the weights before it are."""
        saved, self._saved_before_load = self._saved_before_load, ""
        before = f" The run before it is saved as {saved}." if saved else ""
        self._run.messages.toast(f"Loaded {name}: continuing from step {step:,}.{before}")

    def report_saved(self, name: str) -> None:
        """Show that a checkpoint is saved, if it was saved by a key."""
        if BEFORE_LOAD in name:
            self._saved_before_load = name
        if name in self._names_to_save:
            self._names_to_save.discard(name)
            self._run.messages.toast(f"Saved as “{name}”.")

    def action_load(self) -> None:
        """List the checkpoints in any phase; one can be loaded, or a new run started from it."""
        if self._run.can_switch():
            services = self._run.services
            browser = CheckpointBrowser(self._run, services.list_checkpoints, services.check, services.drop_typed_ahead)
            self._run.app.push_screen(browser, self._branch)

    def _branch(self, answer: Branch | None) -> None:
        """End this run and start another from the checkpoint that was chosen."""
        if answer is not None and not self._run.is_ending:
            config = answer.config_after(self._run.bridge.config)
            start = partial(self._run.services.start, config, curve_of(self._run.view))
            self._leaving.end_then(start, f"then a new run from “{answer.entry.name}”")
