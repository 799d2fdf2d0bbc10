"""`SettingList`: the base of the dialogs that list settings with their values, to change from the keyboard.

The settings: the entries of `config.toml` with their values, to change from the keyboard.

A change acts at once where it can, and is saved in the file. Keys are changed in the file only.

The filter of sampled tweets, and how each character is drawn: settings of the run, changed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.config.fields import field_help, option_of
from engine.config.sampling import DRAW_FIELDS, MAX_AVOIDED_CHARS, MAX_DRAFTS_IN_RUN, SamplingConfig
from engine.errors import ConfigError
from engine.text import sanitize_line
from tui.dialogs.ask import BY_PRESET, ValueDialog, number_or_text
from tui.dialogs.base import Dialog
from tui.run.marks import DECISIVE_FIELDS
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.settings.preferences import ENTRIES, Entry, Preferences, PreferencesStore, broken_rule
from tui.text.tweets import SETTING_LABELS, draw_settings, format_setting
from tui.text.typed import avoided_words


class SettingList(Dialog[None]):
    """List settings by name under headings, with a sentence on the one under the cursor; a change acts at once."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("settings"))
    HELP = "In the other dialogs"
    KEYS_LINE = "space change · enter edit · del default · esc close"
    LABEL_WIDTH: ClassVar[int] = 26

    def __init__(self, title: str, groups: Mapping[str, Sequence[str]]) -> None:
        """List the names of `groups` under its headings."""
        super().__init__(title)
        self._groups = groups

    def compose_body(self) -> ComposeResult:
        """Show the list, and a sentence on the setting under the cursor."""
        options = []
        for heading, names in self._groups.items():
            options.append(Option(Content(heading), disabled=True))
            options += [Option(self._line(name), id=name) for name in names]
        yield OptionList(*options, markup=False)
        yield Static("", markup=False, id="hint")

    def on_mount(self) -> None:
        """Put the cursor on the first setting, below its heading."""
        self.query_one(OptionList).highlighted = 1

    def _label(self, name: str) -> str:
        """Return the label of a setting."""
        raise NotImplementedError

    def _value(self, name: str) -> str:
        """Return the value of a setting, formatted."""
        raise NotImplementedError

    def _is_default(self, name: str) -> bool:
        """Return whether a setting has its default."""
        raise NotImplementedError

    def _sentence(self, name: str) -> str:
        """Return the sentence on a setting."""
        raise NotImplementedError

    def _choices(self, name: str) -> tuple[Sequence[object], object]:
        """Return the values that a key cycles through, none where a value is typed, and the current one."""
        raise NotImplementedError

    def _edit(self, name: str) -> None:
        """Ask for a value of a setting without choices."""
        raise NotImplementedError

    def _set(self, name: str, value: object) -> str:
        """Change a setting, to its default for None; return why it can't be changed, as a sentence, or ""."""
        raise NotImplementedError

    def _line(self, name: str) -> Content:
        """Return a setting with its value; a star marks values other than the default."""
        mark = "" if self._is_default(name) else "  *"
        return Content(
            f"  {sanitize_line(self._label(name)):<{self.LABEL_WIDTH}} {sanitize_line(self._value(name))}{mark}"
        )

    def _show_values(self) -> None:
        """Draw all settings, whose values have changed elsewhere."""
        for name in chain.from_iterable(self._groups.values()):
            self.query_one(OptionList).replace_option_prompt(name, self._line(name))

    @on(OptionList.OptionHighlighted)
    def _explain(self, event: OptionList.OptionHighlighted) -> None:
        """Show the sentence on the setting under the cursor."""
        self._show_hint(self._sentence(event.option.id or ""))

    @on(OptionList.OptionSelected)
    def _select(self, event: OptionList.OptionSelected) -> None:
        """Cycle the selected setting to its next value, or ask for one."""
        name = event.option.id or ""
        if self._choices(name)[0]:
            self.action_cycle(1)
        else:
            self._edit(name)

    def action_cycle(self, direction: int) -> None:
        """Set the next (1) or previous (-1) value of a setting; a setting without choices is edited instead."""
        name = self._chosen
        if not name:
            return
        values, current = self._choices(name)
        if values:
            position = values.index(current) if current in values else -direction
            self._change(name, values[(position + direction) % len(values)])
        elif direction > 0:
            self._edit(name)

    def action_reset(self) -> None:
        """Restore the default."""
        if name := self._chosen:
            self._change(name, None)

    def _change(self, name: str, value: object) -> None:
        """Change a setting and redraw it, or show why it can't be changed."""
        error = self._set(name, value)
        self.query_one(OptionList).replace_option_prompt(name, self._line(name))
        self._show_hint(error or self._sentence(name), is_error=bool(error))

    @property
    def _chosen(self) -> str:
        """The name of the setting under the cursor; empty without one."""
        option = self.query_one(OptionList).highlighted_option
        return (option.id if option else None) or ""


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


_GROUPS = {
    f"Filter: up to {MAX_DRAFTS_IN_RUN} drafts a tweet": DECISIVE_FIELDS,
    "Draw of each character": DRAW_FIELDS,
}
_SENTENCES = {
    "only_new": "Refuse drafts that copy training tweets; names, links, case and punctuation are ignored.",
    "avoid": "Refuse drafts with one of these words or phrases, separated by commas, or one per line of @FILE.",
    "must_contain": "Refuse drafts without this text, in any case, also within words.",
    "min_length": "Refuse drafts with fewer characters.",
    "max_length": "Cut sampled tweets at this number of characters; with a filter, drafts that are cut are refused.",
    "best_of": "Of that many drafts that pass, show the one with the fewest bits per character.",
    "top_k": "Draw from this number of most likely characters only; 0: off.",
    "top_p": "Draw from the most likely characters with this total probability only (nucleus); 1: off.",
    "min_p": "Exclude characters less likely than this share of the most likely one; 0: off.",
    "temperature_last": "Apply top-k, top-p and min-p before the temperature: with min-p, even 2 to 5 stay readable.",
}
_COPIES_ARE_LIKELY = " Copies have the fewest: set only new, too."
_NO_EFFECT = "No effect yet: set top-k, top-p or min-p, which then apply before the temperature."
_MAX_LINE_CHARS = 12


class FilterDialog(SettingList):
    """Show and change the settings of sampling other than temperature and prime."""

    LABEL_WIDTH = 16

    def __init__(
        self,
        sampling_now: Callable[[], SamplingConfig],
        change: Callable[[SamplingConfig], None],
        max_length: int,
    ) -> None:
        """Show the settings that `sampling_now` returns; `change` sets others. `max_length` is the default."""
        super().__init__("Filter tweets", _GROUPS)
        self._defaults = SamplingConfig(max_length=max_length)
        self._sampling_now = sampling_now
        self._change_sampling = change
        self._sampling = sampling_now()

    def tick(self) -> None:
        """Show settings that were changed elsewhere: by another client, or back by a refusal."""
        now = self._sampling_now()
        if now != self._sampling and self.is_mounted:
            self._sampling = now
            self._show_values()

    def show_refusal(self, reason: str) -> None:
        """Show why the run refuses the last change, whose setting `tick` shows as it was."""
        self._show_hint(reason, is_error=True)

    def _label(self, name: str) -> str:
        return SETTING_LABELS[name]

    def _value(self, name: str) -> str:
        return format_setting(name, getattr(self._sampling, name))

    def _is_default(self, name: str) -> bool:
        return bool(getattr(self._sampling, name) == getattr(self._defaults, name))

    def _sentence(self, name: str) -> str:
        sampling = self._sampling
        if name == "temperature_last" and not any(draw_settings(replace(sampling, temperature_last=False))):
            return _NO_EFFECT
        needs_only_new = name == "best_of" and not sampling.only_new
        return _SENTENCES[name] + (_COPIES_ARE_LIKELY if needs_only_new else "")

    def _choices(self, name: str) -> tuple[Sequence[object], object]:
        current = getattr(self._sampling, name)
        return (False, True) if isinstance(current, bool) else (), current

    def _edit(self, name: str) -> None:
        """Ask for a number, words or a text."""
        value = getattr(self._sampling, name)
        is_number = isinstance(value, int | float)
        text = _listed(value) if isinstance(value, tuple) else f"{value:g}" if is_number else value
        dialog = ValueDialog(
            SETTING_LABELS[name].capitalize(),
            text,
            _SENTENCES[name],
            partial(self._error_of, name),
            placeholder="" if is_number else "none",
            max_length=_MAX_LINE_CHARS if is_number else 2 * MAX_AVOIDED_CHARS,
        )
        self.app.push_screen(dialog, partial(self._answer, name, text))

    def _answer(self, name: str, before: str, answer: str | None) -> None:
        """Change a setting to the typed value; an empty line restores the default."""
        if answer not in (None, before.strip()):
            self._change(name, answer or None)

    def _error_of(self, name: str, text: str) -> str:
        """Return what is wrong with a typed value; empty if it is valid."""
        changed = self._changed(name, text or None)
        return changed if isinstance(changed, str) else ""

    def _set(self, name: str, value: object) -> str:
        """Change a setting of the run, unless others exclude the value."""
        changed = self._changed(name, value)
        if isinstance(changed, str):
            return changed
        self._change_sampling(changed)
        self._sampling = self._sampling_now()
        return ""

    def _changed(self, name: str, value: Any) -> SamplingConfig | str:  # noqa: ANN401 - the config checks its type
        """Return the sampling settings with another value, which may be typed, or with the default for None.

        Or return why that is invalid.
        """
        try:
            value = _parsed(name, value) if isinstance(value, str) else value
            value = getattr(self._defaults, name) if value is None else value
            changed = replace(self._sampling_now(), **{name: value})
            changed.require_for_run()
        except ConfigError as error:
            return _without_field_names(error.message)
        return changed


def _parsed(name: str, text: str) -> object:
    """Return the value that a typed line stands for. Raises `ConfigError` where it names a file that can't be read."""
    if name == "avoid":
        return avoided_words([text])
    return text if name == "must_contain" else number_or_text(text)


def _listed(words: Sequence[str]) -> str:
    """Return words as a line to edit; a comma precedes a first one with an @, which would name a file."""
    line = ", ".join(words)
    return f", {line}" if line.startswith("@") else line


def _without_field_names(message: str) -> str:
    """Return the message of a `ConfigError` with the labels of settings in place of fields and options."""
    for name, label in SETTING_LABELS.items():
        message = message.replace(option_of(name), label).replace(name, label)
    return message[:1].upper() + message[1:]
