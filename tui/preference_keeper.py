"""Keeps the preferences of a program while it runs, and their file. Tells one listener of changes; draws nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from tui.preference_writing import save_changes
from tui.preferences import Changes, Preferences, changed, read_preferences


def _tell_nobody(_: Changes) -> None:
    """Take no note of a change."""


class PreferenceKeeper:
    """What the user has chosen. `save` is for any thread, all else for the screen's."""

    def __init__(self, path: Path | None = None) -> None:
        """Read the file; without one, begin with the defaults and keep nothing."""
        self.path = path
        self.preferences, self.problems = read_preferences(path) if path else (Preferences(), ())
        self.on_change: Callable[[Changes], None] = _tell_nobody
        self._is_saving = threading.Lock()

    def change(self, changes: Changes) -> None:
        """Take changes over and tell of them."""
        before, self.preferences = self.preferences, changed(self.preferences, changes)
        if self.preferences != before:
            self.on_change(changes)

    def save(self, changes: Changes) -> None:
        """Put changes into the file. Raises `ConfigError` and `StorageError`."""
        if self.path is not None:
            with self._is_saving:
                save_changes(self.path, changes)
