"""`config.toml`: what a user has chosen once for all runs. Read here; `tui.preference_writing` changes it.

An entry that can't be used counts as its default and is told; none is ever thrown away. Knows no screen.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

import platformdirs

from engine.config import Setting, TrainingConfig, with_settings
from engine.errors import ConfigError
from engine.folders import APP_NAME, home
from engine.regular_files import read_regular
from engine.text import harmless
from tui.key_map import KeyMap, key_named, settable_keys, without_clashes
from tui.theme import THEMES

AUTO: Final = "auto"
GlyphChoice = Literal["auto", "braille", "block", "ascii"]
Kind = Literal["switch", "choice", "number"]
Complain = Callable[[str, str], None]
Changes = Mapping[str, object]
"""New values by the name of a field, or for a key by `keys.` and its name; None for the default."""


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """What a user can choose."""

    theme: str = AUTO
    """The colours; auto takes those that the terminal can show. The palette has the same list."""
    mouse: bool = True
    """Whether the program takes the mouse; without it the terminal's own selection works."""
    glyphs: GlyphChoice = "auto"
    """What plots and frames are drawn with: dots, blocks where the font lacks dots, plain characters, or what fits."""
    title: bool = True
    """Show run, bits per character and step in the terminal's title."""
    bell: bool = True
    """Ring the terminal's bell when a run has come to its end or failed."""
    desktop: bool = True
    """Have the terminal show a notice on the desktop then (OSC 9), where it can."""
    eval_every: int | None = None
    """Steps between two evaluations, 0 for never, in new runs on the screen; empty: as the preset has it."""
    sample_every: int | None = None
    """Steps between two tweets in the feed, 0 for none, in new runs on the screen; empty: as the preset has it."""
    autosave_seconds: float | None = None
    """Seconds between two savings of the latest checkpoint, in new runs on the screen; empty: as the preset has it."""
    save_every: int | None = None
    """Steps between two checkpoints that stay, 0 for none, in new runs on the screen; empty: as the preset has it."""
    keep_checkpoints: int | None = None
    """Checkpoints step-N of a run that are kept, 0 for all, in new runs on the screen; empty: as the preset has it."""
    keys: KeyMap = field(default_factory=dict)
    """Other keys for actions of the key table, by name."""

    @property
    def intervals(self) -> dict[str, Setting]:
        """Those that were chosen, as settings of a run."""
        chosen = {name: getattr(self, name) for name in INTERVALS}
        return {name: value for name, value in chosen.items() if value is not None}


@dataclass(frozen=True)
class Entry:
    """One line of the file but for the keys, and of the settings screen."""

    name: str
    """Of the field, and in the file."""
    table: str
    """Where it stands in the file; empty above all tables."""
    label: str
    kind: Kind
    choices: tuple[str, ...] = ()


ENTRIES = (
    Entry("theme", "", "Theme", "choice", (AUTO, *(theme.name for theme in THEMES))),
    Entry("mouse", "screen", "Mouse", "switch"),
    Entry("glyphs", "screen", "Glyphs", "choice", get_args(GlyphChoice)),
    Entry("title", "notices", "Terminal title", "switch"),
    Entry("bell", "notices", "Bell at the end", "switch"),
    Entry("desktop", "notices", "Desktop notice at the end", "switch"),
    Entry("eval_every", "intervals", "Steps between evaluations", "number"),
    Entry("sample_every", "intervals", "Steps between tweets", "number"),
    Entry("autosave_seconds", "intervals", "Seconds between savings", "number"),
    Entry("save_every", "intervals", "Steps between kept checkpoints", "number"),
    Entry("keep_checkpoints", "intervals", "Kept checkpoints of a run", "number"),
)
INTERVALS = tuple(entry.name for entry in ENTRIES if entry.table == "intervals")
_KEYS = "keys"
_MAX_BYTES = 64 * 1024
_MAX_LINE_CHARS = 1000
TABLE_OF = {entry.name: entry.table for entry in ENTRIES}
_TABLES = {entry.table for entry in ENTRIES if entry.table} | {_KEYS}


def preferences_path() -> Path:
    """Return where the file lies; it need not exist."""
    if os.environ.get("TWEETGEN_HOME"):
        return home() / "config.toml"
    return Path(platformdirs.user_config_dir(APP_NAME, appauthor=False)) / "config.toml"


def read_preferences(path: Path) -> tuple[Preferences, tuple[str, ...]]:
    """Return what the file says, and a sentence for each entry that can't be used. Raises nothing."""
    try:
        document = tomllib.loads(text_of(path))
    except FileNotFoundError:
        return Preferences(), ()
    except OSError as error:
        return Preferences(), (f"{path.name} can't be read: {error.strerror}. All settings are at their defaults.",)
    except (ValueError, RecursionError) as error:
        reason = harmless(str(error), 200)
        return Preferences(), (f"{path.name} is no TOML: {reason}. All settings are at their defaults.",)
    problems: list[str] = []

    def complain(name: str, text: str) -> None:
        problems.append(harmless(f"{path.name}: {name}: {text}", 300))

    chosen = _chosen(document, complain)
    keys = _chosen_keys(_table(document, _KEYS, complain), complain)
    return Preferences(**chosen, keys=keys), tuple(problems)


def text_of(path: Path) -> str:
    """Return the text of a file of settings. Raises `OSError`, and `ValueError` for a text that can be none of ours.

    A key of many parts takes memory by the square of their number to read, a gigabyte for one line of 64 KB.
    """
    text = read_regular(path, _MAX_BYTES).decode()
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > _MAX_LINE_CHARS:
            raise ValueError(f"line {number} is longer than {_MAX_LINE_CHARS:,} characters")
    return text


def _chosen(document: dict[str, Any], complain: Complain) -> dict[str, Any]:
    """Return the values of the entries that can be used; complain of the others."""
    chosen = {}
    known = {name: {entry.name for entry in ENTRIES if entry.table == name} for name in ("", *_TABLES - {_KEYS})}
    known[""] |= _TABLES
    for table_name, names in known.items():
        table = _table(document, table_name, complain)
        prefix = table_name and table_name + "."
        for name in table.keys() - names:
            complain(prefix + name, f"there is no such entry; there is {', '.join(sorted(names))}.")
    for entry in ENTRIES:
        table = _table(document, entry.table, lambda *_: None)
        if entry.name in table:
            rule = broken_rule(entry, table[entry.name])
            if rule:
                complain(_full_name(entry), f"it is {_shown(table[entry.name])}; {rule}")
            else:
                chosen[entry.name] = table[entry.name]
    return chosen


def _table(document: dict[str, Any], name: str, complain: Complain) -> dict[str, Any]:
    """Return a table of the file, or the whole of it for ""; empty where there is none."""
    table = document.get(name, {}) if name else document
    if isinstance(table, dict):
        return table
    complain(name, f"it is {_shown(table)}; it is a table: [{name}].")
    return {}


def broken_rule(entry: Entry, value: object) -> str:
    """Return the rule that a value of an entry breaks; empty where it keeps to it."""
    match entry.kind:
        case "switch":
            return "" if isinstance(value, bool) else "it is true or false."
        case "choice":
            return "" if value in entry.choices else f"it is one of {', '.join(entry.choices)}."
        case "number":
            return _broken_range(entry.name, value)


def _broken_range(name: str, value: object) -> str:
    """Return the range that a number is out of; empty where it is in it."""
    is_whole = name != "autosave_seconds"
    if isinstance(value, bool) or not isinstance(value, int if is_whole else int | float):
        return "it is a whole number." if is_whole else "it is a number."
    try:
        with_settings(TrainingConfig(), {name: value})
    except ConfigError as error:
        return error.message + ("" if error.message.endswith(".") else ".")
    return ""


def _chosen_keys(table: dict[str, Any], complain: Complain) -> KeyMap:
    """Return the key map that the table of the file makes; complain of what can't be used."""
    known = settable_keys()
    wanted: dict[str, str] = {}
    for name, value in table.items():
        texts = value if isinstance(value, list) else [value]
        named = [key_named(text) if isinstance(text, str) else "" for text in texts]
        if name not in known:
            complain(f"{_KEYS}.{name}", f"there is no such action; there is {', '.join(known)}.")
        elif not named or not all(named):
            complain(
                f"{_KEYS}.{name}", f'it is {_shown(value)}; it is a key, such as "x", "f5" or "ctrl+x", or a list.'
            )
        else:
            wanted[name] = ",".join(named)
    usable, refused = without_clashes(wanted)
    for name, reason in refused:
        complain(f"{_KEYS}.{name}", reason)
    return usable


def _full_name(entry: Entry) -> str:
    return f"{entry.table}.{entry.name}" if entry.table else entry.name


def _shown(value: object) -> str:
    """Return a value as the file has it, or nearly; of one that holds others, what it is."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            return str(value)


def changed(preferences: Preferences, changes: Changes) -> Preferences:
    """Return the preferences with `changes`."""
    default = Preferences()
    keys = dict(preferences.keys)
    fields: dict[str, Any] = {}
    for name, value in changes.items():
        key_name = name.removeprefix("keys.")
        if key_name == name:
            fields[name] = getattr(default, name) if value is None else value
        elif value is None:
            keys.pop(key_name, None)
        else:
            keys[key_name] = str(value)
    return replace(preferences, **fields, keys=keys)
