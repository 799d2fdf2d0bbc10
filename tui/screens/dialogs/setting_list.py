"""`SettingList`: the base of the dialogs that list settings with their values, to change from the keyboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.text import sanitize_line
from tui.screens.dialogs.base import Dialog
from tui.settings.keys.dialogs import SETTINGS_KEYS
from tui.settings.keys.key import bindings_of


class SettingList(Dialog[None]):
    """List settings by name under headings, with a sentence on the one under the cursor; a change acts at once."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(SETTINGS_KEYS)
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
