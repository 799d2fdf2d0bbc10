"""A new run from a checkpoint of another: what it is asked for, and the curve that it is compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

from engine.checkpoints.catalog import CheckpointEntry, may_read_files, resolve_checkpoint
from engine.checkpoints.metadata import CheckpointInfo, read_info
from engine.config.run import RunConfig, Setting
from engine.errors import TweetgenError
from engine.storage.folders import folder_of_run
from tui.run.journal import read_history
from tui.run.series.series import Series
from tui.run.view import RunView

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class OtherCurve:
    """The curve of another run."""

    run: str
    train_losses: Series


@dataclass(frozen=True)
class Branch:
    """The wish for a new run from a checkpoint."""

    entry: CheckpointEntry

    def config_after(self, config: RunConfig) -> RunConfig:
        """Return the config of the new run, in place of the one of `config`.

        Model, training and tweets are those of the checkpoint, as they were when it was saved; what the run is computed
        on stays, and a budget that is used up is doubled, or the new run would be over at once. The files that one from
        elsewhere names are not asked for: preparing the run refuses them.
        """
        info = self.entry.info
        if info is None:
            return RunConfig(runtime=config.runtime, checkpoint=self.entry.name)
        return RunConfig(
            preset="tutorial" if info.training.preset == "tutorial" else "auto",
            settings=doubled_budgets(info),
            corpus=info.corpus if may_read_files(self.entry.path, info) else None,
            runtime=config.runtime,
            checkpoint=self.entry.name,
        )


def doubled_budgets(info: CheckpointInfo) -> dict[str, Setting]:
    """Return twice each budget of a checkpoint's run that is used up, or twice what was used where that is more."""
    training = info.training
    doubled: dict[str, Setting] = {}
    if training.max_steps is not None and info.step >= training.max_steps:
        doubled["max_steps"] = _twice(training.max_steps, info.step)
    if training.epochs is not None and info.position.epoch >= math.floor(training.epochs):
        doubled["epochs"] = _twice(training.epochs, info.position.epoch)
    if training.max_seconds is not None and info.elapsed_seconds >= training.max_seconds:
        doubled["max_seconds"] = _twice(training.max_seconds, info.elapsed_seconds)
    return doubled


def _twice(limit: _Number, used: _Number) -> _Number:
    """Return twice `limit`; twice `used` where that is not beyond it, as of a checkpoint that came from another run."""
    return 2 * limit if used < 2 * limit else 2 * used


def curve_of(view: RunView) -> OtherCurve | None:
    """Return the curve of a run as the screen knows it; None where there is none yet."""
    if view.started is None or not len(view.train_losses):
        return None
    return OtherCurve(view.started.run, view.train_losses)


def curve_before(checkpoint: str) -> OtherCurve | None:
    """Return the curve of the run that saved a checkpoint, from its journal; None where either is gone. Takes time."""
    try:
        info, _ = read_info(resolve_checkpoint(checkpoint))
        view, _ = read_history(folder_of_run(info.run).journal_path)
    except (TweetgenError, OSError):
        return None
    return curve_of(view)
