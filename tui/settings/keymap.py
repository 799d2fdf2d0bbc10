"""The key map: which keys a user has put in place of those of the key table, and which can't be. Pure.

`tui.settings.key_table` stays the one table of what there is and of the defaults; a map only names other keys for some
of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from textual.keys import Keys

from tui.settings.key_table import MAIN_KEYS
from tui.settings.keys.key import Key, shown_keys
from tui.settings.keys.plot import PLOT_KEYS
from tui.settings.keys.tweets import FEED_KEYS
from tui.terminal.textual_private import name_of_key

KeyMap = Mapping[str, str]
"""From the name of a key of the table to Textual's names of other keys, separated by commas."""

RESERVED = {
    "ctrl+b": "tmux takes it",
    "ctrl+a": "screen takes it",
    "ctrl+s": "it stops the output of a terminal",
    "ctrl+q": "it starts the output of a terminal again",
    "ctrl+c": "it leaves at once",
    "ctrl+z": "the shell takes it",
    "escape": "it closes dialogs",
    "enter": "it takes what is chosen",
    "tab": "it moves between the panels",
    "shift+tab": "it moves between the panels",
}
"""Keys that can be given to nothing, and why."""
_MODIFIERS = {"ctrl", "alt", "shift"}
_CHARACTERS = {name_of_key(chr(code)) for code in range(0x20, 0x7F)}
"""Names such as `question_mark`."""
_NAMED = {key.value for key in Keys} | _CHARACTERS


def key_named(text: str) -> str:
    """Return Textual's name of the key that `text` names or is; empty where there is no such key."""
    if len(text) == 1:
        return name_of_key(text) if text.isprintable() else ""
    name = text.strip().lower()
    *modifiers, key = name.split("+")
    is_modified = bool(modifiers) and set(modifiers) <= _MODIFIERS and key in _NAMED
    return name if name in _NAMED or is_modified else ""


def mapped(keys: Iterable[Key], key_map: KeyMap) -> tuple[Key, ...]:
    """Return the keys with those of the map in their place; it is for the main screen's only."""
    return tuple(
        replace(key, keys=key_map[key.name], symbols="") if key.name in key_map and key in MAIN_KEYS else key
        for key in keys
    )


def settable_keys() -> dict[str, Key]:
    """Return the keys that a map can name, by their names."""
    return {key.name: key for key in MAIN_KEYS}


def objection(name: str, keys: str, key_map: KeyMap) -> str:
    """Return why `keys` can't be given to what is called `name`, with the rest as `key_map` has it; empty if they can.

    A key of a panel is taken too: while the panel has the focus, nobody else hears of it.
    """
    for key in keys.split(","):
        if key in RESERVED and key not in settable_keys()[name].keys.split(","):
            return f"{shown_keys(key)} can't be used: {RESERVED[key]}."
        for other in mapped((*MAIN_KEYS, *FEED_KEYS, *PLOT_KEYS), key_map):
            if other.name != name and key in other.keys.split(",") and key not in RESERVED:
                return f"{shown_keys(key)} is taken already: {other.title}."
    return ""


def without_clashes(key_map: KeyMap) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the part of a map that can be used, and the name and objection of each entry that can't."""
    usable = dict(key_map)
    refused = []
    for name in reversed(list(key_map)):
        reason = objection(name, key_map[name], usable)
        if reason:
            refused.append((name, reason))
            del usable[name]
    return usable, refused[::-1]
