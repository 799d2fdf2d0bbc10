"""What a main screen asks of the program around it, and the dialog for other tweets made from that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from engine.config.run import RunConfig
from engine.corpus.report import CorpusPreview
from tui.dialogs.checkpoint_list import ListCheckpoints
from tui.run.new_run import OverlayCurve
from tui.settings.preferences import PreferencesStore


class StartRun(Protocol):
    """Replaces the main screen by that of a new run. The session before has ended, or its deadline has passed."""

    def __call__(self, config: RunConfig, overlay: OverlayCurve | None = None) -> None:
        """Start a run; the plot shows the curve `overlay` for comparison."""


@dataclass(frozen=True)
class Services:
    """What a main screen asks of the program around it."""

    list_checkpoints: ListCheckpoints
    check: Callable[[RunConfig], CorpusPreview | None]
    """Raises the `TweetgenError` that a run would end with, if it shows early. Called on a thread."""
    start: StartRun
    store: PreferencesStore = field(default_factory=PreferencesStore)
    """The preferences for all runs."""
    notify: Callable[[str], None] = lambda _: None
    """Rings the bell and shows a desktop notice."""
    drop_typed_ahead: Callable[[], None] = lambda: None
    """Drops the keys that arrived together with a refused one."""
