"""The dialogs of the settings in which a number is typed or a key pressed."""

from __future__ import annotations

from textual import events, on
from textual.app import ComposeResult
from textual.widgets import Input, Static

from engine.config.run import field_help
from tui.screens.dialogs.base import Dialog
from tui.settings.keymap import KeyMap, mapped, objection
from tui.settings.keys.key import Key
from tui.settings.preferences import Entry, Preferences, broken_rule
from tui.widgets.input.line_input import LineInput

BY_PRESET = "from the preset"
"""Shown for a number that is not set."""


class NumberSettingDialog(Dialog[str]):
    """Answer with a number, or with an empty text for the default."""

    KEYS_LINE = "enter set · esc cancel"
    CSS = "NumberSettingDialog #box { width: 60; }"

    def __init__(self, entry: Entry, current: float | None) -> None:
        """Ask for a value of `entry`."""
        super().__init__(entry.label)
        self._entry = entry
        self._current = "" if current is None else f"{current:g}"

    def compose_body(self) -> ComposeResult:
        """Show the line, and below it the setting or an error."""
        yield LineInput(self._current, placeholder=BY_PRESET, max_length=12, select_on_focus=True)
        yield Static(field_help(Preferences)[self._entry.name], markup=False, id="hint")

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        """Answer, or show the error."""
        text = event.value.strip()
        rule = broken_rule(self._entry, number_or_text(text)) if text else ""
        if rule:
            sentence = rule.replace(self._entry.name, "it", 1)
            self._show_hint(sentence[0].upper() + sentence[1:], is_error=True)
        else:
            self.dismiss(text)


class KeyDialog(Dialog[str]):
    """Answer with the next key that is pressed and free; escape cancels."""

    KEYS_LINE = "esc cancel"
    CSS = "KeyDialog #box { width: 60; }"

    def __init__(self, key: Key, key_map: KeyMap) -> None:
        """Ask for a key in place of `key`, one that no other action has with `key_map`."""
        super().__init__(key.title)
        self._key_name = key.name
        self._others = {name: keys for name, keys in key_map.items() if name != key.name}
        self._shown_now = mapped([key], key_map)[0].shown

    def compose_body(self) -> ComposeResult:
        """Show the question, and below it an error."""
        yield Static(f"Press the key to use instead of {self._shown_now}.", markup=False, id="question")
        yield Static("", markup=False, id="hint")

    def on_key(self, event: events.Key) -> None:
        """Answer, or show the error. No key acts as elsewhere."""
        event.stop()
        if event.key == "escape":
            self.dismiss(None)
            return
        reason = objection(self._key_name, event.key, self._others)
        if reason:
            self._show_hint(reason, is_error=True)
        else:
            self.dismiss(event.key)


def number_or_text(text: str) -> object:
    """Parse a number; return any other text unchanged."""
    for number_type in (int, float):
        try:
            return number_type(text)
        except ValueError:
            continue
    return text
