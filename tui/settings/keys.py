"""`Key`, a row of the key table, and the bindings made from rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from textual.binding import Binding, BindingType
from textual.keys import format_key

Need = Literal[
    "steering",
    "switching",
    "pausing",
    "commands",
    "answers",
    "steps to come",
    "a run to leave",
    "an alert",
    "a tweet",
    "a prime",
    "a change",
    "steps",
    "files",
    "a terminal",
]
"""What an action needs of the run: that this screen may change it (`steering`) or choose another one (`switching`), a
session that pauses (also a replay), that accepts commands, or that answers questions (also a read-only screen's).
`files` are those of the machine that runs the program, which a read-only browser must not read or write."""


@dataclass(frozen=True)
class Key:
    """One action, and the keys for it."""

    keys: str
    """Textual's names of the keys, separated by commas; empty for an action of the palette only."""
    action: str
    """In Textual's syntax: `steering.pause` is `app.steering.action_pause`, `app.mouse` an action of the app,
    `screen.edit` one of the screen on top, and a name without a dot one of the widget or dialog whose key it is."""
    title: str
    """The name of the action in palette, help and settings."""
    sentence: str
    """What the action does."""
    _: KW_ONLY
    label: str = ""
    """One short word for the key bar, shared by neighbours; empty for a key that is not in the bar."""
    symbols: str = ""
    """The keys as they are shown, where Textual's names are unsuitable."""
    opens: bool = False
    """Whether the action opens a line or a dialog at once: keys typed right after it go there."""
    needs: tuple[Need, ...] = ()
    """What the action can't do without, the reason to be shown first before the others."""

    @property
    def name(self) -> str:
        """The name in `config.toml`: the action in letters, `steering.temperature(-1)` as `temperature_down`."""
        action = self.action.rpartition(".")[2].replace("(-1)", "_down").replace("(1)", "_up")
        return re.sub(r"\W+", "_", action).strip("_")

    @property
    def shown(self) -> str:
        """The keys as they are shown; of an action without one, how the palette offers it."""
        return self.symbols or shown_keys(self.keys) or f"^p {self.title}"


def shown_keys(keys: str) -> str:
    """Return Textual's names of keys as they are shown: `?` for `question_mark`, `^p` for `ctrl+p`."""
    return " ".join(format_key(key).replace("ctrl+", "^") for key in keys.split(","))


def opening(keys: Iterable[Key]) -> frozenset[str]:
    """Return Textual's names of the keys that open a line or a dialog."""
    return frozenset(name for key in keys if key.opens for name in key.keys.split(","))


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
