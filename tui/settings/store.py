"""The preferences of a running program, and changes to their file. Reports changes to one subscriber."""

from __future__ import annotations

import os
import threading
import tomllib
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import ConfigError
from engine.storage.files import write_atomically
from tui.settings.preferences import TABLE_OF, Preferences, read_preferences

Changes = Mapping[str, object]
"""New values by the name of a field; None for the default."""


class PreferencesStore:
    """The current preferences. `save` is for any thread, all else for the screen's."""

    def __init__(self, path: Path | None = None, *, saves: bool = True) -> None:
        """Read the file; without a path, use the defaults. Changes are written to the file if the store `saves`."""
        self.path = path if saves else None
        self.preferences, self.problems = read_preferences(path) if path else (Preferences(), ())
        self.on_change: Callable[[Changes], None] | None = None
        self._unsaved: deque[Changes] = deque()
        self._is_saving = threading.Lock()

    def change(self, changes: Changes) -> None:
        """Apply changes, and report them if they change anything."""
        before, self.preferences = self.preferences, _changed(self.preferences, changes)
        if self.preferences != before and self.on_change is not None:
            self.on_change(changes)

    def plan_to_save(self, changes: Changes) -> None:
        """Queue changes for the next `save`."""
        self._unsaved.append(changes)

    def save(self) -> None:
        """Write the queued changes into the file, in order; those of a failed call are written by the next.

        Raises `ConfigError` and `StorageError`.
        """
        with self._is_saving:
            num_changes = len(self._unsaved)  # the screen's thread may queue more meanwhile
            changes: dict[str, object] = {}
            for number in range(num_changes):
                changes |= self._unsaved[number]
            if changes and self.path is not None:
                save_changes(self.path, changes)
            for _ in range(num_changes):
                self._unsaved.popleft()


def _changed(preferences: Preferences, changes: Changes) -> Preferences:
    """Return the preferences with `changes`."""
    default = Preferences()
    fields: dict[str, Any] = {
        name: getattr(default, name) if value is None else value for name, value in changes.items()
    }
    return replace(preferences, **fields)


def save_changes(path: Path, changes: Changes) -> None:
    """Write changes into the file, with everything else in it unchanged. Raises `ConfigError` and `StorageError`."""
    import tomlkit

    path = Path(os.path.realpath(path))  # where it is a link, the file behind it; raises nothing, unlike `resolve`
    try:
        text = path.read_bytes().decode()  # with its line ends, which `read_text` would change
    except FileNotFoundError:
        text = ""
    except (OSError, ValueError) as error:
        raise _not_saved(f"{path} can't be read: {error}.") from error
    try:
        tomllib.loads(text)  # its errors are clearer than those of tomlkit
        document = tomlkit.parse(text if text.endswith("\n") else text + "\n")  # an addition would join the last line
        for name, value in changes.items():
            _put(document, name, value)
        new_text = tomlkit.dumps(document)
        tomllib.loads(new_text)
    except (ValueError, TypeError, RecursionError) as error:
        raise _not_saved(f"{path} is not valid TOML: {error}.") from error
    write_atomically(path, new_text.encode())


def _put(document: Any, name: str, value: object) -> None:  # noqa: ANN401 - as tomlkit types it
    """Set one entry of a document. Raises `TypeError` where the table's name is taken by something else."""
    import tomlkit

    table_name = TABLE_OF[name]
    if table_name and table_name not in document:
        document[table_name] = tomlkit.table()
    table = document[table_name] if table_name else document
    if not isinstance(table, MutableMapping):
        raise TypeError(f"{table_name} is not a table")
    if value is None:
        table.pop(name, None)
    else:
        table[name] = value


def _not_saved(message: str) -> ConfigError:
    return ConfigError(message, "The change lasts until you quit; correct the file to save changes.")
