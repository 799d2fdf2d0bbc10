"""The palette's commands: every action of the key table by name. Those chosen over a dialog close it first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.screens.main.screen import MainScreen
from tui.settings.key_table import PANEL_ACTIONS
from tui.settings.keymap import mapped
from tui.settings.keys.key import Key

_LEAST_SCORE = 0.1


class KeyCommands(Provider):
    """Yield the actions of the main screen and of its panels."""

    async def discover(self) -> Hits:
        """Yield all actions, while nothing is typed."""
        for key, run in self._actions():
            title = f"{key.title} ({key.shown})" if key.keys else key.title
            yield DiscoveryHit(title, run, help=key.sentence)

    async def search(self, query: str) -> Hits:
        """Yield the actions whose title or sentence matches, titles first."""
        matcher = self.matcher(query)
        for key, run in self._actions():
            # a fuzzy match in a sentence means nothing
            is_in_sentence = query.casefold() in key.sentence.casefold()
            score = matcher.match(key.title) or is_in_sentence * _LEAST_SCORE
            if score > 0:
                yield Hit(score, matcher.highlight(key.title), run, text=key.title, help=key.sentence)

    def _actions(self) -> Iterator[tuple[Key, Callable[[], Awaitable[None]]]]:
        main = next((screen for screen in self.app.screen_stack if isinstance(screen, MainScreen)), None)
        if main is None:
            return
        for widget_name, table in PANEL_ACTIONS.items():
            for key in mapped(table, main.key_map):
                if key.action != "app.command_palette":
                    yield key, partial(_run, main, widget_name, key.textual_action)


async def _run(main: MainScreen, widget_name: str, action: str) -> None:
    """Close the dialogs over the main screen, and run the action on it, or on a focused panel."""
    while main.app.screen is not main:
        await main.app.screen.dismiss(None)
    target = main.query_one(widget_name) if widget_name else main
    if widget_name:
        target.focus()
    await main.app.run_action(action, target)
