"""The settings: the entries of `config.toml` with their values, to change from the keyboard.

A change acts at once where it can, and is saved in the file. Keys are changed in the file only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from engine.config.fields import field_help
from engine.text import sanitize_line
from tui.screens.dialogs.setting_list import SettingList
from tui.screens.dialogs.setting_values import BY_PRESET, ValueDialog, number_or_text
from tui.settings.preferences import ENTRIES, Entry, Preferences, broken_rule
from tui.settings.store import PreferencesStore


class SettingsScreen(SettingList):
    """Show the settings and change them."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("comma", "close", "close", show=False)]

    def __init__(self, store: PreferencesStore) -> None:
        """Show the preferences of `store`."""
        self._store = store
        self._entries = {entry.name: entry for entry in ENTRIES}
        super().__init__("Settings", {"For all runs": list(self._entries)})

    def compose_body(self) -> ComposeResult:
        """Show the list, and below it the path of the file."""
        yield from super().compose_body()
        path = self._store.path
        yield Static("Changes are not saved." if path is None else sanitize_line(str(path)), markup=False, id="path")

    def _label(self, name: str) -> str:
        return self._entries[name].label

    def _value(self, name: str) -> str:
        value = getattr(self._store.preferences, name)
        if isinstance(value, bool):
            return "on" if value else "off"
        return BY_PRESET if value is None else str(value)

    def _is_default(self, name: str) -> bool:
        return bool(getattr(self._store.preferences, name) == getattr(Preferences(), name))

    def _sentence(self, name: str) -> str:
        return field_help(Preferences)[name]

    def _choices(self, name: str) -> tuple[Sequence[object], object]:
        entry = self._entries[name]
        return (False, True) if entry.kind == "switch" else entry.choices, getattr(self._store.preferences, name)

    def _edit(self, name: str) -> None:
        """Ask for a number."""
        entry, value = self._entries[name], getattr(self._store.preferences, name)
        dialog = ValueDialog(
            entry.label,
            "" if value is None else f"{value:g}",
            self._sentence(name),
            partial(_broken_rule, entry),
            placeholder=BY_PRESET,
        )
        self.app.push_screen(dialog, partial(self._answer, name))

    def _answer(self, name: str, answer: str | None) -> None:
        """Change an entry to the typed number, or with an empty text to the default."""
        if answer is not None:
            self._change(name, number_or_text(answer) if answer else None)

    def _set(self, name: str, value: object) -> str:
        """Change an entry."""
        self._store.change({name: value})
        return ""


def _broken_rule(entry: Entry, text: str) -> str:
    """Return the rule that a typed value breaks; empty if it is valid."""
    rule = broken_rule(entry, number_or_text(text)) if text else ""
    sentence = rule.replace(entry.name, "it", 1)
    return sentence[:1].upper() + sentence[1:]
