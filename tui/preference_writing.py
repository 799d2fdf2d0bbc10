"""Changes `config.toml` so that the rest of the file stays as it is, comments and all; or else leaves it alone."""

from __future__ import annotations

import os
import tomllib
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from engine.errors import ConfigError
from engine.folders import write_atomically
from tui.preferences import TABLE_OF, Changes, text_of


def save_changes(path: Path, changes: Changes) -> None:
    """Put changes into the file and leave all else in it as it is. Raises `ConfigError` and `StorageError`."""
    import tomlkit

    path = Path(os.path.realpath(path))  # where it is a link, the file behind it; `resolve` raises on a loop
    try:
        text = text_of(path)
    except FileNotFoundError:
        text = ""
    except (OSError, ValueError) as error:
        raise _not_saved(f"{path} can't be read: {error}.") from error
    try:
        tomllib.loads(text)  # tells of a mistake in plainer words than tomlkit
        document = tomlkit.parse(text if text.endswith("\n") else text + "\n")  # what is added would join the last line
    except (ValueError, RecursionError) as error:
        raise _not_saved(f"{path} is no TOML: {error}.") from error
    for name, value in changes.items():
        table_name, _, key = name.rpartition(".")
        table = _table_to_change(document, table_name or TABLE_OF[name], path)
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value.split(",") if table_name and isinstance(value, str) and "," in value else value
    new_text = tomlkit.dumps(document)
    if _others(new_text, changes) != _others(text, changes):
        raise _not_saved(f"{path} can't be changed without harm to the rest of it.")
    write_atomically(path, new_text.encode())


def _others(text: str, changes: Changes) -> dict[str, Any] | None:
    """Return all that a file says but for the entries of `changes`; None where it can't be read."""
    try:
        document = tomllib.loads(text, parse_float=str)  # as text, NaN is what it is
    except (ValueError, RecursionError):
        return None
    for name in changes:
        table_name, _, key = name.rpartition(".")
        table = document.get(table_name or TABLE_OF[name]) if table_name or TABLE_OF[name] else document
        if isinstance(table, dict):
            table.pop(key, None)
    return {name: value for name, value in document.items() if value != {}}


def _not_saved(message: str) -> ConfigError:
    return ConfigError(message, "The change holds until you leave; correct the file to keep such.")


def _table_to_change(document: Any, name: str, path: Path) -> Any:  # noqa: ANN401 - as tomlkit types it
    """Return a table of a document, made where it is missing. Raises `ConfigError` where something else is there."""
    import tomlkit

    if not name:
        return document
    if name not in document:
        document[name] = tomlkit.table()
    if not isinstance(document[name], MutableMapping):
        raise _not_saved(f"{name} in {path} is no table.")
    return document[name]
