"""Textual's bindings from the key table, and the key map: the user's keys in place of the table's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from textual.binding import Binding, BindingType
from textual.keys import Keys

from tui.settings.key_table import MAIN_KEYS, Key, keys_of, shown_keys
from tui.terminal.private import name_of_key

KeyMap = Mapping[str, str]
"""Maps the name of a key in the table to the keys in its place: Textual's names, separated by commas."""

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
SETTABLE_KEYS = {key.name: key for key in MAIN_KEYS}
"""The keys that a map can change, by name."""
_NAMED_KEYS = {key.value for key in Keys} | {name_of_key(chr(code)) for code in range(0x20, 0x7F)}


def bindings_of(keys: Iterable[Key], *, can_change: bool = False) -> list[BindingType]:
    """Return Textual's bindings for keys; with `can_change`, those that the user's key map replaces."""
    return [
        Binding(
            key.keys,
            key.action,
            key.label,
            key_display=key.shown,
            tooltip=key.sentence,
            id=key.name if can_change else None,
        )
        for key in keys
        if key.action
    ]


def key_named(text: str) -> str:
    """Return Textual's name of a key, from that name or the character; empty if there is no such key."""
    if len(text) == 1:
        return name_of_key(text) if text.isprintable() else ""
    name = text.strip().lower()
    *modifiers, key = name.split("+")
    is_modified = bool(modifiers) and {*modifiers} <= {"ctrl", "alt", "shift"} and key in _NAMED_KEYS
    return name if name in _NAMED_KEYS or is_modified else ""


def mapped(keys: Iterable[Key], key_map: KeyMap) -> tuple[Key, ...]:
    """Return the keys, those of the main screen as the map changes them."""
    return tuple(
        replace(key, keys=key_map[key.name], symbols="") if key.name in key_map and key in MAIN_KEYS else key
        for key in keys
    )


def objection(name: str, keys: str, key_map: KeyMap) -> str:
    """Return why the action `name` can't have `keys`, given the other keys in `key_map`; empty if it can.

    A key of a panel is taken too: a focused panel handles it first.
    """
    for key in keys.split(","):
        if key in RESERVED and key not in SETTABLE_KEYS[name].keys.split(","):
            return f"{shown_keys(key)} can't be used: {RESERVED[key]}."
        for other in mapped((*MAIN_KEYS, *keys_of("feed", "plot")), key_map):
            if other.name != name and key in other.keys.split(",") and key not in RESERVED:
                return f"{shown_keys(key)} is taken already: {other.title}."
    return ""


def without_clashes(key_map: KeyMap) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the usable part of a map, and name and objection of each other entry; of two that clash, the later."""
    usable = dict(key_map)
    refused = []
    for name in reversed(list(key_map)):
        if reason := objection(name, key_map[name], usable):
            refused.append((name, reason))
            del usable[name]
    return usable, refused[::-1]
