"""The filter of sampled tweets, and how each character is drawn: settings of the run, changed at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from engine.config.fields import option_of
from engine.config.sampling import DRAW_FIELDS, MAX_AVOIDED_CHARS, MAX_DRAFTS_IN_RUN, SamplingConfig
from engine.errors import ConfigError
from tui.files.avoided_words import avoided_words
from tui.formatting.sampling import SETTING_LABELS, draw_settings, format_setting
from tui.run.drafts import DECISIVE_FIELDS
from tui.screens.dialogs.setting_list import SettingList
from tui.screens.dialogs.setting_values import ValueDialog, number_or_text

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
