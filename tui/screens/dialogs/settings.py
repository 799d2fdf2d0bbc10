"""The settings: the entries of `config.toml` with their values, to change from the keyboard.

A change acts at once where it can, and is saved in the file. `tui.settings.keymap` checks changed keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from engine.config.fields import field_help
from engine.text import harmless
from tui.screens.dialogs.setting_list import SettingList
from tui.screens.dialogs.setting_values import BY_PRESET, KeyDialog, ValueDialog, number_or_text
from tui.settings.keymap import mapped, objection, settable_keys
from tui.settings.keys.key import Key
from tui.settings.preferences import ENTRIES, Entry, Preferences, broken_rule
from tui.settings.store import PreferencesStore


class SettingsScreen(SettingList):
    """Show the settings and change them."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("comma", "close", "close", show=False)]

    def __init__(self, store: PreferencesStore) -> None:
        """Show the preferences of `store`."""
        self._store = store
        self._entries: dict[str, Entry | Key] = {entry.name: entry for entry in ENTRIES}
        self._entries |= {f"keys.{name}": key for name, key in settable_keys().items()}
        keys = [name for name, entry in self._entries.items() if isinstance(entry, Key)]
        super().__init__("Settings", {"Values": [entry.name for entry in ENTRIES], "Keys": keys})

    def compose_body(self) -> ComposeResult:
        """Show the list, and below it the path of the file."""
        yield from super().compose_body()
        path = self._store.path
        yield Static("Changes are not saved." if path is None else harmless(str(path)), markup=False, id="path")

    def _label(self, name: str) -> str:
        entry = self._entries[name]
        return entry.title if isinstance(entry, Key) else entry.label

    def _value(self, name: str) -> str:
        entry = self._entries[name]
        if isinstance(entry, Key):
            return mapped([entry], self._preferences.keys)[0].shown
        value = getattr(self._preferences, entry.name)
        if isinstance(value, bool):
            return "on" if value else "off"
        return BY_PRESET if value is None else str(value)

    def _is_default(self, name: str) -> bool:
        entry = self._entries[name]
        if isinstance(entry, Key):
            return entry.name not in self._preferences.keys
        return bool(getattr(self._preferences, entry.name) == getattr(Preferences(), entry.name))

    def _sentence(self, name: str) -> str:
        entry = self._entries[name]
        return entry.sentence if isinstance(entry, Key) else field_help(Preferences)[entry.name]

    def _choices(self, name: str) -> tuple[Sequence[object], object]:
        entry = self._entries[name]
        if isinstance(entry, Key):
            return (), None
        return (False, True) if entry.kind == "switch" else entry.choices, getattr(self._preferences, entry.name)

    def _edit(self, name: str) -> None:
        """Ask for a key or a number."""
        entry = self._entries[name]
        if isinstance(entry, Key):
            self.app.push_screen(KeyDialog(entry, self._preferences.keys), partial(self._answer, name))
            return
        value = getattr(self._preferences, entry.name)
        dialog = ValueDialog(
            entry.label,
            "" if value is None else f"{value:g}",
            self._sentence(name),
            partial(_broken_rule, entry),
            placeholder=BY_PRESET,
        )
        self.app.push_screen(dialog, partial(self._answer, name))

    def _answer(self, name: str, answer: str | None) -> None:
        """Change an entry to the answer of its dialog: a key, a number, or an empty text for the default."""
        if answer is not None:
            value = answer if isinstance(self._entries[name], Key) else number_or_text(answer)
            self._change(name, value if answer else None)

    def _set(self, name: str, value: object) -> str:
        """Change an entry; a key that another action has can't be restored."""
        entry = self._entries[name]
        if isinstance(entry, Key) and value is None:
            others = {each: keys for each, keys in self._preferences.keys.items() if each != entry.name}
            if reason := objection(entry.name, entry.keys, others):
                return reason
        self._store.change({name: value})
        return ""

    @property
    def _preferences(self) -> Preferences:
        return self._store.preferences


def _broken_rule(entry: Entry, text: str) -> str:
    """Return the rule that a typed value breaks; empty if it is valid."""
    rule = broken_rule(entry, number_or_text(text)) if text else ""
    sentence = rule.replace(entry.name, "it", 1)
    return sentence[:1].upper() + sentence[1:]
