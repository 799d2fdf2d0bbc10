"""The key map: the keys that a user has set in place of those of the key table, and the rules for them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from textual.keys import Keys

from tui.settings.key_table import FEED_KEYS, MAIN_KEYS, PLOT_KEYS
from tui.settings.keys import Key, shown_keys
from tui.terminal.private import name_of_key

KeyMap = Mapping[str, str]
"""From the name of a key in the table to Textual's names of the keys in its place, separated by commas."""

RESERVED = {
    "ctrl+b": "it is tmux's prefix",
    "ctrl+a": "it is screen's prefix",
    "ctrl+s": "it stops the terminal's output",
    "ctrl+q": "it resumes the terminal's output",
    "ctrl+c": "it quits",
    "ctrl+z": "it suspends the program",
    "escape": "it closes dialogs",
    "enter": "it confirms a choice",
    "tab": "it moves between the panels",
    "shift+tab": "it moves between the panels",
}
"""Keys that no action can have, and why."""
_MODIFIERS = {"ctrl", "alt", "shift"}
_CHARACTERS = {name_of_key(chr(code)) for code in range(0x20, 0x7F)}
"""Names such as `question_mark`."""
_NAMED = {key.value for key in Keys} | _CHARACTERS


def key_named(text: str) -> str:
    """Return Textual's name of a key, from that name or the character; empty if there is no such key."""
    if len(text) == 1:
        return name_of_key(text) if text.isprintable() else ""
    name = text.strip().lower()
    *modifiers, key = name.split("+")
    is_modified = bool(modifiers) and set(modifiers) <= _MODIFIERS and key in _NAMED
    return name if name in _NAMED or is_modified else ""


def mapped(keys: Iterable[Key], key_map: KeyMap) -> tuple[Key, ...]:
    """Return the keys, those of the main screen as the map changes them."""
    return tuple(
        replace(key, keys=key_map[key.name], symbols="") if key.name in key_map and key in MAIN_KEYS else key
        for key in keys
    )


def settable_keys() -> dict[str, Key]:
    """Return the keys that a map can change, by name."""
    return {key.name: key for key in MAIN_KEYS}


def objection(name: str, keys: str, key_map: KeyMap) -> str:
    """Return why the action `name` can't have `keys`, given the other keys in `key_map`; empty if it can.

    A key of a panel is taken too: a focused panel handles it first.
    """
    for key in keys.split(","):
        if key in RESERVED and key not in settable_keys()[name].keys.split(","):
            return f"{shown_keys(key)} can't be used: {RESERVED[key]}."
        for other in mapped((*MAIN_KEYS, *FEED_KEYS, *PLOT_KEYS), key_map):
            if other.name != name and key in other.keys.split(",") and key not in RESERVED:
                return f"{shown_keys(key)} is taken already: {other.title}."
    return ""


def without_clashes(key_map: KeyMap) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the usable part of a map, and name and objection of each other entry; of two that clash, the later."""
    usable = dict(key_map)
    refused = []
    for name in reversed(list(key_map)):
        reason = objection(name, key_map[name], usable)
        if reason:
            refused.append((name, reason))
            del usable[name]
    return usable, refused[::-1]
