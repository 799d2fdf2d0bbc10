"""The dialogs that list settings with their values, to change from the keyboard; a change acts at once.

`SettingsDialog` has the entries of `config.toml`, but for the keys, and saves each change in the file. `FilterDialog`
has the filter of sampled tweets and how each character is drawn: settings of the run.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.config.fields import field_help, field_names, option_of
from engine.config.sampling import DRAW_FIELDS, MAX_AVOIDED_CHARS, MAX_DRAFTS_IN_RUN, SamplingConfig
from engine.errors import ConfigError
from engine.protocol.events import CommandRefused
from engine.text import sanitize_line
from tui.dialogs.ask import Ask, Problem
from tui.dialogs.base import Dialog, RunDialog
from tui.run.model import RunModel
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.settings.preferences import ENTRIES, Preferences, PreferencesStore, broken_rule
from tui.text.tweets import SETTING_LABELS, draw_settings, format_setting
from tui.text.typed import avoided_words
from tui.widgets.line_input import LineInput

_MAX_NUMBER_CHARS = 12
_UNSET = "from the preset"
_HELP = field_help(Preferences)
_DEFAULTS = Preferences()
_ENTRIES = {entry.name: entry for entry in ENTRIES}


@dataclass(frozen=True)
class Row:
    """A setting: a field of a dataclass, as it is listed."""

    heading: str
    name: str
    label: str
    sentence: str
    """What it does."""
    default: object
    placeholder: str = ""
    """What an empty line stands for."""
    choices: tuple[object, ...] = ()
    """The values that a key cycles through, where a value is neither typed nor a switch."""


class SettingList(Dialog[None]):
    """List settings under headings, with a sentence on the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("settings"))
    HELP = "In the other dialogs"
    KEYS_LINE = "space change · enter edit · del default · esc close"
    LABEL_WIDTH = 26
    rows: tuple[Row, ...]
    _drawn: object = None
    """The values on the screen."""

    @property
    def values(self) -> Any:  # noqa: ANN401 - any dataclass
        """The current values, by attribute."""
        raise NotImplementedError

    def _shown(self, name: str, value: object) -> str:
        """Return the value of a setting as it is listed."""
        raise NotImplementedError

    def _checked(self, row: Row, value: object) -> Any:  # noqa: ANN401 - the type of the setting
        """Return the value that a text stands for, or any other value, if it is valid. Raises `ConfigError`."""
        raise NotImplementedError

    def _change(self, name: str, value: object) -> None:
        """Change a setting to a valid value."""
        raise NotImplementedError

    def _sentence(self, row: Row) -> str:
        """Return what a setting does."""
        return row.sentence

    def compose_body(self) -> ComposeResult:
        """Show the list, and the sentence."""
        options = []
        for heading, rows in groupby(self.rows, attrgetter("heading")):
            options.append(Option(Content(heading), disabled=True))
            options += [Option(self._line(row), id=row.name) for row in rows]
        yield OptionList(*options, markup=False)
        yield Static("", markup=False, id="hint")

    def on_mount(self) -> None:
        """Put the cursor on the first setting, below its heading."""
        self.query_one(OptionList).highlighted = 1

    def _line(self, row: Row) -> Content:
        """Return a setting with its value; a star marks values other than the default."""
        value = getattr(self.values, row.name)
        mark = "" if value == row.default else "  *"
        return Content(f"  {row.label:<{self.LABEL_WIDTH}} {sanitize_line(self._shown(row.name, value))}{mark}")

    def _draw_all(self) -> None:
        """Draw all settings."""
        self._drawn = self.values
        for row in self.rows:
            self.query_one(OptionList).replace_option_prompt(row.name, self._line(row))

    @property
    def _chosen(self) -> Row | None:
        option = self.query_one(OptionList).highlighted_option
        return next((row for row in self.rows if option and row.name == option.id), None)

    @on(OptionList.OptionHighlighted)
    def _explain(self) -> None:
        if row := self._chosen:
            self._show_hint(self._sentence(row))

    @on(OptionList.OptionSelected)
    def _select(self) -> None:
        self.action_cycle(1)

    def action_cycle(self, direction: int) -> None:
        """Set the next (1) or previous (-1) value of a setting; ask for one that is typed."""
        if not (row := self._chosen):
            return
        value = getattr(self.values, row.name)
        choices = (False, True) if isinstance(value, bool) else row.choices
        if choices:
            place = choices.index(value) if value in choices else -direction
            self._set(row, choices[(place + direction) % len(choices)])
        elif direction > 0:
            self._ask(row, value)

    def _ask(self, row: Row, value: object) -> None:
        text = "" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)
        if isinstance(value, tuple):  # a comma precedes a first word with an @, which would name a file
            text = ", ".join(("", *value) if value and value[0].startswith("@") else value)

        def problem(typed: str) -> Problem | None:
            try:
                self._checked(row, typed or None)
            except ConfigError as error:
                return Problem(error.message)
            return None

        def answer(typed: str | None) -> None:
            if typed not in {None, text.strip()}:
                self._set(row, typed or None)

        max_length = 2 * MAX_AVOIDED_CHARS if isinstance(value, str | tuple) else _MAX_NUMBER_CHARS
        line = LineInput(text, placeholder=row.placeholder, max_length=max_length, select_on_focus=True)
        label, keys_line = row.label.capitalize(), "enter set · esc cancel"
        dialog = Ask(label, line, row.sentence, lambda typed: problem(typed) or typed, problem, "", keys_line, "-slim")
        self.app.push_screen(dialog, answer)

    def action_reset(self) -> None:
        """Restore the default."""
        if row := self._chosen:
            self._set(row, None)

    def _set(self, row: Row, value: object) -> None:
        """Change a setting, or show why it can't have the value."""
        try:
            self._change(row.name, self._checked(row, value))
        except ConfigError as error:
            self._show_hint(error.message, is_error=True)
        else:
            self._show_hint(self._sentence(row))
        self._draw_all()


def _number(value: Any) -> object:  # noqa: ANN401 - a text, or a value that is typed already
    """Return the number that a text stands for; anything else as it is."""
    for number_type in (int, float) if isinstance(value, str) else ():
        with suppress(ValueError):
            return number_type(value)
    return value


class SettingsDialog(SettingList):
    """Show and change the preferences for all runs."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("comma", "close", "close", show=False)]
    rows = tuple(
        Row("For all runs", name, entry.label, _HELP[name], getattr(_DEFAULTS, name), _UNSET, entry.choices)
        for name, entry in _ENTRIES.items()
    )

    def __init__(self, store: PreferencesStore) -> None:
        super().__init__("Settings")
        self._store = store

    def compose_body(self) -> ComposeResult:
        """Show the list, and below it the path of the file."""
        yield from super().compose_body()
        path = self._store.path
        yield Static("Changes are not saved." if path is None else sanitize_line(str(path)), markup=False, id="path")

    @property
    def values(self) -> Preferences:
        """The preferences."""
        return self._store.preferences

    def _shown(self, name: str, value: object) -> str:  # noqa: ARG002 - all alike
        if isinstance(value, bool):
            return "on" if value else "off"
        return _UNSET if value is None else str(value)

    def _checked(self, row: Row, value: object) -> object:
        number = _number(value)
        if number is not None and (rule := broken_rule(_ENTRIES[row.name], number)):
            raise ConfigError(_capitalized(rule.replace(row.name, "it", 1)))
        return number

    def _change(self, name: str, value: object) -> None:
        self._store.change({name: value})


def _capitalized(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


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


_FILTER, _DRAW = f"Filter: up to {MAX_DRAFTS_IN_RUN} drafts a tweet", "Draw of each character"
_PLACEHOLDERS = {"avoid": "none", "must_contain": "none"}
_COPIES_ARE_LIKELY = " Copies have the fewest: set only new, too."
_NO_EFFECT = "No effect yet: set top-k, top-p or min-p, which then apply before the temperature."


class FilterDialog(SettingList, RunDialog[None]):
    """Show and change the settings of sampling other than temperature and prime."""

    ASKS = frozenset({"ChangeSettings"})
    LABEL_WIDTH = 16

    def __init__(self, run: RunModel) -> None:
        super().__init__("Filter tweets", run)
        at_start = run.view.sampling if run.view.started is None else run.view.started.sampling
        defaults = SamplingConfig(max_length=at_start.max_length)
        self.rows = tuple(
            Row(heading, name, SETTING_LABELS[name], sentence, getattr(defaults, name), _PLACEHOLDERS.get(name, ""))
            for name, sentence in _SENTENCES.items()
            for heading in [_DRAW if name in DRAW_FIELDS else _FILTER]
        )

    @property
    def values(self) -> SamplingConfig:
        """The settings with those that were sent and are not answered yet."""
        return self.run.shown.sampling

    def tick(self) -> None:
        """Show settings that were changed elsewhere: by another client, or back by a refusal."""
        if self.values != self._drawn:
            self._draw_all()

    def shows(self, refusal: CommandRefused) -> bool:
        """Return whether a change of these settings was refused, and the list is there to show why."""
        return self.is_mounted and super().shows(refusal) and field_names(SamplingConfig).issuperset(refusal.settings)

    def _shown(self, name: str, value: object) -> str:
        return format_setting(name, value)

    def _sentence(self, row: Row) -> str:
        if row.name == "temperature_last" and not any(draw_settings(replace(self.values, temperature_last=False))):
            return _NO_EFFECT
        return row.sentence + (_COPIES_ARE_LIKELY if row.name == "best_of" and not self.values.only_new else "")

    def _checked(self, row: Row, value: object) -> Any:  # noqa: ANN401 - the type of the setting
        try:
            if value is None:
                value = row.default
            elif row.name == "avoid":
                value = avoided_words([str(value)])
            elif row.name != "must_contain":
                value = _number(value)
            replace(self.values, **{row.name: value}).require_for_run()  # type: ignore[arg-type] # the config checks it
        except ConfigError as error:
            message = error.message
            for field, label in SETTING_LABELS.items():
                message = message.replace(option_of(field), label).replace(field, label)
            raise ConfigError(_capitalized(message)) from error
        return value

    def _change(self, name: str, value: Any) -> None:  # noqa: ANN401 - the type of the setting
        self.run.change(**{name: value})
