"""The palette: every action of the key table, and what else the app offers, by name; typing searches all of it.

Those of the key table act on the main screen, or on a panel of it: dialogs over it are closed first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.fuzzy import Matcher
from textual.style import Style
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.app.main_screen import MainScreen
from tui.dialogs.base import Dialog
from tui.settings.key_table import PANEL_ACTIONS
from tui.settings.keys import mapped
from tui.widgets.line_input import LineInput

_LEAST_SCORE = 0.1
_MAX_QUERY_CHARS = 40
_FOUND = Style(underline=True)


@dataclass(frozen=True)
class Command:
    """What can be chosen."""

    title: str
    sentence: str
    run: Callable[[], object]
    """Does it; what it returns may be awaitable."""
    keys: str = ""
    """The keys for it, as they are shown."""


def commands_of(main: MainScreen) -> Iterator[Command]:
    """Yield the actions of the main screen and of its panels."""
    for widget_name, table in PANEL_ACTIONS.items():
        for key in mapped(table, main.app.store.preferences.keys):
            if key.action != "app.command_palette":
                run = partial(_run, main, widget_name, key.action)
                yield Command(key.title, key.sentence, run, key.shown if key.keys else "")


async def _run(main: MainScreen, widget_name: str, action: str) -> None:
    """Close the dialogs over the main screen, and run the action on it, or on a focused panel."""
    while main.app.screen is not main:
        await main.app.screen.dismiss(None)
    target = main.query_one(widget_name) if widget_name else main
    if widget_name:
        target.focus()
    await main.app.run_action(action, target)


def found(commands: Sequence[Command], query: str) -> list[tuple[Command, Content]]:
    """Return the commands whose title or sentence matches, titles first, each with its title as it is shown."""
    matcher = Matcher(query, match_style=_FOUND)

    def score(command: Command) -> float:
        # a fuzzy match in a sentence means nothing
        is_in_sentence = query.casefold() in command.sentence.casefold()
        return matcher.match(command.title) or is_in_sentence * _LEAST_SCORE

    if not query:
        return [(command, Content(command.title)) for command in commands]
    scored = sorted(((score(command), command) for command in commands), key=itemgetter(0), reverse=True)
    return [(command, matcher.highlight(command.title)) for points, command in scored if points > 0]


class CommandPalette(Dialog[Command]):
    """Answer with a command, the first or highlighted of those that match a typed line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, f"move('{action}')", show=False)
        for key, action in (
            ("up", "cursor_up"),
            ("down", "cursor_down"),
            ("pageup", "page_up"),
            ("pagedown", "page_down"),
        )
    ]
    KEYS_LINE = "↑ ↓ choose · enter run · esc close"

    def __init__(self, commands: Sequence[Command]) -> None:
        """Offer `commands`, in their order until something is typed."""
        super().__init__("Menu")
        self._commands = commands
        self._found: list[Command] = []

    def compose_body(self) -> ComposeResult:
        yield LineInput(placeholder="Search for an action or a theme", max_length=_MAX_QUERY_CHARS)
        commands = OptionList(markup=False)
        commands.can_focus = False
        yield commands

    def on_mount(self) -> None:
        self._list("")

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        self._list(event.value.strip())

    def _list(self, query: str) -> None:
        """List what matches, the best first."""
        matching = found(self._commands, query)
        self._found = [command for command, _ in matching]
        lines = [
            Content.assemble(
                title.stylize("bold"), f" ({command.keys})" if command.keys else "", "\n", command.sentence
            )
            for command, title in matching
        ]
        listed = self.query_one(OptionList)
        listed.set_options(Option(line) for line in lines)
        listed.highlighted = 0 if lines else None

    async def action_move(self, action: str) -> None:
        await self.query_one(OptionList).run_action(action)

    @on(Input.Submitted)
    def _choose(self) -> None:
        highlighted = self.query_one(OptionList).highlighted
        if highlighted is not None:
            self.dismiss(self._found[highlighted])

    @on(OptionList.OptionSelected)
    def _choose_clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._found[event.option_index])
