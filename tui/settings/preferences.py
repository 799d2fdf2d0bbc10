"""`config.toml`: the user's preferences for all runs, read and changed; the preferences of a running program.

An invalid entry is reported, has its default, and stays in the file, as everything else that is not changed.
"""

from __future__ import annotations

import os
import sys
import threading
import tomllib
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec
import platformdirs

from engine.config.fields import LARGEST, with_settings
from engine.config.run import Setting, TrainingConfig
from engine.errors import ConfigError
from engine.storage.files import write_atomically
from engine.storage.folders import APP_NAME, home
from engine.text import sanitize_line
from tui.settings.keys import SETTABLE_KEYS, KeyMap, key_named, without_clashes
from tui.terminal.capabilities import GlyphSet
from tui.terminal.theme import THEMES
from tui.text.numbers import LossUnit

AUTO: Final = "auto"
GlyphChoice = Literal["auto", GlyphSet]
ReportProblem = Callable[[str, str], None]
"""Called with the name of an entry and what is wrong with it."""
Changes = Mapping[str, object]
"""New values by the name of a field; None for the default."""


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """The values of all entries of the file."""

    theme: str = AUTO
    """Colours; auto: those that the terminal supports. The menu (^p) offers the same themes."""
    mouse: bool = True
    """Capture the mouse; off: the terminal selects text with it."""
    glyphs: GlyphChoice = "auto"
    """Characters of plots and frames: braille dots, blocks for fonts without them, ASCII; auto: by the terminal."""
    loss_unit: LossUnit = "bits"
    """The unit of losses on the screen at its start, per character: bits or nats (1 bit is ln 2 nats)."""
    levels: bool = True
    """Show the levels that a model of these tweets has to get below; while they are shown, they are measured."""
    title: bool = True
    """Show run, loss and step in the terminal's title."""
    bell: bool = True
    """Ring the terminal's bell when a run has finished or failed."""
    desktop: bool = True
    """Show a desktop notification when a run has finished or failed, if the terminal supports it (OSC 9)."""
    eval_every: int | None = None
    """Steps between two evaluations, 0: never, in this run and in new ones. Empty: from the preset."""
    sample_every: int | None = None
    """Steps between two tweets, 0: none, in this run and in new ones. Empty: from the preset."""
    autosave_seconds: float | None = None
    """Seconds between two autosaves of the latest checkpoint, in new runs. Empty: from the preset."""
    save_every: int | None = None
    """Steps between two checkpoints step-N, 0: none, in new runs. Empty: from the preset."""
    keep_checkpoints: int | None = None
    """Number of checkpoints step-N to keep, 0: all, in new runs. Empty: from the preset."""
    keys: KeyMap = field(default_factory=dict)
    """Changed keys, by their names in the key table."""

    def glyphs_on(self, suited: GlyphSet) -> GlyphSet:
        """Return the chosen glyphs, else those that suit the terminal."""
        return suited if self.glyphs == AUTO else self.glyphs

    @property
    def intervals(self) -> dict[str, Setting]:
        """The intervals that are set, as settings of a run."""
        chosen = {entry.name: getattr(self, entry.name) for entry in ENTRIES if entry.table == "intervals"}
        return {name: value for name, value in chosen.items() if value is not None}


@dataclass(frozen=True)
class Entry:
    """An entry of the file and of the settings screen, other than a key."""

    name: str
    """The name of the field, and in the file."""
    table: str
    """The table of the file that it is in; empty for the top level."""
    label: str
    type: type[bool | str | int | float]
    choices: tuple[str, ...] = ()


ENTRIES = (
    Entry("theme", "", "Theme", str, (AUTO, *(theme.name for theme in THEMES))),
    Entry("mouse", "screen", "Mouse", bool),
    Entry("glyphs", "screen", "Glyphs", str, get_args(GlyphChoice)),
    Entry("loss_unit", "screen", "Unit of losses", str, get_args(LossUnit)),
    Entry("levels", "screen", "Reference levels", bool),
    Entry("title", "notices", "Terminal title", bool),
    Entry("bell", "notices", "Bell at the end", bool),
    Entry("desktop", "notices", "Desktop notification", bool),
    Entry("eval_every", "intervals", "Steps between evaluations", int),
    Entry("sample_every", "intervals", "Steps between tweets", int),
    Entry("autosave_seconds", "intervals", "Seconds between autosaves", float),
    Entry("save_every", "intervals", "Steps between checkpoints", int),
    Entry("keep_checkpoints", "intervals", "Checkpoints to keep", int),
)
_KINDS = {bool: "true or false", int: "a whole number", float: "a number"}


def preferences_path() -> Path:
    """Return the path of the file, which need not exist."""
    in_home = bool(os.environ.get("TWEETGEN_HOME"))
    return (home() if in_home else Path(platformdirs.user_config_dir(APP_NAME, appauthor=False))) / "config.toml"


def read_preferences(path: Path) -> tuple[Preferences, tuple[str, ...]]:
    """Return the preferences of the file, and a sentence per invalid entry. Raises nothing."""
    try:
        document = msgspec.toml.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return Preferences(), ()
    except OSError as error:
        return Preferences(), (f"{path.name} can't be read: {error.strerror}. All settings are at their defaults.",)
    except (ValueError, RecursionError) as error:  # msgspec's errors, and text that is not UTF-8, are ValueErrors
        reason = sanitize_line(str(error), 200)
        return Preferences(), (f"{path.name} is not valid TOML: {reason}. All settings are at their defaults.",)
    problems: list[str] = []

    def report(name: str, problem: str) -> None:
        problems.append(sanitize_line(f"{path.name}: {name}: {problem}", 300))

    names = ("keys", *dict.fromkeys(entry.table for entry in ENTRIES if entry.table))
    tables = {name: document.pop(name, {}) for name in names} | {"": document}
    for name, table in tables.items():
        if not isinstance(table, dict):
            report(name, f"it is {_shown(table)}; it must be a table: [{name}].")
            tables[name] = {}
    keys = _chosen_keys(tables.pop("keys"), report)
    return Preferences(**_chosen(tables, report), keys=keys), tuple(problems)


def _chosen(tables: dict[str, dict[str, Any]], report: ReportProblem) -> dict[str, Any]:
    """Return the values of valid entries; report the others."""
    chosen = {}
    for table, values in tables.items():
        entries = {entry.name: entry for entry in ENTRIES if entry.table == table}
        for name, value in values.items():
            full_name = f"{table}.{name}".lstrip(".")
            if name not in entries:
                report(full_name, f"unknown entry; known: {', '.join(sorted(entries))}.")
            elif rule := broken_rule(entries[name], value):
                report(full_name, f"it is {_shown(value)}; {rule}")
            else:
                chosen[name] = value
    return chosen


def broken_rule(entry: Entry, value: object) -> str:
    """Return the rule that a value of an entry breaks; empty if it is valid."""
    expected = f"one of {', '.join(entry.choices)}" if entry.choices else _KINDS[entry.type]
    if isinstance(value, int) and abs(value) > LARGEST:
        return f"it must be at most {LARGEST:g}."
    try:
        msgspec.convert(value, entry.type)
        if entry.table == "intervals":
            with_settings(TrainingConfig(), {entry.name: value})
    except msgspec.ValidationError:
        return f"it must be {expected}."
    except ConfigError as error:
        return error.message
    return f"it must be {expected}." if entry.choices and value not in entry.choices else ""


def _chosen_keys(table: dict[str, Any], report: ReportProblem) -> KeyMap:
    """Return the key map from the file's table; report invalid entries."""
    wanted: dict[str, str] = {}
    for name, value in table.items():
        texts = value if isinstance(value, list) else [value]
        named = [key_named(text) if isinstance(text, str) else "" for text in texts]
        if name not in SETTABLE_KEYS:
            report(f"keys.{name}", f"unknown action; known: {', '.join(SETTABLE_KEYS)}.")
        elif not named or not all(named):
            report(f"keys.{name}", f'it is {_shown(value)}; it must be a key like "x", "f5" or "ctrl+x", or a list.')
        else:
            wanted[name] = ",".join(named)
    usable, refused = without_clashes(wanted)
    for name, reason in refused:
        report(f"keys.{name}", reason)
    return usable


def _shown(value: object) -> str:
    """Return a value nearly as in the file; of a container, its kind."""
    match value:
        case dict():
            return "a table"
        case list():
            return "a list"
        case str() | bool():
            return msgspec.json.encode(value).decode()
        case int() if abs(value) > sys.maxsize:  # Python refuses to format thousands of digits
            return "a large number"
        case _:
            return str(value)


class PreferencesStore:
    """The current preferences. `save` is for any thread, all else for the screen's."""

    def __init__(self, path: Path | None = None, *, saves: bool = True) -> None:
        """Read the file; without a path, use the defaults. Changes are written to the file if the store `saves`."""
        self.path = path if saves else None
        self.preferences, self.problems = read_preferences(path) if path else (Preferences(), ())
        self.on_change: Callable[[Changes], None] = lambda _: None
        """Called with each change, which is to be saved."""
        self._unsaved: list[Changes] = []
        self._is_saving = threading.Lock()

    def change(self, changes: Changes) -> None:
        """Apply changes; if they change anything, report them, and queue them for the next `save`."""
        before, default = self.preferences, Preferences()
        new: dict[str, Any] = {
            name: getattr(default, name) if value is None else value for name, value in changes.items()
        }
        self.preferences = replace(before, **new)
        if self.preferences != before:
            self._unsaved.append(changes)
            self.on_change(changes)

    def save(self) -> None:
        """Write the queued changes into the file, in order; those of a failed call are written by the next.

        Raises `ConfigError` and `StorageError`.
        """
        with self._is_saving:
            planned = self._unsaved.copy()  # more may be queued meanwhile
            changes = {name: value for each in planned for name, value in each.items()}
            if changes and self.path is not None:
                save_changes(self.path, changes)
            del self._unsaved[: len(planned)]


def save_changes(path: Path, changes: Changes) -> None:
    """Write changes into the file, with everything else in it unchanged. Raises `ConfigError` and `StorageError`."""
    import tomlkit

    path = Path(os.path.realpath(path))  # where it is a link, the file behind it; raises nothing, unlike `resolve`
    hint = "The change lasts until you quit; correct the file to save changes."
    try:
        text = path.read_bytes().decode()  # with its line ends, which `read_text` would change
    except FileNotFoundError:
        text = ""
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} can't be read: {error}.", hint) from error
    try:
        tomllib.loads(text)  # its errors are clearer than those of tomlkit
        document = tomlkit.parse(text if text.endswith("\n") else text + "\n")  # an addition would join the last line
        for entry in (entry for entry in ENTRIES if entry.name in changes):
            if entry.table and entry.table not in document:
                document[entry.table] = tomlkit.table()
            table = document[entry.table] if entry.table else document
            if not isinstance(table, MutableMapping):
                raise TypeError(f"{entry.table} is not a table")
            if changes[entry.name] is None:
                table.pop(entry.name, None)
            else:
                table[entry.name] = changes[entry.name]
        new_text = tomlkit.dumps(document)
        tomllib.loads(new_text)
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.", hint) from error
    write_atomically(path, new_text.encode())
