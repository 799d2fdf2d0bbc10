"""The dialogs that list settings with their values, to change from the keyboard; a change acts at once.

`SettingsDialog` has the entries of `config.toml`, but for the keys, and saves each change in the file. `FilterDialog`
has the filter of sampled tweets and how each character is drawn: settings of the run.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from tui.text.tweets import SETTING_LABELS, draw_settings, format_setting, format_value
from tui.text.typed import avoided_words
from tui.widgets.line_input import LineInput

_MAX_NUMBER_CHARS = 12
_SENTENCES = field_help(Preferences)
_FILTER, _DRAW = f"Filter: up to {MAX_DRAFTS_IN_RUN} drafts a tweet", "Draw of each character"
_FILTER_SENTENCES = {
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


@dataclass(frozen=True)
class Row:
    """A setting as it is listed."""

    heading: str
    name: str
    label: str
    value: Any
    default: Any
    text: str
    """The value in the list."""
    sentence: str
    """What the setting does."""
    placeholder: str = ""
    """What an empty line stands for."""
    choices: tuple[object, ...] = ()
    """The values that a key cycles through, where a value is neither typed nor a switch."""
    advice: str = ""
    """Follows the sentence in the list."""


class SettingList(Dialog[None]):
    """List settings under headings, with a sentence on the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("settings"))
    HELP = "In the other dialogs"
    KEYS_LINE = "space change · enter edit · del default · esc close"
    LABEL_WIDTH = 26

    def rows(self) -> Iterator[Row]:
        """Yield the settings as they are now."""
        raise NotImplementedError

    def value_of(self, row: Row, given: Any) -> Any:  # noqa: ANN401 - the type of the setting
        """Return the value for a typed text, a choice, or None for the default. Raises `ConfigError`."""
        raise NotImplementedError

    def change(self, name: str, value: Any) -> None:  # noqa: ANN401 - the type of the setting
        """Change a setting to a valid value."""
        raise NotImplementedError

    def compose_body(self) -> ComposeResult:
        yield OptionList(markup=False)
        yield Static("", markup=False, id="hint")

    def on_mount(self) -> None:
        """Put the cursor on the first setting, below its heading."""
        self._rows = {row.name: row for row in self.rows()}
        settings = self.query_one(OptionList)
        for heading, rows in groupby(self._rows.values(), attrgetter("heading")):
            settings.add_option(Option(Content(heading), disabled=True))
            settings.add_options(Option(self._line(row), id=row.name) for row in rows)
        settings.highlighted = 1

    def tick(self) -> None:
        """Draw the settings that have changed, here or elsewhere."""
        for row in self.rows():
            if row != self._rows[row.name]:
                self._rows[row.name] = row
                self.query_one(OptionList).replace_option_prompt(row.name, self._line(row))

    def _line(self, row: Row) -> Content:
        star = "" if row.value == row.default else "  *"
        return Content(f"  {row.label:<{self.LABEL_WIDTH}} {sanitize_line(row.text)}{star}")

    @property
    def _chosen(self) -> Row | None:
        option = self.query_one(OptionList).highlighted_option
        return None if option is None else self._rows[option.id or ""]

    @on(OptionList.OptionHighlighted)
    def _explain(self) -> None:
        if row := self._chosen:
            self._show_hint(row.sentence + row.advice)

    @on(OptionList.OptionSelected)
    def _select(self) -> None:
        self.action_cycle(1)

    def action_cycle(self, direction: int) -> None:
        """Set the next (1) or previous (-1) value of a setting; ask for one that is typed."""
        if not (row := self._chosen):
            return
        if choices := (False, True) if isinstance(row.value, bool) else row.choices:
            self._set(row, choices[(choices.index(row.value) + direction) % len(choices)])
        elif direction > 0:
            self._ask(row)

    def _ask(self, row: Row) -> None:
        match row.value:
            case None:
                text = ""
            case float():
                text = f"{row.value:g}"
            case (str(first), *_) if first.startswith("@"):  # the comma before it: a line with an @ first names a file
                text = ", ".join(("", *row.value))
            case tuple():
                text = ", ".join(row.value)
            case _:
                text = str(row.value)

        def check(typed: str) -> str | Problem:
            value = self._checked(row, typed or None)
            return value if isinstance(value, Problem) else typed

        def explain(typed: str) -> Problem | None:
            return problem if isinstance(problem := check(typed), Problem) else None

        def answer(typed: str) -> None:
            if typed != text.strip():
                self._set(row, typed or None)

        max_length = 2 * MAX_AVOIDED_CHARS if isinstance(row.value, str | tuple) else _MAX_NUMBER_CHARS
        line = LineInput(text, placeholder=row.placeholder, max_length=max_length, select_on_focus=True)
        label, keys_line = row.label.capitalize(), "enter set · esc cancel"
        self.app.ask(Ask(label, line, row.sentence, check, explain, "", keys_line, "-slim"), answer)

    def action_reset(self) -> None:
        if row := self._chosen:
            self._set(row, None)

    def _set(self, row: Row, given: object) -> None:
        match self._checked(row, given):
            case Problem(text):
                self._show_hint(text, is_error=True)
            case value:
                self.change(row.name, value)
                self.tick()
                self._explain()

    def _checked(self, row: Row, given: object) -> Any:  # noqa: ANN401 - the type of the setting, or `Problem`
        try:
            return self.value_of(row, given)
        except ConfigError as error:
            return Problem(error.message[:1].upper() + error.message[1:])


def _number(given: Any) -> Any:  # noqa: ANN401 - a typed text, or a value of any type
    """Return the number that a text stands for; anything else as it is."""
    for number_type in (int, float) if isinstance(given, str) else ():
        with suppress(ValueError):
            return number_type(given)
    return given


class SettingsDialog(SettingList):
    """Show and change the preferences for all runs."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("comma", "close", "close", show=False)]

    def __init__(self, store: PreferencesStore) -> None:
        super().__init__("Settings")
        self._store = store

    def compose_body(self) -> ComposeResult:
        yield from super().compose_body()
        path = self._store.path
        yield Static("Changes are not saved." if path is None else sanitize_line(str(path)), markup=False, id="path")

    def rows(self) -> Iterator[Row]:
        unset = "from the preset"
        for entry in ENTRIES:
            value, default = getattr(self._store.preferences, entry.name), getattr(Preferences, entry.name)
            text = format_value(value) if isinstance(value, bool) else unset if value is None else str(value)
            sentence = _SENTENCES[entry.name]
            yield Row("For all runs", entry.name, entry.label, value, default, text, sentence, unset, entry.choices)

    def value_of(self, row: Row, given: object) -> object:
        """Return a valid value of a preference; None is the default."""
        value = _number(given)
        [entry] = [entry for entry in ENTRIES if entry.name == row.name]
        if value is not None and (rule := broken_rule(entry, value)):
            raise ConfigError(rule.replace(row.name, "it", 1))
        return value

    def change(self, name: str, value: object) -> None:
        self._store.change({name: value})


class FilterDialog(SettingList, RunDialog[None]):
    """Show and change the settings of sampling other than temperature and prime."""

    ASKS = "ChangeSettings"
    LABEL_WIDTH = 16

    def __init__(self, run: RunModel) -> None:
        super().__init__("Filter tweets", run)
        at_start = run.view.sampling if run.view.started is None else run.view.started.sampling
        self._defaults = SamplingConfig(max_length=at_start.max_length)

    def rows(self) -> Iterator[Row]:
        """Yield the settings with those that were sent and are not answered yet."""
        values = self.run.shown.sampling
        sentences, advice = dict(_FILTER_SENTENCES), {}
        if not values.only_new:
            advice["best_of"] = " Copies have the fewest: set only new, too."
        if not any(draw_settings(replace(values, temperature_last=False))):
            no_effect = "No effect yet: set top-k, top-p or min-p, which then apply before the temperature."
            sentences["temperature_last"] = no_effect
        for name, sentence in sentences.items():
            heading = _DRAW if name in DRAW_FIELDS else _FILTER
            label, value, default = SETTING_LABELS[name], getattr(values, name), getattr(self._defaults, name)
            text, placeholder = format_setting(name, value), "none" if name in {"avoid", "must_contain"} else ""
            yield Row(heading, name, label, value, default, text, sentence, placeholder, (), advice.get(name, ""))

    def shows(self, refusal: CommandRefused) -> bool:
        """Return whether a change of these settings was refused, and the list is there to show why."""
        return self.is_mounted and super().shows(refusal) and field_names(SamplingConfig).issuperset(refusal.settings)

    def value_of(self, row: Row, given: Any) -> Any:  # noqa: ANN401 - the type of the setting
        """Return a valid value of a setting, that of the start for None."""
        value = row.default if given is None else given
        try:
            if row.name == "avoid" and given is not None:
                value = avoided_words([given])
            elif row.name != "must_contain":
                value = _number(value)
            replace(self.run.shown.sampling, **{row.name: value}).require_for_run()
        except ConfigError as error:
            message = error.message
            for field, label in SETTING_LABELS.items():
                message = message.replace(option_of(field), label).replace(field, label)
            raise ConfigError(message) from error
        return value

    def change(self, name: str, value: Any) -> None:  # noqa: ANN401 - the type of the setting
        self.run.change(**{name: value})
