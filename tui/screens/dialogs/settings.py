"""The settings: the entries of `config.toml` with their values, to change from the keyboard.

A change acts at once where it can, and is saved in the file. `tui.settings.keymap` checks changed keys.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.config.run import field_help
from engine.text import harmless
from tui.screens.dialogs.base import Dialog
from tui.screens.dialogs.setting_values import BY_PRESET, KeyDialog, NumberSettingDialog, number_or_text
from tui.settings.keymap import mapped, objection, settable_keys
from tui.settings.keys.dialogs import SETTINGS_KEYS
from tui.settings.keys.key import Key, bindings_of
from tui.settings.preferences import ENTRIES, Entry, Preferences
from tui.settings.store import PreferencesStore

_LABEL_WIDTH = 26


class SettingsScreen(Dialog[None]):
    """Show the settings and change them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_of(SETTINGS_KEYS),
        Binding("comma", "close", "close", show=False),
    ]
    HELP = "In the other dialogs"
    KEYS_LINE = "space change · enter edit · del default · esc close"
    CSS = """
    SettingsScreen #box { height: 90%; padding: 0 1; }
    SettingsScreen OptionList {
        height: 1fr;
        border: none;
        padding: 0;
        background: $surface;
        scrollbar-size-vertical: 1;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        &:focus { border: none; }
        & > .option-list--option-disabled { color: $text-primary; text-style: bold; }
        & > .option-list--option-highlighted { background: $primary 30%; color: $foreground; }
    }
    SettingsScreen #hint { height: 2; margin: 0; }
    SettingsScreen #path { height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, store: PreferencesStore) -> None:
        """Show the preferences of `store`."""
        super().__init__("Settings")
        self._store = store
        self._entries: dict[str, Entry | Key] = {entry.name: entry for entry in ENTRIES}
        self._entries |= {f"keys.{name}": key for name, key in settable_keys().items()}

    def compose_body(self) -> ComposeResult:
        """Show the list, a sentence on the entry under the cursor, and the path of the file."""
        yield OptionList(*self._options(), markup=False)
        yield Static("", markup=False, id="hint")
        path = self._store.path
        yield Static("Changes are not saved." if path is None else harmless(str(path)), markup=False, id="path")

    def on_mount(self) -> None:
        """Put the cursor on the first entry, below its heading."""
        self.query_one(OptionList).highlighted = 1

    def _options(self) -> list[Option]:
        """Return the entries under their headings."""
        options = [Option(Content("Values"), disabled=True)]
        for name, entry in self._entries.items():
            if isinstance(entry, Key) and not isinstance(self._entries.get(options[-1].id or ""), Key):
                options.append(Option(Content("Keys"), disabled=True))
            options.append(Option(self._line(name, entry), id=name))
        return options

    def _line(self, name: str, entry: Entry | Key) -> Content:
        """Return an entry with its value; a star marks values other than the default."""
        label = entry.title if isinstance(entry, Key) else entry.label
        mark = "" if self._is_default(name, entry) else "  *"
        return Content(f"  {harmless(label):<{_LABEL_WIDTH}} {harmless(self._value(entry))}{mark}")

    def _value(self, entry: Entry | Key) -> str:
        """Return the value of an entry, formatted."""
        if isinstance(entry, Key):
            return mapped([entry], self._preferences.keys)[0].shown
        value = getattr(self._preferences, entry.name)
        if isinstance(value, bool):
            return "on" if value else "off"
        return BY_PRESET if value is None else str(value)

    def _is_default(self, name: str, entry: Entry | Key) -> bool:
        if isinstance(entry, Key):
            return name.removeprefix("keys.") not in self._preferences.keys
        return bool(getattr(self._preferences, entry.name) == getattr(Preferences(), entry.name))

    @property
    def _preferences(self) -> Preferences:
        return self._store.preferences

    @on(OptionList.OptionHighlighted)
    def _explain(self, event: OptionList.OptionHighlighted) -> None:
        """Show the sentence on the entry under the cursor."""
        entry = self._entries[event.option.id or ""]
        self._show_hint(entry.sentence if isinstance(entry, Key) else field_help(Preferences)[entry.name])

    @on(OptionList.OptionSelected)
    def _edit(self, event: OptionList.OptionSelected) -> None:
        """Edit the selected entry: type a number, press a key, or cycle to the next value."""
        name = event.option.id or ""
        match self._entries[name]:
            case Key() as key:
                self.app.push_screen(KeyDialog(key, self._preferences.keys), partial(self._set, name))
            case Entry(is_number=True) as entry:
                current = getattr(self._preferences, entry.name)
                self.app.push_screen(NumberSettingDialog(entry, current), partial(self._set, name))
            case _:
                self.action_cycle(1)

    def action_cycle(self, direction: int) -> None:
        """Set the next (1) or previous (-1) value of an entry; a number or a key is edited instead."""
        name = self._name_chosen
        entry = self._entries.get(name)
        if entry is None:
            return
        if isinstance(entry, Key) or entry.is_number:
            if direction > 0:
                self.query_one(OptionList).action_select()
            return
        current = getattr(self._preferences, entry.name)
        values = (False, True) if entry.kind == "switch" else entry.choices
        position = values.index(current) if current in values else -direction
        self._change(name, values[(position + direction) % len(values)])

    def action_reset(self) -> None:
        """Restore the default."""
        name = self._name_chosen
        entry = self._entries.get(name)
        if isinstance(entry, Key):
            others = {each: keys for each, keys in self._preferences.keys.items() if each != entry.name}
            reason = objection(entry.name, entry.keys, others)
            if reason:
                self._show_hint(reason, is_error=True)
                return
        if entry is not None:
            self._change(name, None)

    @property
    def _name_chosen(self) -> str:
        option = self.query_one(OptionList).highlighted_option
        return (option.id if option else None) or ""

    def _set(self, name: str, answer: str | None) -> None:
        """Change an entry to the answer of its dialog: a key, a number, or an empty text for the default."""
        if answer is not None:
            value = answer if isinstance(self._entries[name], Key) else number_or_text(answer)
            self._change(name, value if answer else None)

    def _change(self, name: str, value: object) -> None:
        """Change an entry and redraw its line."""
        self._store.change({name: value})
        self.query_one(OptionList).replace_option_prompt(name, self._line(name, self._entries[name]))
