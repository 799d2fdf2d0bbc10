"""From one run to another: what a main screen asks of the program around it, and the dialog that leads there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from engine.config.run import RunConfig
from engine.corpus.ingest.quick_check import CorpusPreview
from tui.files.dropped_path import config_for_new_data, initial_path
from tui.run.branching import OtherCurve
from tui.run.view import RunView
from tui.screens.dialogs.checkpoint_list import ListCheckpoints
from tui.screens.dialogs.open import OpenDialog
from tui.settings.store import PreferenceKeeper


def _nobody(_: str) -> None:
    """Tell nobody."""


def _nothing() -> None:
    """Do nothing."""


class StartRun(Protocol):
    """Puts the screen of a new run in place of the one before, whose session has ended or is late."""

    def __call__(self, config: RunConfig, beside: OtherCurve | None = None) -> None:
        """Start it; the plot shows the curve `beside` for comparison."""


@dataclass(frozen=True)
class Runs:
    """What a main screen asks of the program around it."""

    list_checkpoints: ListCheckpoints
    check: Callable[[RunConfig], CorpusPreview | None]
    """Raises the `TweetgenError` that a run would end with, if it shows early. Called on a thread."""
    start: StartRun
    keeper: PreferenceKeeper = field(default_factory=PreferenceKeeper)
    """What the user has chosen for all runs."""
    notify: Callable[[str], None] = _nobody
    """Tells a user who looks elsewhere that a run has ended."""
    drop_typed_ahead: Callable[[], None] = _nothing
    """Drops the keys that were typed in one go with one that is refused."""


def dialog_for_other_run(
    check: Callable[[RunConfig], CorpusPreview | None],
    config: RunConfig,
    view_now: Callable[[], RunView],
    dropped: Path | None,
) -> OpenDialog:
    """Return the dialog that asks for the tweets of a run after the one of `config`, at those dropped in if any."""

    def outcome() -> str:
        view = view_now()
        if view.ended is not None or view.started is None:
            return "Enter starts a new run on it."
        return f"Enter saves the run {view.started.run} and starts a new one on it."

    start = dropped or initial_path(config)
    return OpenDialog(
        lambda path: check(config_for_new_data(config, path)), start, outcome, is_dropped=dropped is not None
    )
